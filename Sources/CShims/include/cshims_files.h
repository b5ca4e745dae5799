#ifndef SWBUILD_CSHIMS_FILES_H
#define SWBUILD_CSHIMS_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Every function returns a value of zero or more, or a negated errno. None prints, allocates or keeps state. */

/* What statx(2) says of a file. Swift cannot import `struct statx`: it is behind _GNU_SOURCE. */
struct cshims_status {
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t link_count;
    uint64_t inode;
    uint64_t device;
    uint64_t size;
    uint64_t blocks;
    int64_t modified_seconds;
    int64_t changed_seconds;
    uint32_t modified_nanoseconds;
    uint32_t changed_nanoseconds;
    uint32_t device_major;
    uint32_t device_minor;
};

/* The RESOLVE_* bits of openat2(2), as constants that Swift can see. */
enum {
    CSHIMS_RESOLVE_NO_MAGICLINKS = 0x02,
    CSHIMS_RESOLVE_NO_SYMLINKS = 0x04,
    CSHIMS_RESOLVE_BENEATH = 0x08,
    CSHIMS_RESOLVE_IN_ROOT = 0x10,
};

/* O_PATH, AT_EMPTY_PATH and friends are behind _GNU_SOURCE too. */
enum {
    CSHIMS_O_PATH = 010000000,
    CSHIMS_AT_EMPTY_PATH = 0x1000,
    CSHIMS_SEEK_DATA = 3,
    CSHIMS_SEEK_HOLE = 4,
};

/* openat2(2): glibc has no wrapper, and syscall(2) is variadic, which Swift cannot call. */
int cshims_openat2(int directory, const char *_Nonnull path, uint64_t flags, uint64_t mode, uint64_t resolve);

/* statx(2) that follows no link; the empty path is `directory` itself. */
int cshims_status(int directory, const char *_Nonnull path, struct cshims_status *_Nonnull status);

/* What tells a file from one that had its inode number before: a digest of the handle that the file system has for it
   (name_to_handle_at(2)), else of the time when it was made; 0 where there is neither. No link is followed; the empty path
   is `directory` itself. */
uint64_t cshims_identity(int directory, const char *_Nonnull path);

/* getdents64(2): records of `struct linux_dirent64`, whose name is a flexible array that Swift does not see. */
long cshims_getdents(int directory, void *_Nonnull buffer, size_t size);

/* The type (DT_*), the record's length and where its name begins in the record at `buffer`. */
struct cshims_dirent {
    uint16_t record_length;
    uint8_t type;
    const char *_Nonnull name;
};
struct cshims_dirent cshims_dirent_at(const void *_Nonnull buffer);

/* The length of the list of attributes of a name in a directory, or a negative errno: -ENOSYS before Linux 6.13. Links are
   not followed. */
long cshims_attribute_list_length(int directory, const char *_Nonnull name);
/* <sys/xattr.h> is no part of Swift's Glibc module. Links are not followed. */
long cshims_llistxattr(const char *_Nonnull path, void *_Nullable list, size_t size);
long cshims_lgetxattr(const char *_Nonnull path, const char *_Nonnull name, void *_Nullable value, size_t size);
int cshims_lsetxattr(const char *_Nonnull path, const char *_Nonnull name, const void *_Nullable value, size_t size);
int cshims_lremovexattr(const char *_Nonnull path, const char *_Nonnull name);
long cshims_fgetxattr(int file, const char *_Nonnull name, void *_Nullable value, size_t size);
int cshims_fsetxattr(int file, const char *_Nonnull name, const void *_Nullable value, size_t size);
int cshims_fremovexattr(int file, const char *_Nonnull name);

/* mknod(2) beneath a directory: makedev is a macro that Swift cannot import. */
int cshims_mknod(int directory, const char *_Nonnull name, uint32_t mode, uint32_t major, uint32_t minor);

/* utimensat(2) that follows no link and sets the modification time and the access time alike. */
int cshims_set_times(int directory, const char *_Nonnull name, int64_t seconds);

/* Has the kernel begin to write that part of a file to the disk, without waiting. glibc declares it for GNU sources
   only, which Swift's module of it is not. */
int cshims_begin_writeback(int file, int64_t offset, int64_t count);

/* Sets the attribute T of a directory (FS_TOPDIR_FL, chattr(1)); ioctl(2) is variadic, which Swift cannot call. */
int cshims_mark_top_directory(int directory);

/* Mounts the EROFS image in an open file, read-only and attached to nothing: a descriptor of the mount's root, with which
   it lives and ends, or a negated errno. */
int cshims_mount_erofs(int file);

/* Keeps the calling thread, for good, and all that it starts from changing any file system but beneath a directory, or at
   all where that is negative: 0, or a negated errno where the kernel has no Landlock that can do it (Linux 5.19). What is
   open already can be written to. */
int cshims_fence_writes(int directory);

#endif
