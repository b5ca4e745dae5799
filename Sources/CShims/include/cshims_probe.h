#ifndef SWBUILD_CSHIMS_PROBE_H
#define SWBUILD_CSHIMS_PROBE_H

// Trying what the machine allows, in a child that ends afterwards: a process with threads, as this one, may not enter a
// user namespace, and what was entered could not be left.

#include <stdint.h>

struct swb_probe {
    uint32_t own_users; // 0 or 1: in a user namespace with a map of one id
    uint32_t uid;       // outside, for that map
    uint32_t gid;
    const char *_Nonnull directory; // where the following are, by their names
    // Directories for an overlay; the last one is for mount points.
    const char *_Nonnull lower;
    const char *_Nonnull upper;
    const char *_Nonnull work;
    const char *_Nonnull scratch;
};

/// An errno for each thing that was tried, 0 where it worked, -1 where it was not reached.
struct swb_probe_result {
    int32_t user_namespace;
    int32_t id_map;
    int32_t namespaces;
    int32_t overlay;
};

/// Tries it. Returns 0 or the errno of starting the child.
int swb_try(const struct swb_probe *_Nonnull probe, struct swb_probe_result *_Nonnull result);

/// The version of Landlock's interface, or a negative errno.
int swb_landlock_version(void);

#endif
