#ifndef SWBUILD_CSHIMS_NETWORK_H
#define SWBUILD_CSHIMS_NETWORK_H

// Network namespaces and the programs that give them a way out.

#include <stdint.h>

/// A new network namespace in which the loopback interface is up; a descriptor, or a negative errno.
///
/// In C because it needs a thread that ends in the new namespace: an ordinary user's program cannot go back to the one it
/// came from, and no thread of Swift's may be left behind in it.
int swb_new_network(void);

/// A program to be started beside the steps.
struct swb_helper {
    const char *_Nonnull program;
    char *_Nullable const *_Nonnull arguments;
    char *_Nullable const *_Nonnull environment;
    // Descriptors, all of them 5 or above. The program has the first three under the numbers that are named here.
    int errors;   // 2
    int network;  // 3
    int ready;    // 4
    int report;   // takes the program's wait status, an int32_t, when it ends
    int lifeline; // the reading end of a pipe: when the last writing end is closed, the program is killed
};

/// The number under which a helper has a descriptor.
enum swb_helper_descriptor { SWB_HELPER_NETWORK = 3, SWB_HELPER_READY = 4 };

/// Starts a helper in a process namespace of its own. Returns 0 or an errno; on success the id of the process that keeps it
/// and a pidfd of that are stored.
///
/// That process, a copy of this one, is PID 1 of the namespace. It ends when the lifeline is cut, hence also when this
/// program is killed, and the kernel kills the helper with it, whatever user the helper has become or however it went into
/// the background. In C for the same reason as the steps' PID 1: it is a clone of a program with many threads.
int swb_start_helper(const struct swb_helper *_Nonnull helper, int *_Nonnull pid, int *_Nonnull pidfd);

#endif
