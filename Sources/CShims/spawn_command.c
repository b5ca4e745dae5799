#define _GNU_SOURCE
// The step's own process, from the finished sandbox to execve: streams, credentials, system call filter.

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void swb_fail(const struct swb_plan *plan, struct swb_report report) {
    report.failed = 1;
    ssize_t written;
    do written = write(plan->report, &report, sizeof report);
    while (written < 0 && errno == EINTR);
    _exit(127);
}

static int redirect_streams(const struct swb_plan *plan, int standard_input) {
    bool terminal = plan->terminal >= 0;
    int output = terminal ? standard_input : plan->standard_output;
    int error = terminal ? standard_input : plan->standard_error;
    if (dup2(standard_input, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0) return errno;
    int taken = terminal ? swb_take_terminal() : 0;
    if (taken != 0) return taken;
    // Whatever else is open closes at execve.
    return syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0 ? 0 : errno;
}

/// A session keyring of its own: the caller's keys are not the step's.
static int leave_keyring(struct swb_setup *setup) {
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) >= 0) return 0;
    // No keyrings in this kernel, or a filter around this program that keeps them from the step as well.
    if (errno == ENOSYS) return 0;
    if (errno != EPERM) return errno;
    setup->compromises |= SWB_COMPROMISE_KEYRING;
    return 0;
}

int swb_bound_capabilities(uint64_t kept) {
    for (unsigned long capability = 0; capability < 64; capability++) {
        int present = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (present < 0) break; // past the last capability this kernel knows
        if (present == 0 || (kept >> capability & 1) != 0) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return errno;
    }
    return 0;
}

/// Sets the effective and permitted sets to those of `wanted` that this process has; the inheritable set to nothing.
static int set_capabilities(uint64_t wanted) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &header, data) != 0) return errno;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        data[i].permitted &= (uint32_t)(wanted >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

/// The step's own limits, while the privilege to raise them is there.
static void set_limits(const struct swb_plan *plan) {
    for (uint32_t i = 0; i < plan->limit_count; i++) {
        struct rlimit64 limit = {.rlim_cur = plan->limits[i].soft, .rlim_max = plan->limits[i].hard};
        if (syscall(SYS_prlimit64, 0, plan->limits[i].resource, &limit, NULL) == 0) continue;
        swb_fail(plan, (struct swb_report){.stage = SWB_STAGE_LIMIT, .index = (int32_t)i, .error = errno});
    }
}

/// The user and groups of the step. The capabilities survive the change, the filter needs them; execve is not reached
/// with them. Raw calls: the C library's functions would tell threads that this process does not have.
static int set_identity(const struct swb_plan *plan) {
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    int error = swb_bound_capabilities(plan->capabilities);
    if (error != 0) return error;
    // A user namespace with one id has no right to change groups.
    if (plan->groups != NULL && syscall(SYS_setgroups, plan->group_count, plan->groups) != 0) return errno;
    if (syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) != 0) return errno;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return errno;
    if (syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) != 0) return errno;
    error = set_capabilities(~(uint64_t)0);
    if (error != 0) return error;
    return prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0 ? 0 : errno;
}

/// The filters go in while CAP_SYS_ADMIN is there: without it the kernel demands no_new_privs, and set-user-ID
/// programs would stop working.
static int install_filter(const struct swb_plan *plan) {
    if (plan->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    // First, while the other one does not stand in the way of it. Which one was first does not matter to a call: a refusal
    // goes before a question.
    int error = swb_install_supervising_filter(plan);
    if (error != 0 || plan->filter_length == 0) return error;
    struct sock_fprog program = {.len = plan->filter_length, .filter = (struct sock_filter *)plan->filter};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : errno;
}

int swb_drop_capabilities(uint64_t kept) {
    int error = swb_bound_capabilities(kept);
    return error != 0 ? error : set_capabilities(kept);
}

/// The descriptors that the stub needs, and closes itself.
static int keep_for_stub(const struct swb_plan *plan, const struct swb_setup *setup) {
    if (fcntl(plan->report, F_SETFD, 0) != 0) return errno;
    if (plan->label_count == 0) return 0;
    return fcntl(setup->host_proc, F_SETFD, 0) == 0 ? 0 : errno;
}

/// Tells when the command begins, and what setting the sandbox up has cost this process: none of that is the command's.
static void report_beginning(const struct swb_plan *plan, const struct swb_setup *setup) {
    struct timespec now = {0};
    struct rusage usage = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)getrusage(RUSAGE_SELF, &usage);
    struct swb_report report = {
        .begins = 1,
        .began = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
        .user_microseconds = (int64_t)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec,
        .system_microseconds = (int64_t)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec,
        .compromises = setup->compromises,
    };
    ssize_t written;
    do written = write(plan->report, &report, sizeof report);
    while (written < 0 && errno == EINTR);
}

void swb_become_command(const struct swb_plan *plan, struct swb_setup *setup, int standard_input) {
    struct swb_report report = {.stage = SWB_STAGE_STREAMS};
    (void)setsid();
    (void)umask((mode_t)plan->umask);
    if ((report.error = redirect_streams(plan, standard_input)) != 0) swb_fail(plan, report);
    if ((report.error = keep_for_stub(plan, setup)) != 0) swb_fail(plan, report);

    report.stage = SWB_STAGE_DIRECTORY;
    if (fchdir(setup->working_directory) != 0) {
        report.error = errno;
        swb_fail(plan, report);
    }
    set_limits(plan);
    report.stage = SWB_STAGE_CREDENTIALS;
    if ((report.error = leave_keyring(setup)) != 0) swb_fail(plan, report);
    if ((report.error = set_identity(plan)) != 0) swb_fail(plan, report);

    report.stage = SWB_STAGE_SECCOMP;
    if ((report.error = install_filter(plan)) != 0) swb_fail(plan, report);

    report.stage = SWB_STAGE_CREDENTIALS;
    if ((report.error = set_capabilities(plan->uid == 0 ? plan->capabilities : 0)) != 0) swb_fail(plan, report);
    report.stage = SWB_STAGE_EXECUTE;
    report_beginning(plan, setup);
    report.error = swb_start_stub(plan, setup);
    swb_fail(plan, report);
}
