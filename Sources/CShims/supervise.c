#define _GNU_SOURCE
#include "cshims_supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { PATH_SIZE = 40, PAGE_SIZE_LEAST = 4096 };

static long result(long value) { return value < 0 ? -(long)errno : value; }

long swb_read_memory(pid_t process, uint64_t address, void *buffer, size_t size) {
    size_t done = 0;
    /* Page by page: of a transfer that runs into an unmapped page the kernel reports nothing for the piece. */
    while (done < size) {
        uint64_t from = address + done;
        size_t piece = PAGE_SIZE_LEAST - (size_t)(from % PAGE_SIZE_LEAST);
        if (piece > size - done) piece = size - done;
        struct iovec local = {.iov_base = (char *)buffer + done, .iov_len = piece};
        struct iovec remote = {.iov_base = (void *)(uintptr_t)from, .iov_len = piece};
        ssize_t got = process_vm_readv(process, &local, 1, &remote, 1, 0);
        if (got <= 0) return done > 0 ? (long)done : -(long)errno;
        done += (size_t)got;
    }
    return (long)done;
}

long swb_write_memory(pid_t process, uint64_t address, const void *buffer, size_t size) {
    struct iovec local = {.iov_base = (void *)(uintptr_t)buffer, .iov_len = size};
    struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
    ssize_t written = process_vm_writev(process, &local, 1, &remote, 1, 0);
    if (written < 0) return -(long)errno;
    return (size_t)written == size ? written : -(long)EFAULT;
}

/* The calls for attributes refuse descriptors of O_PATH; procfs leads to their file all the same. */
static const char *path_of(int file, char *buffer) {
    (void)snprintf(buffer, PATH_SIZE, "/proc/self/fd/%d", file);
    return buffer;
}

long swb_get_attribute(int file, const char *name, void *value, size_t size) {
    char path[PATH_SIZE];
    return result(getxattr(path_of(file, path), name, value, size));
}

int swb_set_attribute(int file, const char *name, const void *value, size_t size) {
    char path[PATH_SIZE];
    return (int)result(setxattr(path_of(file, path), name, value, size, 0));
}

int swb_remove_attribute(int file, const char *name) {
    char path[PATH_SIZE];
    return (int)result(removexattr(path_of(file, path), name));
}

int swb_write_stat(pid_t process, uint64_t address, int file, const struct swb_appearance *seen) {
    struct stat status;
    if (fstatat(file, "", &status, AT_EMPTY_PATH) != 0) return -errno;
    if (seen->type != 0) {
        status.st_mode = (status.st_mode & ~(mode_t)S_IFMT) | seen->type;
        status.st_rdev = makedev(seen->major, seen->minor);
    }
    if (seen->has_owner != 0) {
        status.st_uid = seen->uid;
        status.st_gid = seen->gid;
    }
    long written = swb_write_memory(process, address, &status, sizeof status);
    return written < 0 ? (int)written : 0;
}

int swb_write_statx(pid_t process, uint64_t address, int file, uint32_t mask, const struct swb_appearance *seen) {
    struct statx status;
    if (statx(file, "", AT_EMPTY_PATH, mask | STATX_TYPE | STATX_MODE, &status) != 0) return -errno;
    if (seen->type != 0) {
        status.stx_mode = (uint16_t)((status.stx_mode & ~S_IFMT) | seen->type);
        status.stx_rdev_major = seen->major;
        status.stx_rdev_minor = seen->minor;
    }
    if (seen->has_owner != 0) {
        status.stx_uid = seen->uid;
        status.stx_gid = seen->gid;
    }
    long written = swb_write_memory(process, address, &status, sizeof status);
    return written < 0 ? (int)written : 0;
}

int swb_was_made_since(int file, int64_t seconds, uint32_t nanoseconds) {
    struct statx status;
    if (statx(file, "", AT_EMPTY_PATH, STATX_BTIME, &status) != 0 || (status.stx_mask & STATX_BTIME) == 0) return -1;
    if (status.stx_btime.tv_sec != seconds) return status.stx_btime.tv_sec > seconds;
    return status.stx_btime.tv_nsec >= nanoseconds;
}

int swb_first_two_bytes(int file, unsigned char *bytes) {
    char path[PATH_SIZE];
    int opened = open(path_of(file, path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) return -errno;
    ssize_t got = pread(opened, bytes, 2, 0);
    int failure = got < 0 ? -errno : got < 2 ? -EIO : 0;
    close(opened);
    return failure;
}
