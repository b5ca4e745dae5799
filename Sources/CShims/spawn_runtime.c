#define _GNU_SOURCE
// The bundle for another runtime (runtime-spec, bundle.md). The step's root and mounts are put together as always, in a
// mount namespace of their own; but the root of the host stays, because the runtime and what it needs are there. It all
// lies in the staging area, a tmpfs: values of secrets are in config.json, and reach no disk.

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

/// The processes that the runtime sees must be those of its own namespace.
static int mount_own_processes(void) {
    struct swb_operation processes = {
        .source = "proc", .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
    };
    int mount = swb_new_file_system(&processes);
    if (mount < 0) return -mount;
    int directory = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        int error = errno;
        close(mount);
        return error;
    }
    int error = swb_attach_at(mount, directory, "");
    close(directory);
    return error;
}

/// Where version 1 of cgroups is mounted, with version 2 beside it, crun gives up. It does not miss what it cannot see.
static void hide_second_hierarchy(void) {
    struct statfs root, unified;
    if (statfs("/sys/fs/cgroup", &root) != 0 || root.f_type != TMPFS_MAGIC) return;
    if (statfs("/sys/fs/cgroup/unified", &unified) != 0 || unified.f_type != CGROUP2_SUPER_MAGIC) return;
    (void)syscall(SYS_umount2, "/sys/fs/cgroup/unified", MNT_DETACH);
}

static int write_configuration(struct swb_setup *setup, const struct swb_operation *operation) {
    int fd = openat(setup->staging, "config.json", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    int error = swb_write_all(fd, operation->data, operation->data_length);
    close(fd);
    return error;
}

int swb_make_runtime_bundle(struct swb_setup *setup, const struct swb_operation *operation) {
    int error = write_configuration(setup, operation);
    if (error == 0 && mkdirat(setup->staging, "state", 0700) != 0) error = errno;
    if (error == 0) error = mount_own_processes();
    if (error != 0) return error;
    hide_second_hierarchy();
    setup->working_directory = setup->staging;
    return 0;
}
