#define _GNU_SOURCE
// A program that serves the steps and must not outlive this one. Asking the kernel for a signal at the parent's death does
// not do: that is forgotten when the program changes its user, and it ends with the thread that started it.

#include "cshims_network.h"
#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KERNEL_SIGNAL_SET_SIZE = 8 };

_Noreturn static void become_helper(const struct swb_helper *helper) {
    uint64_t none = 0;
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGNAL_SET_SIZE);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(helper->errors, 2) < 0
        || dup2(helper->network, SWB_HELPER_NETWORK) < 0 || dup2(helper->ready, SWB_HELPER_READY) < 0) {
        _exit(126);
    }
    (void)syscall(SYS_close_range, 5u, ~0u, 0);
    (void)execve(helper->program, helper->arguments, helper->environment);
    _exit(127);
}

/// Reaps, and says how the helper itself ended. Returns whether children are left.
static bool reap(const struct swb_helper *helper, pid_t started) {
    for (;;) {
        int status;
        pid_t ended = wait4(-1, &status, __WALL | WNOHANG, NULL);
        if (ended == 0) return true;
        if (ended < 0) return errno == EINTR;
        if (ended != started) continue;
        int32_t report = status;
        ssize_t ignored = write(helper->report, &report, sizeof report);
        (void)ignored;
    }
}

_Noreturn static void keep(const struct swb_helper *helper) {
    swb_reset_signals();
    uint64_t everything = ~(uint64_t)0;
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &everything, NULL, KERNEL_SIGNAL_SET_SIZE);
    (void)setsid();
    (void)prctl(PR_SET_NAME, "network", 0, 0, 0);
    int kept[] = {helper->errors, helper->network, helper->ready, helper->report, helper->lifeline};
    swb_close_all_but(kept, sizeof kept / sizeof kept[0]);
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    int ended = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    if (ended < 0) _exit(126);
    // The number that another descriptor may have by now: the helper's own are 5 and above.
    if (ended < 5) {
        int lifted = fcntl(ended, F_DUPFD_CLOEXEC, 5);
        if (lifted < 0) _exit(126);
        close(ended);
        ended = lifted;
    }
    pid_t started = vfork();
    if (started < 0) _exit(126);
    if (started == 0) become_helper(helper);
    close(helper->errors);
    close(helper->network);
    close(helper->ready);
    struct pollfd polled[] = {
        {.fd = helper->lifeline, .events = POLLIN},
        {.fd = ended, .events = POLLIN},
    };
    for (;;) {
        if (poll(polled, 2, -1) < 0 && errno != EINTR) _exit(126);
        if (polled[0].revents != 0) _exit(0);
        struct signalfd_siginfo information;
        while (read(ended, &information, sizeof information) > 0) {}
        if (!reap(helper, started)) _exit(0);
    }
}

int swb_start_helper(const struct swb_helper *helper, pid_t *pid, int *pidfd) {
    uint64_t everything = ~(uint64_t)0, previous = 0;
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &everything, &previous, KERNEL_SIGNAL_SET_SIZE) != 0) return errno;
    struct clone_args arguments = {
        .flags = CLONE_PIDFD | CLONE_NEWPID,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = 0,
    };
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) keep(helper);
    int error = child < 0 ? errno : 0;
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &previous, NULL, KERNEL_SIGNAL_SET_SIZE);
    if (error == 0) *pid = (pid_t)child;
    return error;
}
