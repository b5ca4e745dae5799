#define _GNU_SOURCE
// Starting a step: clone in the parent, and the child that becomes PID 1 of the step's namespaces. It starts the process
// that sets the sandbox up and becomes the command, and becomes the stub, which reaps whatever becomes its child, reports
// how the command ended, and ends: then the kernel kills every process that is left. It is the stub before anything of the
// step is there: nothing of this program's memory and rights is ever within a command's reach.

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char *program_invocation_name;

enum { KERNEL_SIGNAL_SET_SIZE = 8, SIGNAL_COUNT = 64 };

// PIDFD_GET_MNT_NAMESPACE of <linux/pidfd.h>, which is newer than the headers of most machines.
#define GET_MOUNT_NAMESPACE _IO(0xFF, 3)

struct beginning;
_Noreturn static void become_init(struct beginning *beginning);

enum { NAMESPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC };

/// Room for the stacks of two processes that use this program's memory, PID 1 and the command's.
struct stacks {
    _Alignas(16) char init[32 << 10];
    _Alignas(16) char command[96 << 10];
};

/// What both are told.
struct beginning {
    const struct swb_plan *plan;
    struct stacks *stacks;
    struct swb_setup setup;
    int began[2];       // a pipe: PID 1 has its writing end until it is the stub
    int gone;           // the writing end of a pipe that nobody has any more when the command's process is the stub; or -1
    uint32_t done;      // how many operations PID 1 has carried out
    bool shares_memory; // with the program
};

static int begin_sharing(void *beginning) {
    become_init(beginning);
}

/// The child and the command's process use this program's memory until they execute the stub, and this thread waits until
/// then. Copying the page tables of a large program, and the page faults of its other threads afterwards, cost several
/// times what setting a sandbox up does.
static int spawn_sharing(const struct swb_plan *plan, int *pid, int *pidfd) {
    struct stacks stacks;
    int gone[2];
    if (pipe2(gone, O_CLOEXEC) != 0) return errno;
    struct beginning beginning = {.plan = plan, .stacks = &stacks, .gone = gone[1], .shares_memory = true};
    // No signal at its end, here too.
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | NAMESPACES | (plan->own_network ? CLONE_NEWNET : 0);
    int child = clone(begin_sharing, stacks.init + sizeof stacks.init, flags, &beginning, pidfd);
    int error = child < 0 ? errno : 0;
    // PID 1 is the stub by now. The command's process has the writing end until it is, too. It also has this thread's
    // memory, errno and all: only calls that touch nothing of it are made here.
    (void)syscall(SYS_close, gone[1]);
    if (child >= 0) {
        char byte;
        while (syscall(SYS_read, gone[0], &byte, 1) != 0) {}
        *pid = child;
    }
    close(gone[0]);
    // Another user's id, taken by the command's process, made the memory that both had unreadable to others.
    if (plan->is_dumpable) (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return error;
}

static int spawn_copying(const struct swb_plan *plan, int *pid, int *pidfd) {
    struct clone_args arguments = {
        .flags = CLONE_PIDFD | NAMESPACES | (plan->own_network ? CLONE_NEWNET : 0)
            | (plan->own_users ? CLONE_NEWUSER : 0) | (plan->cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        // What this program does with SIGCHLD must not decide whether the child can be waited for.
        .exit_signal = 0,
        .cgroup = plan->cgroup >= 0 ? (uint64_t)plan->cgroup : 0,
    };
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) {
        struct stacks stacks;
        struct beginning beginning = {.plan = plan, .stacks = &stacks, .gone = -1};
        become_init(&beginning);
    }
    if (child < 0) return errno;
    *pid = (int)child;
    return 0;
}

int swb_spawn(const struct swb_plan *plan, int *pid, int *pidfd) {
    // glibc's own functions leave two signals of its own out of the mask: ask the kernel.
    uint64_t everything = ~(uint64_t)0, previous = 0;
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &everything, &previous, KERNEL_SIGNAL_SET_SIZE) != 0) return errno;

    // A child that is put into cgroups or given maps waits for this thread, and one that is supervised may have to; but one
    // whose plan comes from another thread waits for that. And clone(2) knows nothing of cgroups.
    bool is_alone = plan->wake >= 0
        || (plan->gate < 0 && plan->own_users == 0 && plan->cgroup < 0 && plan->supervisor < 0);
    int error = is_alone ? spawn_sharing(plan, pid, pidfd) : spawn_copying(plan, pid, pidfd);

    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &previous, NULL, KERNEL_SIGNAL_SET_SIZE);
    return error;
}

int swb_is_dumpable(void) {
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
}

int swb_pidfd_open(int pid) {
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

int swb_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
}

int swb_event(void) {
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int swb_memory_file(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int swb_open_directory(const char *path) {
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int swb_pidfd_kill(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 ? 0 : errno;
}

int swb_leave_descriptors(void) {
    if (syscall(SYS_unshare, CLONE_FILES) != 0) return errno;
    return syscall(SYS_close_range, 0u, ~0u, 0) == 0 ? 0 : errno;
}

int swb_mount_namespace(int pid) {
    int process = swb_pidfd_open(pid);
    if (process < 0) return process;
    int fd = ioctl(process, GET_MOUNT_NAMESPACE, 0);
    int error = errno;
    close(process);
    return fd < 0 ? -error : fd;
}

char *swb_own_arguments(int count, size_t *length) {
    char *start = program_invocation_name;
    *length = 0;
    if (start == NULL || count < 1) return NULL;
    char *end = start;
    for (int i = 0; i < count; i++) end += strlen(end) + 1;
    *length = (size_t)(end - start);
    return start;
}

static void set_signal_mask(uint64_t blocked) {
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, NULL, KERNEL_SIGNAL_SET_SIZE);
}

/// Signals that are to be passed on stay blocked: those that come before the command is there wait for it.
static void reset_signals(bool blocks) {
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } by_default = {0};
    for (int number = 1; number <= SIGNAL_COUNT; number++) {
        (void)syscall(SYS_rt_sigaction, number, &by_default, NULL, KERNEL_SIGNAL_SET_SIZE);
    }
    set_signal_mask(blocks ? ~(uint64_t)0 : 0);
}

void swb_reset_signals(void) {
    reset_signals(false);
}

static void close_between(int first, int last) {
    if (first <= last) (void)syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0);
}

void swb_close_all_but(int *kept, size_t count) {
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && kept[j - 1] > kept[j]; j--) {
            int swapped = kept[j];
            kept[j] = kept[j - 1];
            kept[j - 1] = swapped;
        }
    }
    int next = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept[i] < 0) continue;
        close_between(next, kept[i] - 1);
        next = kept[i] + 1;
    }
    (void)syscall(SYS_close_range, (unsigned)next, ~0u, 0);
}

/// Ties this process's life to the program that started it, also when that one is gone already.
static void die_with_parent(int parent) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    struct pollfd gone = {.fd = parent, .events = POLLIN};
    if (poll(&gone, 1, 0) != 0) _exit(127);
}

/// Where PID 1 is a copy of this program's memory, nothing of it may be seen from within the step. Memory that is shared
/// must stay as it is, and is gone from PID 1 before the command begins.
static int hide_memory(const struct swb_plan *plan, bool shares_memory) {
    static const char title[] = "init";
    (void)prctl(PR_SET_NAME, title, 0, 0, 0);
    if (shares_memory) return 0;
    if (plan->own_arguments != NULL && plan->own_arguments_length > sizeof title) {
        memset(plan->own_arguments, 0, plan->own_arguments_length);
        memcpy(plan->own_arguments, title, sizeof title);
    }
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno;
}

/// Waits until the parent has done to this process what only it can do: its id maps, its cgroups.
static void wait_at_gate(int gate) {
    if (gate < 0) return;
    char byte;
    ssize_t got;
    do got = read(gate, &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got != 1) _exit(127);
}

/// Becomes root of the user namespace.
static int become_namespace_root(void) {
    // The C library's functions would tell threads that this process does not have.
    if (syscall(SYS_setresgid, 0, 0, 0) != 0 || syscall(SYS_setresuid, 0, 0, 0) != 0) return errno;
    return 0;
}

/// The namespaces that clone does not make, and what belongs to this process.
static void enter_namespaces(const struct swb_plan *plan, bool shares_memory) {
    wait_at_gate(plan->gate);
    int error = plan->own_users != 0 ? become_namespace_root() : 0;
    if (error != 0) swb_fail(plan, (struct swb_report){.stage = SWB_STAGE_ID_MAP, .error = error});
    error = hide_memory(plan, shares_memory);
    if (error == 0 && plan->network >= 0 && syscall(SYS_setns, plan->network, CLONE_NEWNET) != 0) error = errno;
    // A namespace made by clone3 would have the cgroup of the parent as its root.
    if (error == 0 && !plan->keeps_cgroup_view && syscall(SYS_unshare, CLONE_NEWCGROUP) != 0) error = errno;
    if (error != 0) swb_fail(plan, (struct swb_report){.stage = SWB_STAGE_NAMESPACE, .error = error});
}

/// Carries out operations of a plan from one up to another.
static void set_up(const struct swb_plan *plan, struct swb_setup *setup, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        const struct swb_operation *operation = &plan->operations[i];
        setup->index = plan->first_operation + i;
        setup->detail = SWB_DETAIL_NONE;
        int error = swb_perform(setup, operation);
        if (error == 0 || (operation->flags & SWB_FLAG_OPTIONAL) != 0) continue;
        swb_fail(
            plan,
            (struct swb_report){
                .stage = SWB_STAGE_OPERATION, .index = (int32_t)setup->index, .detail = setup->detail, .error = error
            }
        );
    }
}

/// The plan itself, or the one that a child which began before that was known is told of.
static const struct swb_plan *plan_of_step(const struct swb_plan *plan) {
    if (plan->wake < 0) return plan;
    char byte;
    ssize_t got;
    do got = read(plan->wake, &byte, 1);
    while (got < 0 && errno == EINTR);
    // Nobody needs it any more.
    if (got != 1 || *plan->next == NULL) _exit(0);
    close(plan->wake);
    return *plan->next;
}

/// Closes what is open in the program but not meant for the step: directories of the host, other steps' pipes.
static void close_foreign(const struct swb_plan *plan, int gone) {
    int kept[] = {plan->standard_output, plan->standard_error, plan->report, plan->gate, plan->parent, plan->network,
        plan->supervisor, plan->standard_input, plan->terminal, plan->wake, gone};
    swb_close_all_but(kept, sizeof kept / sizeof kept[0]);
    // Descriptors opened from here on must not become 0, 1 or 2: the command's streams go there.
    for (int fd = 0; fd <= 2; fd++) {
        if (dup3(plan->parent, fd, O_CLOEXEC) < 0) {
            swb_fail(plan, (struct swb_report){.stage = SWB_STAGE_STREAMS, .error = errno});
        }
    }
}

/// The step's own /dev/null. Where a mount of the build file covers it, the end of a pipe that says nothing either.
static int open_nothing(void) {
    struct stat status;
    // What is there instead may be a FIFO, to wait at for ever.
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (null >= 0 && fstat(null, &status) == 0 && S_ISCHR(status.st_mode) && fcntl(null, F_SETFL, 0) == 0) return null;
    if (null >= 0) close(null);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
    close(ends[1]);
    return ends[0];
}

static int open_standard_input(const struct swb_plan *plan, const struct swb_setup *setup) {
    if (plan->terminal >= 0) return swb_open_terminal(setup, plan->terminal, plan->uid);
    return plan->standard_input >= 0 ? plan->standard_input : open_nothing();
}

/// The command's process: it sets the sandbox up and becomes the command.
static int begin_command(void *argument) {
    struct beginning *beginning = argument;
    const struct swb_plan *plan = beginning->plan;
    struct swb_setup *setup = &beginning->setup;
    // Until PID 1 is the stub: both use the same memory, and the same errno.
    char byte;
    (void)syscall(SYS_close, beginning->began[1]);
    while (syscall(SYS_read, beginning->began[0], &byte, 1) != 0) {}
    close(beginning->began[0]);

    set_up(plan, setup, beginning->done, plan->operation_count);
    const struct swb_plan *rest = plan_of_step(plan);
    if (rest != plan) set_up(rest, setup, 0, rest->operation_count);
    plan = rest;
    int standard_input = open_standard_input(plan, setup);
    if (standard_input < 0) swb_fail(plan, (struct swb_report){.stage = SWB_STAGE_STREAMS, .error = -standard_input});
    if (setup->forwards_signals) set_signal_mask(0);
    swb_become_command(plan, setup, standard_input);
}

/// Starts the command's process, and becomes its reaper.
static void become_init(struct beginning *beginning) {
    const struct swb_plan *plan = beginning->plan;
    struct swb_setup *setup = &beginning->setup;
    *setup = (struct swb_setup){
        .root = -1, .skeleton = -1, .covered = -1, .staging = -1, .working_directory = -1, .host_proc = -1, .stub = -1
    };
    setup->forwards_signals = plan->forwards_signals != 0;
    reset_signals(setup->forwards_signals);
    die_with_parent(plan->parent);
    (void)setsid();
    close_foreign(plan, beginning->gone);
    (void)umask(0);
    enter_namespaces(plan, beginning->shares_memory);

    // The staging area is the place for the stub.
    while (setup->staging < 0 && beginning->done < plan->operation_count) {
        set_up(plan, setup, beginning->done, beginning->done + 1);
        beginning->done++;
    }
    struct swb_report failure = {.stage = SWB_STAGE_NAMESPACE};
    setup->stub = swb_make_stub(setup->staging);
    if (setup->stub < 0) failure.error = -setup->stub;
    // Its working directory is a place of the host's, which a change of the root would not take away.
    if (failure.error == 0 && chdir("/") != 0) failure.error = errno;
    if (failure.error == 0 && pipe2(beginning->began, O_CLOEXEC) != 0) failure.error = errno;
    if (failure.error != 0) swb_fail(plan, failure);
    struct stacks *stacks = beginning->stacks;
    int command = clone(begin_command, stacks->command + sizeof stacks->command, CLONE_VM | SIGCHLD, beginning);
    failure.error = command < 0 ? errno : swb_become_reaper(setup, command, plan->report);
    swb_fail(plan, failure);
}
