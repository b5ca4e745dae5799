#define _GNU_SOURCE
// The step's root: where it is put together, and how it takes the place of the host's.

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

// <sys/mount.h> has it, but not beside <linux/mount.h>.
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

/// The staging area itself, over a directory.
static int mount_staging_area(struct swb_setup *setup, int directory) {
    static const char *const options[] = {"mode", "700", "size", "256m"};
    static const char *const no_swap[] = {"mode", "700", "size", "256m", "noswap", NULL};
    struct swb_operation tmpfs = {.source = "tmpfs", .list = no_swap, .list_count = 6};
    int mount = swb_new_file_system(&tmpfs);
    if (mount < 0) {
        // noswap is newer than 6.3, and not for user namespaces.
        tmpfs.list = options;
        tmpfs.list_count = 4;
        mount = swb_new_file_system(&tmpfs);
        setup->compromises |= SWB_COMPROMISE_SWAP;
    }
    if (mount < 0) return -mount;
    setup->staging = fcntl(mount, F_DUPFD_CLOEXEC, 3);
    if (setup->staging < 0) {
        int error = errno;
        close(mount);
        return error;
    }
    return swb_attach_at(mount, directory, "");
}

/// The skeleton: what stands for the root until that is there, so that the kernel's file systems can be mounted and
/// their parts hidden before anybody knows the layers.
static int make_skeleton(struct swb_setup *setup, const struct swb_operation *operation) {
    if (mkdirat(setup->staging, "skeleton", 0700) != 0) return errno;
    setup->skeleton = openat(setup->staging, "skeleton", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (setup->skeleton < 0) return errno;
    for (uint32_t i = 0; i < operation->list_count; i++) {
        if (mkdirat(setup->skeleton, operation->list[i], 0700) != 0) return errno;
    }
    setup->root = setup->skeleton;
    bool mount_root;
    return swb_mount_id(setup->root, &setup->root_mount, &mount_root);
}

/// A private tmpfs over a directory that nobody else needs to see: the root is put together in it, and secrets and device
/// nodes have their place in it. It goes with the host's mounts when the root changes.
int swb_make_staging_area(struct swb_setup *setup, const struct swb_operation *operation) {
    setup->covered = open(operation->work, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (setup->covered < 0) return errno;
    int error = mount_staging_area(setup, setup->covered);
    if (error != 0) return error;

    if (mkdirat(setup->staging, "root", 0700) != 0 || mkdirat(setup->staging, "empty", 0555) != 0) return errno;
    int blank = openat(setup->staging, "blank", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0444);
    if (blank < 0) return errno;
    close(blank);
    return make_skeleton(setup, operation);
}

int swb_prepare_root(struct swb_setup *setup, const struct swb_operation *operation) {
    char path[40];
    struct swb_operation overlay = *operation;
    if ((operation->flags & SWB_FLAG_COVERED) != 0) {
        // The staging area hides the directory's name: it goes by its descriptor.
        overlay.work = swb_numbered(path, "/proc/self/fd/", (uint32_t)setup->covered);
    }
    int mount = swb_overlay(setup, &overlay);
    if (mount < 0) return -mount;
    setup->root = fcntl(mount, F_DUPFD_CLOEXEC, 3);
    if (setup->root < 0) {
        int error = errno;
        close(mount);
        return error;
    }
    int error = swb_attach_at(mount, setup->staging, "root");
    bool mount_root;
    return error != 0 ? error : swb_mount_id(setup->root, &setup->root_mount, &mount_root);
}

int swb_attach_skeleton(struct swb_setup *setup, const struct swb_operation *operation) {
    int mount = openat(setup->skeleton, operation->relative, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return mount < 0 ? errno : swb_attach(setup, operation, mount);
}

/// The root of the initial RAM file system cannot be pivoted away from. Moving the new root over it is as good there,
/// and only there: elsewhere what is beneath would stay within reach of chroot(2).
static int move_over_root(void) {
    struct statfs root;
    if (statfs("/", &root) != 0) return errno;
    if (root.f_type != RAMFS_MAGIC && root.f_type != TMPFS_MAGIC) return EINVAL;
    if (syscall(SYS_mount, ".", "/", NULL, MS_MOVE, NULL) != 0) return errno;
    return chroot(".") == 0 && chdir("/") == 0 ? 0 : errno;
}

int swb_change_root(struct swb_setup *setup) {
    // Not the step's own: something of the build file's may be mounted over that.
    setup->host_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct statfs proc;
    if (setup->host_proc >= 0 && (fstatfs(setup->host_proc, &proc) != 0 || proc.f_type != PROC_SUPER_MAGIC)) {
        close(setup->host_proc);
        setup->host_proc = -1;
    }
    close(setup->staging);
    close(setup->skeleton);
    close(setup->covered);
    setup->staging = setup->skeleton = setup->covered = -1;
    if (fchdir(setup->root) != 0) return errno;
    // pivot_root(2), "pivot_root(".", ".")": the old root ends up on top of the new one, and is taken off.
    if (syscall(SYS_pivot_root, ".", ".") != 0) {
        if (errno != EINVAL) return errno;
        setup->compromises |= SWB_COMPROMISE_ROOT;
        return move_over_root();
    }
    if (syscall(SYS_umount2, ".", MNT_DETACH) != 0) return errno;
    return chdir("/") == 0 ? 0 : errno;
}
