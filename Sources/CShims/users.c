#define _GNU_SOURCE
#include "cshims_users.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Waits for the end of the pipe: it comes with the parent's end, too. Async-signal-safe calls only. */
_Noreturn static void hold(int pipe_reader, int pipe_writer) {
    close(pipe_writer);
    char byte;
    ssize_t got;
    do got = read(pipe_reader, &byte, 1);
    while (got < 0 && errno == EINTR);
    _exit(0);
}

int swb_hold_user_namespace(struct swb_holder *holder) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    int pidfd = -1;
    struct clone_args arguments = {
        .flags = CLONE_NEWUSER | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        /* No signal at the end, as with steps: it could end this program, or not, as its caller left SIGCHLD. */
        .exit_signal = 0,
    };
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) hold(ends[0], ends[1]);
    int error = child < 0 ? errno : 0;
    close(ends[0]);
    if (error != 0) {
        close(ends[1]);
        return error;
    }
    *holder = (struct swb_holder){.pid = (pid_t)child, .pidfd = pidfd, .release = ends[1]};
    return 0;
}

int swb_join_user_namespace(const struct swb_holder *holder) {
    return setns(holder->pidfd, CLONE_NEWUSER) == 0 ? 0 : errno;
}

void swb_release_user_namespace(const struct swb_holder *holder) {
    close(holder->release);
    while (waitpid(holder->pid, NULL, __WALL) < 0 && errno == EINTR) {
    }
    close(holder->pidfd);
}
