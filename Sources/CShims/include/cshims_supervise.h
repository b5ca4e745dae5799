#ifndef SWBUILD_CSHIMS_SUPERVISE_H
#define SWBUILD_CSHIMS_SUPERVISE_H

#include <stddef.h>
#include <stdint.h>

/* What the supervisor of a step's system calls needs of the kernel. process_vm_readv(2) and the like are behind
   _GNU_SOURCE, and <sys/xattr.h> is no part of Swift's Glibc module. Every function returns a value of zero or more, or a
   negated errno. */

/* Copies from the memory of a process: how many bytes, fewer where what follows is not mapped. */
long swb_read_memory(int process, uint64_t address, void *_Nonnull buffer, size_t size);

/* Copies to the memory of a process: how many bytes. */
long swb_write_memory(int process, uint64_t address, const void *_Nonnull buffer, size_t size);

/* The extended attributes of the file behind a descriptor, which may be one of O_PATH. */
long swb_get_attribute(int file, const char *_Nonnull name, void *_Nullable value, size_t size);
int swb_set_attribute(int file, const char *_Nonnull name, const void *_Nonnull value, size_t size);
int swb_remove_attribute(int file, const char *_Nonnull name);

/* What a process is to be told of a file in place of what the kernel says. */
struct swb_appearance {
    uint32_t type; /* S_IFCHR or S_IFBLK; 0 leaves type and device number as they are */
    uint32_t major;
    uint32_t minor;
    uint32_t has_owner;
    uint32_t uid;
    uint32_t gid;
};

/* Writes what stat(2) or statx(2) would say of a file that looks like this into the memory of a process, as the machine's
   own interface lays it out. */
int swb_write_stat(int process, uint64_t address, int file, const struct swb_appearance *_Nonnull seen);
int swb_write_statx(
    int process, uint64_t address, int file, uint32_t mask, const struct swb_appearance *_Nonnull seen
);

/* Whether the file behind a descriptor was made at a moment or later: 1 or 0; -1 where the file system does not know. */
int swb_was_made_since(int file, int64_t seconds, uint32_t nanoseconds);

/* The first two bytes of the file behind a descriptor of O_PATH, which the caller can read; -EIO where it is shorter. */
int swb_first_two_bytes(int file, unsigned char *_Nonnull bytes);

#endif
