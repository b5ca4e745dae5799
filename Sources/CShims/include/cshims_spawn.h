#ifndef SWBUILD_CSHIMS_SPAWN_H
#define SWBUILD_CSHIMS_SPAWN_H

// Starting a build step. Swift decides what is to be done and lays it out in the flat structs below before the clone;
// the child walks through them. Swift cannot do the child's part: between clone3 and execve only async-signal-safe calls
// are allowed, and the Swift runtime allocates and takes locks wherever it likes.
//
// Process ids are plain int here: with <sys/types.h>, Swift would take the types of threads that it brings for this
// module's own, in whatever file comes to import it before Glibc.
//
// Every pointer stays valid until swb_spawn returns in the parent.

#include <stddef.h>
#include <stdint.h>

/// What an operation of the set-up does. The fields each of them reads are named here.
enum swb_operation_kind {
    SWB_PRIVATE_MOUNTS,    // (nothing)
    SWB_HOSTNAME,          // data
    SWB_LOOPBACK_UP,       // (nothing)
    SWB_STAGING,           // work (a directory to cover), list (the names of mount points to make in the skeleton)
    SWB_ROOT_OVERLAY,      // list (lower directories, top first), upper, work, attributes, flags
    SWB_ATTACH,            // relative (a mount point of the skeleton), target, flags
    SWB_FILE_SYSTEM,       // source (type), list (key, value or NULL, ...), relative (host path to bind if refused), target
    SWB_DEVICE,            // source (host path to bind if mknod is refused), device, mode (with its type), target
    SWB_SYMLINK,           // source (text), target (directory), relative (name)
    SWB_MASK,              // target
    SWB_READ_ONLY,         // target
    SWB_BIND,              // source (host path), relative (or NULL: all of it), target, attributes, flags, device, mode
    SWB_OVERLAY,           // list, upper and work (or NULL), relative (or NULL), target, attributes, flags
    SWB_FILE,              // data, mode, uid, gid, target, attributes; relative, where it is in the staging area already
    SWB_CHANGE_ROOT,       // (nothing)
    SWB_WORKING_DIRECTORY, // target
    SWB_STAGED_FILE,       // data, mode, uid, gid, relative (its name in the staging area): to be mounted later
    SWB_RUNTIME_BUNDLE,    // data (config.json): leaves the host's root as it is, for a runtime
};

enum swb_operation_flags {
    SWB_FLAG_RECURSIVE = 1,      // a bind takes the mounts beneath the source along
    SWB_FLAG_OPTIONAL = 2,       // a failure of this operation is not a failure of the plan
    SWB_FLAG_NO_SYMLINKS = 4,    // no component of the target may be a symbolic link
    SWB_FLAG_USER_XATTR = 8,     // overlay keeps its marks in user.overlay.* (user namespaces)
    SWB_FLAG_LEGACY_OVERLAY = 16, // mount the overlay the way kernels before 6.5 need it (tests)
    SWB_FLAG_COVERED = 32, // the overlay's work directory is the one that the staging area covers
    SWB_FLAG_OR_BIND = 64, // where the kernel makes no overlay of the first layer, that is bound
    SWB_FLAG_DEVICE = 256 // the source of a bind must be the device `device` of the type in `mode`
};

struct swb_operation {
    uint32_t kind;
    uint32_t flags;
    uint64_t attributes; // MOUNT_ATTR_* of the new mount
    uint64_t device;
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t list_count;
    const char *_Nullable const *_Nullable list;
    const char *_Nullable source;
    const char *_Nullable relative;
    const char *_Nullable target;
    const char *_Nullable upper;
    const char *_Nullable work;
    const uint8_t *_Nullable data;
    size_t data_length;
};

/// A limit of setrlimit(2).
struct swb_limit {
    uint32_t resource; // RLIMIT_*
    uint32_t reserved;
    uint64_t soft;
    uint64_t hard;
};

enum { SWB_STUB_ARGUMENT_SIZE = 64 };

struct swb_plan {
    uint32_t own_network; // 0 or 1: a new network namespace
    uint32_t own_users;   // 0 or 1: a user namespace. The others are always made.
    const struct swb_operation *_Nonnull operations;
    uint32_t operation_count;
    uint32_t first_operation; // the number of the first of them: how many the preparation of the step has carried out
    uint32_t umask;
    // A buffer of SWB_STUB_ARGUMENT_SIZE bytes; for each label the file below /proc that takes it and its text; what execve
    // tries, in order; then the program's arguments.
    char *_Nullable const *_Nonnull stub_arguments;
    uint32_t label_count;
    uint32_t candidate_count;
    char *_Nullable const *_Nonnull environment;
    uint32_t uid;
    uint32_t gid;
    const uint32_t *_Nullable groups;
    size_t group_count;
    uint64_t capabilities; // the bounding set; for uid 0 the permitted and effective sets as well
    const void *_Nullable filter; // struct sock_filter[]
    uint16_t filter_length;
    uint16_t supervising_filter_length;
    const void *_Nullable supervising_filter; // struct sock_filter[]: what it stops waits for an answer of this program
    uint8_t no_new_privileges;
    uint32_t limit_count;
    const struct swb_limit *_Nullable limits;
    // Descriptors, all of them 3 or above, or -1 where noted.
    int standard_output;
    int standard_error;
    int report;
    // The reading end of a pipe: the child carries out this plan's operations, waits for a byte, and goes on with the plan
    // that `next` names by then, which begins with the same ones. It ends where none comes. -1: this is the plan.
    int wake;
    const struct swb_plan *_Nullable *_Nullable next;
    int gate;   // -1: neither a user namespace nor cgroups to be put into, so nothing to wait for
    int parent; // a pidfd of this process
    int cgroup; // -1: the step stays in the caller's cgroup
    int network; // -1, or a network namespace to join
    int supervisor; // -1, or a socket (swb_socket_pair) that takes the listener of the supervising filter
    // The text of this program's own arguments, which the copy of its memory that becomes PID 1 must not show.
    char *_Nullable own_arguments;
    size_t own_arguments_length;
    uint8_t is_dumpable;       // 0 or 1: what this program's PR_GET_DUMPABLE was when it began
    uint8_t keeps_cgroup_view; // 0 or 1: no cgroup namespace
    uint8_t forwards_signals;  // 0 or 1: PID 1 passes signals that it gets on to the command
    int standard_input;        // -1: /dev/null
    int terminal;              // a socket that takes the master of a terminal made for the command; -1: no terminal
};

enum swb_stage {
    SWB_STAGE_NAMESPACE,
    SWB_STAGE_ID_MAP,
    SWB_STAGE_OPERATION,
    SWB_STAGE_STREAMS,
    SWB_STAGE_LIMIT,
    SWB_STAGE_CREDENTIALS,
    SWB_STAGE_SECCOMP,
    SWB_STAGE_DIRECTORY,
    SWB_STAGE_EXECUTE,
    SWB_STAGE_LABEL,
};

/// What a failure is about, where a number alone does not tell.
enum swb_detail {
    SWB_DETAIL_NONE,
    SWB_DETAIL_SOURCE,      // what was to be mounted is not there
    SWB_DETAIL_TARGET,      // the place where it was to be mounted is not there
    SWB_DETAIL_INTERPRETER, // the program is there, what it needs to run is not
};

/// What the child did in a weaker way than it would have, because the kernel refused the other one.
enum swb_compromise {
    SWB_COMPROMISE_SWAP = 1,    // files in memory may be swapped out
    SWB_COMPROMISE_SYSFS = 2,   // /sys is the host's, read-only
    SWB_COMPROMISE_KEYRING = 4, // no session keyring of its own
    SWB_COMPROMISE_ROOT = 8,    // the root was moved over that of the host, not changed
    SWB_COMPROMISE_VIEW = 16,   // sockets and pipes of a context lead to the host's programs
};

/// The only thing the child ever writes, at once (it is smaller than PIPE_BUF). One may say that the command begins; of those
/// that say how it ended, or what failed, the first one counts.
struct swb_report {
    int32_t failed; // 0: the command ended, status and usage are set
    int32_t stage;
    int32_t index; // of the operation, of the limit, of the label or of the execve candidate
    int32_t detail;
    int32_t error;
    int32_t status; // as wait(2) has it
    int64_t user_microseconds;
    int64_t system_microseconds;
    int64_t peak_bytes;
    int64_t began; // when the command was started, and when it had ended, in nanoseconds of CLOCK_MONOTONIC
    int64_t ended;
    uint32_t compromises;
    uint32_t begins; // 1: the command is about to begin; the times are those that its process has used so far
};

/// Starts a step. Where nothing has to be done to the child first, it returns when the sandbox is set up, and the child used
/// this program's memory meanwhile. Returns 0 or an errno; on success the process id and a pidfd (close-on-exec) are stored.
int swb_spawn(const struct swb_plan *_Nonnull plan, int *_Nonnull pid, int *_Nonnull pidfd);

// What follows wraps calls that Swift does not see: they are variadic, or GNU extensions that its C library module leaves
// out. Those that return a descriptor return a negative errno when they fail; all descriptors are close-on-exec.

/// Whether other programs of the same user may look into this one: PR_GET_DUMPABLE (prctl(2)).
int swb_is_dumpable(void);

/// A pidfd of a process.
int swb_pidfd_open(int pid);

/// A pipe, the reading end first. Returns 0 or an errno.
int swb_pipe(int ends[_Nonnull 2]);

/// A descriptor that becomes readable for good when something is written to it.
int swb_event(void);

/// A file in memory, for what a library will only write to a descriptor. The name is for people who look at /proc.
int swb_memory_file(const char *_Nonnull name);

/// A directory, to name it by its descriptor.
int swb_open_directory(const char *_Nonnull path);

/// Sends a signal through a pidfd. Returns 0 or an errno.
int swb_pidfd_kill(int pidfd, int signal);

/// Gives the calling thread a table of descriptors of its own, with nothing in it. Returns 0 or an errno.
int swb_leave_descriptors(void);

/// Takes all capabilities but some out of the calling thread's bounding set, which its children have too. Returns 0 or an
/// errno.
int swb_bound_capabilities(uint64_t kept);

/// The mount namespace of a process, or a negative errno: -ENOTTY before Linux 6.11.
int swb_mount_namespace(int pid);

/// A pair of connected sockets that can carry descriptors. Returns 0 or an errno.
int swb_socket_pair(int ends[_Nonnull 2]);

/// The descriptor that came through such a socket, or a negative errno: the one that was sent instead of a descriptor,
/// -EPIPE when the other end is closed, -EAGAIN when nothing has come.
int swb_receive_descriptor(int socket);

/// Gives a terminal the size of another one. Returns 0 or an errno.
int swb_copy_window_size(int from, int to);

/// Where this program's arguments lie as /proc/self/cmdline shows them; NULL when that cannot be told.
char *_Nullable swb_own_arguments(int count, size_t *_Nonnull length);

#endif
