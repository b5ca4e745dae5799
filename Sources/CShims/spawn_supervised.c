#define _GNU_SOURCE
// The second filter of a step: the calls that it stops wait until the parent has answered. It is the command's process that
// installs it, and the kernel gives that process the descriptor on which the calls are heard of; the parent needs it.

#include "spawn_internal.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

// Of 5.19, which older headers lack.
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/// The listener, or a negative errno.
static int install(const struct swb_plan *plan) {
    struct sock_fprog program = {
        .len = plan->supervising_filter_length, .filter = (struct sock_filter *)plan->supervising_filter
    };
    // A signal that is caught must not begin a call anew that the parent is working on.
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (listener < 0 && errno == EINVAL) {
        flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
        listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    }
    return listener < 0 ? -errno : (int)listener;
}

/// Whether the parent wants the step without a listener.
static bool may_go_on(int channel) {
    char byte = 0;
    ssize_t got;
    do got = read(channel, &byte, 1);
    while (got < 0 && errno == EINTR);
    return got == 1 && byte == 1;
}

int swb_install_supervising_filter(const struct swb_plan *plan) {
    if (plan->supervisor < 0 || plan->supervising_filter_length == 0) return 0;
    int listener = install(plan);
    int error = swb_send_descriptor(plan->supervisor, listener);
    if (listener >= 0) {
        // With this copy gone, calls fail once the parent has closed its own, instead of waiting for ever.
        close(listener);
        return error;
    }
    if (error != 0) return error;
    return may_go_on(plan->supervisor) ? 0 : -listener;
}
