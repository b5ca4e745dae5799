#define _GNU_SOURCE
// The mount API by descriptors: a mount is made or copied attached to nothing, given its attributes, and only then put
// in its place. At no time is there a mount in the tree that is writable but should not be.

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int swb_new_file_system(const struct swb_operation *operation) {
    long context = syscall(SYS_fsopen, operation->source, FSOPEN_CLOEXEC);
    if (context < 0) return -errno;
    int error = 0;
    for (uint32_t i = 0; error == 0 && i + 1 < operation->list_count; i += 2) {
        const char *key = operation->list[i], *value = operation->list[i + 1];
        unsigned command = value == NULL ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
        if (syscall(SYS_fsconfig, context, command, key, value, 0) != 0) error = errno;
    }
    if (error == 0 && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) error = errno;
    long mount = error == 0 ? syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, (unsigned)operation->attributes) : -1;
    if (error == 0 && mount < 0) error = errno;
    close((int)context);
    return error == 0 ? (int)mount : -error;
}

int swb_clone_mount(int fd, const char *path, uint64_t attributes, bool recursive) {
    unsigned depth = recursive ? AT_RECURSIVE : 0;
    long mount = syscall(SYS_open_tree, fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | depth);
    if (mount < 0) return -errno;
    struct mount_attr wanted = {.attr_set = attributes};
    if (attributes != 0
        && syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | depth, &wanted, sizeof wanted) != 0) {
        int error = errno;
        close((int)mount);
        return -error;
    }
    return (int)mount;
}

int swb_attach_at(int mount, int directory, const char *path) {
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (path[0] == '\0' ? MOVE_MOUNT_T_EMPTY_PATH : 0);
    int error = syscall(SYS_move_mount, mount, "", directory, path, flags) == 0 ? 0 : errno;
    close(mount);
    return error;
}

int swb_attach(struct swb_setup *setup, const struct swb_operation *operation, int mount) {
    bool directory;
    int error = swb_is_directory(mount, &directory);
    int target = error == 0 ? swb_open_target(setup, operation, directory) : -error;
    if (target < 0) {
        close(mount);
        return -target;
    }
    // The kernel says EINVAL for this, which would tell nobody anything.
    bool is_directory;
    error = swb_is_directory(target, &is_directory);
    if (error == 0 && is_directory != directory) error = directory ? ENOTDIR : EISDIR;
    if (error == 0) {
        error = swb_attach_at(mount, target, "");
    } else {
        close(mount);
    }
    close(target);
    return error;
}
