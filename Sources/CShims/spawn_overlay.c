#define _GNU_SOURCE
// Overlay file systems (Documentation/filesystems/overlayfs.rst in the kernel's sources).

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// fsconfig takes strings of up to 255 bytes (fs/fsopen.c); mount(2) takes a page of options.
enum { FSCONFIG_STRING_MAXIMUM = 255, MOUNT_DATA_MAXIMUM = 4095, DESCRIPTOR_PATH_SIZE = 40 };

/// An option whose value is a host path. A path that is too long goes by way of a descriptor.
static int set_path(int context, const char *key, const char *path) {
    char buffer[DESCRIPTOR_PATH_SIZE];
    int fd = -1;
    if (strlen(path) > FSCONFIG_STRING_MAXIMUM) {
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return errno;
        path = swb_numbered(buffer, "/proc/self/fd/", (uint32_t)fd);
    }
    int error = syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, path, 0) == 0 ? 0 : errno;
    if (fd >= 0) close(fd);
    return error;
}

static int set_options(int context, const struct swb_operation *operation) {
    static const char *const fixed[][2] = {
        // What an earlier step put into a layer must not redirect the lookup, so that a layer is what its tar says.
        {"redirect_dir", "nofollow"},
        {"metacopy", "off"},
        {"index", "off"},
        {"xino", "off"},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, fixed[i][0], fixed[i][1], 0) != 0) return errno;
    }
    if ((operation->flags & SWB_FLAG_USER_XATTR) != 0
        && syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) != 0) {
        return errno;
    }
    for (uint32_t i = 0; i < operation->list_count; i++) {
        int error = set_path(context, "lowerdir+", operation->list[i]);
        if (error != 0) return error;
    }
    if (operation->upper == NULL) return 0;
    int error = set_path(context, "upperdir", operation->upper);
    if (error == 0) error = set_path(context, "workdir", operation->work);
    // No syncing at the end: a step that did not finish is thrown away as a whole.
    if (error == 0 && syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "volatile", NULL, 0) != 0) error = errno;
    return error;
}

struct text {
    char bytes[MOUNT_DATA_MAXIMUM + 1];
    size_t length;
};

static int append(struct text *text, const char *piece) {
    size_t length = strlen(piece);
    if (text->length + length > MOUNT_DATA_MAXIMUM) return E2BIG;
    memcpy(text->bytes + text->length, piece, length + 1);
    text->length += length;
    return 0;
}

/// Appends a directory by way of a descriptor: short, and free of characters that would need escaping.
static int append_directory(struct text *text, const char *prefix, const char *path) {
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    char buffer[DESCRIPTOR_PATH_SIZE];
    int error = append(text, prefix);
    return error != 0 ? error : append(text, swb_numbered(buffer, "/proc/self/fd/", (uint32_t)fd));
}

/// Kernels before 6.5 know no lowerdir+: everything goes into one string of mount(2), onto a directory of the staging
/// area. The descriptors stay open until the command's execve or the end of this process.
static int legacy_overlay(struct swb_setup *setup, const struct swb_operation *operation) {
    struct text data = {.length = 0};
    int error = append(&data, "redirect_dir=nofollow,metacopy=off,index=off,xino=off");
    if (error == 0 && (operation->flags & SWB_FLAG_USER_XATTR) != 0) error = append(&data, ",userxattr");
    for (uint32_t i = 0; error == 0 && i < operation->list_count; i++) {
        error = append_directory(&data, i == 0 ? ",lowerdir=" : ":", operation->list[i]);
    }
    if (operation->upper != NULL) {
        if (error == 0) error = append(&data, ",volatile");
        if (error == 0) error = append_directory(&data, ",upperdir=", operation->upper);
        if (error == 0) error = append_directory(&data, ",workdir=", operation->work);
    }
    if (error != 0) return -error;

    char name[DESCRIPTOR_PATH_SIZE], place[DESCRIPTOR_PATH_SIZE];
    swb_numbered(name, "legacy", setup->index);
    if (mkdirat(setup->staging, name, 0700) != 0) return -errno;
    int directory = openat(setup->staging, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return -errno;
    swb_numbered(place, "/proc/self/fd/", (uint32_t)directory);
    long mounted = syscall(SYS_mount, "overlay", place, "overlay", 0, data.bytes);
    error = mounted == 0 ? 0 : errno;
    close(directory);
    if (error != 0) return -error;
    // By its name, not by the descriptor: that one is beneath the mount.
    return swb_clone_mount(setup->staging, name, operation->attributes, false);
}

static int modern_overlay(const struct swb_operation *operation) {
    long context = syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
    if (context < 0) return -errno;
    int error = set_options((int)context, operation);
    if (error == 0 && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) error = errno;
    long mount = error == 0 ? syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, (unsigned)operation->attributes) : -1;
    if (error == 0 && mount < 0) error = errno;
    close((int)context);
    return error == 0 ? (int)mount : -error;
}

int swb_overlay(struct swb_setup *setup, const struct swb_operation *operation) {
    if ((operation->flags & SWB_FLAG_LEGACY_OVERLAY) == 0) {
        int mount = modern_overlay(operation);
        if (mount != -EINVAL) return mount;
    }
    return legacy_overlay(setup, operation);
}
