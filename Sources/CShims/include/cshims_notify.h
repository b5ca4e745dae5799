#ifndef SWBUILD_CSHIMS_NOTIFY_H
#define SWBUILD_CSHIMS_NOTIFY_H

// System calls of a step that wait for this program's answer (seccomp_unotify(2)). In C because ioctl is variadic, and
// because descriptors travel over a socket in a form (cmsg(3)) that consists of macros.

#include <stdint.h>

/// A call that waits for its answer: what the kernel says in `struct seccomp_notif`.
struct swb_notification {
    uint64_t id;
    uint32_t thread;       // who calls, as this program's process namespace numbers it
    int32_t number;        // of the call, on the interface it was made on
    uint32_t architecture; // AUDIT_ARCH_*
    uint32_t reserved;
    uint64_t arguments[6];
};

/// What becomes of the call.
struct swb_answer {
    uint64_t id;
    int64_t value;
    int32_t error;    // an errno, or 0
    uint32_t proceed; // 1: the kernel carries the call out as if nobody had asked
};

/// Takes the listener that the step's process has sent. Returns the descriptor, or a negative errno: the one that the
/// process had instead of a listener, or EPIPE when the process is gone. Without anything to take it is EAGAIN.
int swb_notify_accept(int channel);

/// Tells the process, which has no listener, whether to go on. Returns 0 or an errno.
int swb_notify_decide(int channel, int go_on);

/// The next call that waits. Returns 0 or an errno; ENOENT when its caller is gone.
int swb_notify_next(int listener, struct swb_notification *_Nonnull notification);

/// Answers a call. Returns 0 or an errno; ENOENT when its caller is gone.
int swb_notify_answer(int listener, const struct swb_answer *_Nonnull answer);

/// Whether the call still waits: if so, what was read from its thread's memory by number was that thread's.
int swb_notify_waits(int listener, uint64_t id);

#endif
