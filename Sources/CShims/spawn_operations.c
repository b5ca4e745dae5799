#define _GNU_SOURCE
// The operations of a plan, one function each.

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NAME_SIZE = 24 };

static int private_mounts(void) {
    return syscall(SYS_mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 ? 0 : errno;
}

static int set_host_name(const struct swb_operation *operation) {
    if (syscall(SYS_sethostname, operation->data, operation->data_length) != 0) return errno;
    return syscall(SYS_setdomainname, "", 0) == 0 ? 0 : errno;
}

static int mount_file_system(struct swb_setup *setup, const struct swb_operation *operation) {
    int mount = swb_new_file_system(operation);
    if (mount == -EPERM && operation->relative != NULL) {
        mount = swb_clone_mount(AT_FDCWD, operation->relative, operation->attributes, true);
        setup->compromises |= SWB_COMPROMISE_SYSFS;
    }
    return mount < 0 ? -mount : swb_attach(setup, operation, mount);
}

/// A node in the staging area, bound to its place: the file system it is bound into stays "nodev". Where nodes cannot be
/// made (user namespaces), the host's own, read-only: its mode and owner are not the step's to change, and what is written
/// to a device does not count as writing to the file system.
static int device(struct swb_setup *setup, const struct swb_operation *operation) {
    char name[NAME_SIZE];
    swb_numbered(name, "device", setup->index);
    int mount;
    if (mknodat(setup->staging, name, operation->mode, (dev_t)operation->device) == 0) {
        mount = swb_clone_mount(setup->staging, name, operation->attributes, false);
    } else if (errno == EPERM) {
        mount = swb_clone_mount(AT_FDCWD, operation->source, operation->attributes | MOUNT_ATTR_RDONLY, false);
    } else {
        mount = -errno;
    }
    return mount < 0 ? -mount : swb_attach(setup, operation, mount);
}

static int symbolic_link(struct swb_setup *setup, const struct swb_operation *operation) {
    int directory = swb_open_beneath(setup->root, operation->target, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    if (directory < 0) return -directory;
    int error = symlinkat(operation->source, directory, operation->relative) == 0 ? 0 : errno;
    close(directory);
    return error;
}

/// Covers a file or a directory with an empty one.
static int mask(struct swb_setup *setup, const struct swb_operation *operation) {
    int target = swb_open_beneath(setup->root, operation->target, O_PATH, RESOLVE_NO_SYMLINKS);
    if (target == -ENOENT || target == -ENOTDIR) return 0;
    if (target < 0) return -target;
    bool directory;
    int error = swb_is_directory(target, &directory);
    if (error == 0) {
        int mount = swb_clone_mount(setup->staging, directory ? "empty" : "blank", operation->attributes, false);
        error = mount < 0 ? -mount : swb_attach_at(mount, target, "");
    }
    close(target);
    return error;
}

/// Puts a read-only copy of a place over itself.
static int read_only(struct swb_setup *setup, const struct swb_operation *operation) {
    int target = swb_open_beneath(setup->root, operation->target, O_PATH, RESOLVE_NO_SYMLINKS);
    if (target == -ENOENT || target == -ENOTDIR) return 0;
    if (target < 0) return -target;
    int mount = swb_clone_mount(target, "", operation->attributes, true);
    int error = mount < 0 ? -mount : swb_attach_at(mount, target, "");
    close(target);
    return error;
}

/// A copy of a mount of the host's. What is mounted beneath it belongs to it in a user namespace: the kernel lets nobody
/// there see what the other mounts hide.
static int clone_source(int source, const struct swb_operation *operation) {
    bool recursive = (operation->flags & SWB_FLAG_RECURSIVE) != 0;
    int mount = swb_clone_mount(source, "", operation->attributes, recursive);
    return mount == -EINVAL && !recursive ? swb_clone_mount(source, "", operation->attributes, true) : mount;
}

/// Mounts what is at `relative` beneath a directory or mount; nothing outside of it can be reached by that path.
static int bind_beneath(struct swb_setup *setup, const struct swb_operation *operation, int base) {
    int source = swb_open_beneath(base, operation->relative, O_PATH, 0);
    if (source < 0) {
        setup->detail = SWB_DETAIL_SOURCE;
        return -source;
    }
    int mount = clone_source(source, operation);
    close(source);
    return mount < 0 ? -mount : swb_attach(setup, operation, mount);
}

/// Whether an open file is the device that Swift saw at its path: it is this one that gets mounted.
static int check_device(const struct swb_operation *operation, int fd) {
    struct stat status;
    if (fstat(fd, &status) != 0) return errno;
    bool same = (status.st_mode & S_IFMT) == operation->mode && status.st_rdev == (dev_t)operation->device;
    return same ? 0 : ENODEV;
}

static int bind_mount(struct swb_setup *setup, const struct swb_operation *operation) {
    int base = open(operation->source, O_PATH | O_CLOEXEC | (operation->relative == NULL ? 0 : O_DIRECTORY));
    if (base < 0) {
        setup->detail = SWB_DETAIL_SOURCE;
        return errno;
    }
    int error = (operation->flags & SWB_FLAG_DEVICE) != 0 ? check_device(operation, base) : 0;
    if (error != 0) {
        setup->detail = SWB_DETAIL_SOURCE;
    } else if (operation->relative == NULL) {
        int mount = clone_source(base, operation);
        error = mount < 0 ? -mount : swb_attach(setup, operation, mount);
    } else {
        error = bind_beneath(setup, operation, base);
    }
    close(base);
    return error;
}

/// What should have been an overlay of one directory of the host's, as it is.
static int bind_instead(struct swb_setup *setup, const struct swb_operation *operation) {
    struct swb_operation bind = *operation;
    bind.source = operation->list[0];
    bind.flags = 0;
    setup->compromises |= SWB_COMPROMISE_VIEW;
    return bind_mount(setup, &bind);
}

static int overlay_mount(struct swb_setup *setup, const struct swb_operation *operation) {
    int mount = swb_overlay(setup, operation);
    // The kernel takes not every file system as a layer, and in a user namespace none with other mounts beneath.
    // Two layers may not lie in one another: the empty one is in the state directory, which may be in the context.
    bool is_no_layer = mount == -EINVAL || mount == -ELOOP;
    if (is_no_layer && (operation->flags & SWB_FLAG_OR_BIND) != 0) return bind_instead(setup, operation);
    if (mount < 0) return -mount;
    if (operation->relative == NULL) return swb_attach(setup, operation, mount);

    // A part of it can be copied only once it is attached somewhere.
    char name[NAME_SIZE];
    swb_numbered(name, "overlay", setup->index);
    int base = fcntl(mount, F_DUPFD_CLOEXEC, 3);
    int error = base < 0 ? errno : 0;
    if (error == 0 && mkdirat(setup->staging, name, 0700) != 0) error = errno;
    if (error == 0) {
        error = swb_attach_at(mount, setup->staging, name);
        if (error == 0) error = bind_beneath(setup, operation, base);
    }
    if (base >= 0) close(base);
    return error;
}

static int write_file(const struct swb_operation *operation, int fd) {
    int error = swb_write_all(fd, operation->data, operation->data_length);
    if (error != 0) return error;
    if (fchown(fd, operation->uid, operation->gid) != 0) return errno;
    return fchmod(fd, operation->mode) == 0 ? 0 : errno;
}

static int staged_file(struct swb_setup *setup, const struct swb_operation *operation, const char *name) {
    int fd = openat(setup->staging, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    int error = write_file(operation, fd);
    close(fd);
    return error;
}

/// A file of the staging area, which is made where it is not there already.
static int file(struct swb_setup *setup, const struct swb_operation *operation) {
    char numbered[NAME_SIZE];
    const char *name = operation->relative;
    if (name == NULL) {
        name = swb_numbered(numbered, "file", setup->index);
        int error = staged_file(setup, operation, name);
        if (error != 0) return error;
    }
    int mount = swb_clone_mount(setup->staging, name, operation->attributes, false);
    return mount < 0 ? -mount : swb_attach(setup, operation, mount);
}

static int working_directory(struct swb_setup *setup, const struct swb_operation *operation) {
    int fd = swb_open_working_directory(setup, operation->target);
    if (fd < 0) return -fd;
    setup->working_directory = fd;
    return 0;
}

int swb_perform(struct swb_setup *setup, const struct swb_operation *operation) {
    switch ((enum swb_operation_kind)operation->kind) {
    case SWB_PRIVATE_MOUNTS: return private_mounts();
    case SWB_HOSTNAME: return set_host_name(operation);
    case SWB_LOOPBACK_UP: return swb_bring_loopback_up();
    case SWB_STAGING: return swb_make_staging_area(setup, operation);
    case SWB_ROOT_OVERLAY: return swb_prepare_root(setup, operation);
    case SWB_ATTACH: return swb_attach_skeleton(setup, operation);
    case SWB_FILE_SYSTEM: return mount_file_system(setup, operation);
    case SWB_DEVICE: return device(setup, operation);
    case SWB_SYMLINK: return symbolic_link(setup, operation);
    case SWB_MASK: return mask(setup, operation);
    case SWB_READ_ONLY: return read_only(setup, operation);
    case SWB_BIND: return bind_mount(setup, operation);
    case SWB_OVERLAY: return overlay_mount(setup, operation);
    case SWB_FILE: return file(setup, operation);
    case SWB_CHANGE_ROOT: return swb_change_root(setup);
    case SWB_WORKING_DIRECTORY: return working_directory(setup, operation);
    case SWB_STAGED_FILE: return staged_file(setup, operation, operation->relative);
    case SWB_RUNTIME_BUNDLE: return swb_make_runtime_bundle(setup, operation);
    }
    return ENOSYS;
}
