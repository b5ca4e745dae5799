#define _GNU_SOURCE
// Landlock for the calling thread. In C because glibc has no wrappers for its calls, and syscall(2) is variadic, which
// Swift cannot call.

#include "cshims_files.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// Younger than Debian 12's headers: truncation by path (ABI 3), ioctl on devices (ABI 5).
#define FENCE_TRUNCATE (1ULL << 14)
#define FENCE_IOCTL_DEV (1ULL << 15)

// All by which a file system is changed, except for attributes, owners, modes and times, which Landlock leaves alone.
static uint64_t writes(long abi) {
    uint64_t rights = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE
        | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG
        | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK
        | LANDLOCK_ACCESS_FS_MAKE_SYM;
    // Links and renames from one directory to another: without it Landlock refuses them all.
    if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) rights |= FENCE_TRUNCATE;
    if (abi >= 5) rights |= FENCE_IOCTL_DEV;
    return rights;
}

static int restrict_to(int ruleset, int directory, uint64_t rights) {
    if (directory >= 0) {
        struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = directory};
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) return -errno;
    }
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) == 0) return 0;
    if (errno != EPERM) return -errno;
    // Who is not privileged gives up the privileges of programs that it executes. It is a thread's own attribute.
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
    return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : -errno;
}

int cshims_fence_writes(int directory) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 0) return -errno;
    // Without REFER, links between directories of one layer would be refused.
    if (abi < 2) return -EOPNOTSUPP;
    struct landlock_ruleset_attr attributes = {.handled_access_fs = writes(abi)};
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
    if (ruleset < 0) return -errno;
    int outcome = restrict_to(ruleset, directory, attributes.handled_access_fs);
    close(ruleset);
    return outcome;
}
