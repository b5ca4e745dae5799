#define _GNU_SOURCE
#include "cshims_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

_Static_assert(CSHIMS_RESOLVE_NO_MAGICLINKS == RESOLVE_NO_MAGICLINKS, "openat2");
_Static_assert(CSHIMS_RESOLVE_NO_SYMLINKS == RESOLVE_NO_SYMLINKS, "openat2");
_Static_assert(CSHIMS_RESOLVE_BENEATH == RESOLVE_BENEATH, "openat2");
_Static_assert(CSHIMS_RESOLVE_IN_ROOT == RESOLVE_IN_ROOT, "openat2");
_Static_assert(CSHIMS_O_PATH == O_PATH && CSHIMS_AT_EMPTY_PATH == AT_EMPTY_PATH, "openat");
_Static_assert(CSHIMS_SEEK_DATA == SEEK_DATA && CSHIMS_SEEK_HOLE == SEEK_HOLE, "lseek");

static long result(long value) { return value < 0 ? -(long)errno : value; }

int cshims_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    long descriptor;
    do {
        descriptor = syscall(SYS_openat2, directory, path, &how, sizeof how);
        /* EAGAIN: a rename elsewhere raced the walk, and the kernel could not tell whether it stayed beneath. */
    } while (descriptor < 0 && (errno == EINTR || errno == EAGAIN));
    return (int)result(descriptor);
}

int cshims_status(int directory, const char *path, struct cshims_status *status) {
    struct statx found;
    /* With a name, the flag for the empty one only costs a look at the name more. */
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*path ? 0 : AT_EMPTY_PATH);
    if (statx(directory, path, flags, STATX_BASIC_STATS, &found) < 0) return -errno;
    *status = (struct cshims_status){
        .mode = found.stx_mode,
        .uid = found.stx_uid,
        .gid = found.stx_gid,
        .link_count = found.stx_nlink,
        .inode = found.stx_ino,
        .device = makedev(found.stx_dev_major, found.stx_dev_minor),
        .size = found.stx_size,
        .blocks = found.stx_blocks,
        .modified_seconds = found.stx_mtime.tv_sec,
        .changed_seconds = found.stx_ctime.tv_sec,
        .modified_nanoseconds = found.stx_mtime.tv_nsec,
        .changed_nanoseconds = found.stx_ctime.tv_nsec,
        .device_major = found.stx_rdev_major,
        .device_minor = found.stx_rdev_minor,
    };
    return 0;
}

/* FNV-1a: as good as the parts themselves where few bytes differ. */
static uint64_t digest(uint64_t value, const void *bytes, size_t size) {
    const unsigned char *next = bytes;
    for (size_t index = 0; index < size; index++) value = (value ^ next[index]) * 0x100000001b3;
    return value;
}

uint64_t cshims_identity(int directory, const char *path) {
    const uint64_t start = 0xcbf29ce484222325;
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } named;
    named.handle.handle_bytes = MAX_HANDLE_SZ;
    int mount;
    int flags = *path ? 0 : AT_EMPTY_PATH;
    if (name_to_handle_at(directory, path, &named.handle, &mount, flags) == 0) {
        uint64_t kind = digest(start, &named.handle.handle_type, sizeof named.handle.handle_type);
        return digest(kind, named.handle.f_handle, named.handle.handle_bytes) | 1;
    }
    struct statx found;
    if (statx(directory, path, AT_SYMLINK_NOFOLLOW | flags, STATX_BTIME, &found) < 0) return 0;
    if ((found.stx_mask & STATX_BTIME) == 0) return 0;
    uint64_t seconds = digest(start, &found.stx_btime.tv_sec, sizeof found.stx_btime.tv_sec);
    return digest(seconds, &found.stx_btime.tv_nsec, sizeof found.stx_btime.tv_nsec) | 1;
}

long cshims_getdents(int directory, void *buffer, size_t size) {
    return result(getdents64(directory, buffer, size));
}

struct cshims_dirent cshims_dirent_at(const void *buffer) {
    const struct dirent64 *entry = buffer;
    return (struct cshims_dirent){
        .record_length = entry->d_reclen,
        .type = entry->d_type,
        .name = entry->d_name,
    };
}

// listxattrat is newer than the headers of most machines; its number is the same on all.
#ifndef SYS_listxattrat
#define SYS_listxattrat 465
#endif

long cshims_attribute_list_length(int directory, const char *name) {
    return result(syscall(SYS_listxattrat, directory, name, AT_SYMLINK_NOFOLLOW, NULL, (size_t)0));
}

long cshims_llistxattr(const char *path, void *list, size_t size) {
    return result(llistxattr(path, list, size));
}

long cshims_lgetxattr(const char *path, const char *name, void *value, size_t size) {
    return result(lgetxattr(path, name, value, size));
}

int cshims_lsetxattr(const char *path, const char *name, const void *value, size_t size) {
    return (int)result(lsetxattr(path, name, value, size, 0));
}

int cshims_lremovexattr(const char *path, const char *name) {
    return (int)result(lremovexattr(path, name));
}

long cshims_fgetxattr(int file, const char *name, void *value, size_t size) {
    return result(fgetxattr(file, name, value, size));
}

int cshims_fsetxattr(int file, const char *name, const void *value, size_t size) {
    return (int)result(fsetxattr(file, name, value, size, 0));
}

int cshims_fremovexattr(int file, const char *name) {
    return (int)result(fremovexattr(file, name));
}

int cshims_mknod(int directory, const char *name, uint32_t mode, uint32_t major, uint32_t minor) {
    return (int)result(mknodat(directory, name, mode, makedev(major, minor)));
}

int cshims_set_times(int directory, const char *name, int64_t seconds) {
    struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    return (int)result(utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW));
}

int cshims_begin_writeback(int file, int64_t offset, int64_t count) {
    return (int)result(sync_file_range(file, offset, count, SYNC_FILE_RANGE_WRITE));
}

int cshims_mark_top_directory(int directory) {
    int flags = 0;
    if (ioctl(directory, FS_IOC_GETFLAGS, &flags) < 0) return -errno;
    flags |= FS_TOPDIR_FL;
    return (int)result(ioctl(directory, FS_IOC_SETFLAGS, &flags));
}
