#define _GNU_SOURCE
// Paths inside the step's root. They come from a build file and from what earlier steps left behind, so the kernel
// resolves them as if the root were "/": a link or ".." cannot lead out, nor can the links of /proc.

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The kernel gives up with EAGAIN when a rename elsewhere could have moved a component out while it looked at "..".
enum { RESOLUTION_ATTEMPTS = 64 };

int swb_open_beneath(int root, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve,
    };
    if (path == NULL || path[0] == '\0') path = ".";
    for (int attempt = 0; attempt < RESOLUTION_ATTEMPTS; attempt++) {
        long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0) return (int)fd;
        if (errno != EAGAIN && errno != EINTR) return -errno;
    }
    return -EAGAIN;
}

int swb_is_directory(int fd, bool *directory) {
    struct stat status;
    if (fstat(fd, &status) != 0) return errno;
    *directory = S_ISDIR(status.st_mode);
    return 0;
}

int swb_mount_id(int fd, uint64_t *id, bool *mount_root) {
    struct statx status;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &status) != 0) return errno;
    *id = status.stx_mnt_id;
    *mount_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    return 0;
}

const char *swb_numbered(char *buffer, const char *prefix, uint32_t number) {
    size_t length = strlen(prefix);
    memcpy(buffer, prefix, length);
    char digits[10];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0) buffer[length++] = digits[--count];
    buffer[length] = '\0';
    return buffer;
}

/// Makes one missing component and opens it. Never through a symbolic link.
static int make_component(int parent, const char *name, bool directory) {
    if (strcmp(name, "..") == 0) return -EINVAL;
    if (directory) {
        if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST) return -errno;
    } else {
        int made = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (made < 0 && errno != EEXIST) return -errno;
        if (made >= 0) close(made);
    }
    int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (directory ? O_DIRECTORY : 0));
    return fd < 0 ? -errno : fd;
}

/// Cuts the last component off `path`; returns where it starts.
static size_t parent_length(const char *path, size_t length) {
    while (length > 0 && path[length - 1] == '/') length--;
    while (length > 0 && path[length - 1] != '/') length--;
    return length;
}

/// Makes what is missing of a path. In the root itself only when `in_root`: mount points leave no trace in a layer.
static int make_path(struct swb_setup *setup, const char *path, bool directory, bool in_root) {
    char buffer[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof buffer) return -ENAMETOOLONG;

    size_t existing = length;
    int fd = -ENOENT;
    while (fd == -ENOENT) {
        existing = parent_length(path, existing);
        memcpy(buffer, path, existing);
        buffer[existing] = '\0';
        fd = swb_open_beneath(setup->root, buffer, O_PATH | O_DIRECTORY, 0);
        if (existing == 0) break;
    }
    if (fd < 0) return fd;

    uint64_t mount;
    bool ignored;
    int error = swb_mount_id(fd, &mount, &ignored);
    if (error == 0 && !in_root && mount == setup->root_mount) error = ENOENT;

    memcpy(buffer, path, length + 1);
    char *rest = buffer + existing;
    while (error == 0 && *rest != '\0') {
        char *end = strchrnul(rest, '/');
        bool last = end[strspn(end, "/")] == '\0';
        char *next = *end == '\0' ? end : end + 1;
        *end = '\0';
        if (rest[0] != '\0' && strcmp(rest, ".") != 0) {
            int made = make_component(fd, rest, directory || !last);
            close(fd);
            fd = made;
            if (fd < 0) return fd;
        }
        rest = next;
    }
    if (error == 0) return fd;
    close(fd);
    return -error;
}

int swb_open_target(struct swb_setup *setup, const struct swb_operation *operation, bool directory) {
    uint64_t resolve = (operation->flags & SWB_FLAG_NO_SYMLINKS) != 0 ? RESOLVE_NO_SYMLINKS : 0;
    int fd = swb_open_beneath(setup->root, operation->target, O_PATH, resolve);
    if (fd == -ENOENT) fd = make_path(setup, operation->target, directory, false);
    if (fd < 0) {
        setup->detail = SWB_DETAIL_TARGET;
        return fd;
    }
    uint64_t mount;
    bool mount_root;
    int error = swb_mount_id(fd, &mount, &mount_root);
    // The root of the step is not to be covered: what is below would still be the root.
    if (error == 0 && mount_root && mount == setup->root_mount) error = EBUSY;
    if (error == 0) return fd;
    close(fd);
    return -error;
}

int swb_open_working_directory(struct swb_setup *setup, const char *path) {
    int fd = swb_open_beneath(setup->root, path, O_PATH | O_DIRECTORY, 0);
    return fd == -ENOENT ? make_path(setup, path, true, true) : fd;
}
