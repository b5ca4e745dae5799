#define _GNU_SOURCE
// An EROFS image as a mount that is attached to nothing. In C because syscall(2) is variadic, which Swift cannot call.

#include "cshims_files.h"

#include <errno.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int cshims_mount_erofs(int file) {
    // The file that is open, whatever its name stands for by now.
    char source[40];
    snprintf(source, sizeof source, "/proc/self/fd/%d", file);
    long context = syscall(SYS_fsopen, "erofs", FSOPEN_CLOEXEC);
    if (context < 0) return -errno;
    long mount = -1;
    if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", source, 0) == 0
        && syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0
        && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
        mount = syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
    }
    int error = mount < 0 ? errno : 0;
    close((int)context);
    return error == 0 ? (int)mount : -error;
}
