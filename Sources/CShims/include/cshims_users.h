#ifndef SWBUILD_CSHIMS_USERS_H
#define SWBUILD_CSHIMS_USERS_H

/* Entering a user namespace. The maps of one are written from outside of it (by newuidmap and newgidmap), so that
   somebody has to be inside before this process is: a child that does nothing but wait. This process joins it once the
   maps are there; if they cannot be had, it is what it was. */

/* A process that is alone in a new user namespace. */
struct swb_holder {
    int pid;
    int pidfd;
    int release; /* the holder ends when this is closed, also by the end of this process */
};

/* Starts a holder. Returns 0 or an errno; both descriptors are close-on-exec. In C because there is no Swift, nor any
   other thread, in a process that was made by the bare clone3(2). */
int swb_hold_user_namespace(struct swb_holder *_Nonnull holder);

/* Makes this process, which must have one thread only, a member of the holder's user namespace. Returns 0 or an errno.
   setns(2) is behind _GNU_SOURCE, where Swift does not see it. */
int swb_join_user_namespace(const struct swb_holder *_Nonnull holder);

/* Makes this process, which must have one thread only, the only member of a new user namespace without maps. Returns 0
   or an errno. */
int swb_leave_user_namespace(void);

/* Ends a holder and waits for it. */
void swb_release_user_namespace(const struct swb_holder *_Nonnull holder);

#endif
