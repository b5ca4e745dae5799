#define _GNU_SOURCE
// A program of a few hundred bytes that stands between this one and the step's own.
//
// Whoever executes /proc/self/exe, by name, as the interpreter of a script or as the loader of a program, gets the
// program that calls execve: were that this one, a step would hold the host's own executable and could write to it as
// soon as nobody runs it. So what calls execve last is a copy of the code below, on a file system that is the step's alone.
// PID 1 becomes another copy: no memory of this program is left in the step, and no privilege.
//
// The code runs without a C library, wherever it is loaded. So it may name no data: no constants with an address, no tables.

#include "spawn_internal.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STUB __attribute__((section("swb_stub"), visibility("hidden"), used))
#define INLINE static inline __attribute__((always_inline))

// MARK: the code of the stub

#if defined(__x86_64__)
__asm__(".pushsection swb_stub,\"ax\",@progbits\n"
        ".balign 16\n"
        ".hidden swb_stub_entry\n"
        ".globl swb_stub_entry\n"
        "swb_stub_entry:\n"
        "xorl %ebp, %ebp\n"
        "movq %rsp, %rdi\n"
        "andq $-16, %rsp\n"
        "call swb_stub_main\n"
        "hlt\n"
        ".popsection\n");
enum { STUB_MACHINE = EM_X86_64, STUB_ARCHITECTURE = AUDIT_ARCH_X86_64 };

INLINE long call(long number, long a, long b, long c, long d) {
    long result;
    register long fourth __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
__asm__(".pushsection swb_stub,\"ax\",@progbits\n"
        ".balign 16\n"
        ".hidden swb_stub_entry\n"
        ".globl swb_stub_entry\n"
        "swb_stub_entry:\n"
        "mov x29, #0\n"
        "mov x30, #0\n"
        "mov x0, sp\n"
        "bl swb_stub_main\n"
        "brk #0\n"
        ".popsection\n");
enum { STUB_MACHINE = EM_AARCH64, STUB_ARCHITECTURE = AUDIT_ARCH_AARCH64 };

INLINE long call(long number, long a, long b, long c, long d) {
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}
#endif

STUB _Noreturn void swb_stub_main(char **stack);

INLINE long number_in(const char **text) {
    long number = 0;
    while (**text >= '0' && **text <= '9') number = number * 10 + (*(*text)++ - '0');
    if (**text == ',') (*text)++;
    return number;
}

STUB static void stub_send(long descriptor, volatile struct swb_report *report) {
    long written;
    do written = call(SYS_write, descriptor, (long)report, sizeof *report, 0);
    while (written == -EINTR);
}

INLINE void stub_clear(volatile struct swb_report *report) {
    volatile unsigned char *bytes = (volatile unsigned char *)report;
    for (size_t i = 0; i < sizeof *report; i++) bytes[i] = 0;
}

/// Has the kernel's security modules put their labels on the next program (proc(5), /proc/pid/attr): only the process
/// itself can ask for that, and only for the very next program, so this one does. Returns whether that succeeded.
STUB static bool stub_label(char **labels, long count, long proc, long report_fd) {
    for (long i = 0; i < count; i++) {
        const char *text = labels[2 * i + 1];
        long length = 0;
        while (text[length] != '\0') length++;
        long fd = call(SYS_openat, proc, (long)labels[2 * i], O_WRONLY | O_CLOEXEC, 0);
        long written = fd < 0 ? fd : call(SYS_write, fd, (long)text, length, 0);
        if (fd >= 0) (void)call(SYS_close, fd, 0, 0, 0);
        if (written == length) continue;
        volatile struct swb_report report;
        stub_clear(&report);
        report.failed = 1;
        report.stage = SWB_STAGE_LABEL;
        report.index = (int32_t)i;
        report.error = written < 0 ? (int32_t)-written : EIO;
        stub_send(report_fd, &report);
        return false;
    }
    return true;
}

/// Tries the candidates as a shell would: on to the next one when there is none here, or none that may be run.
STUB static void stub_execute(char **candidates, long count, long report_fd, char **environment) {
    volatile struct swb_report report;
    stub_clear(&report);
    report.failed = 1;
    report.stage = SWB_STAGE_EXECUTE;
    report.error = ENOENT;
    char **arguments = candidates + count;
    for (long i = 0; i < count; i++) {
        int32_t error = (int32_t)-call(SYS_execve, (long)candidates[i], (long)arguments, (long)environment, 0);
        if (error == ENOENT && call(SYS_faccessat, AT_FDCWD, (long)candidates[i], F_OK, 0) == 0) {
            report.detail = SWB_DETAIL_INTERPRETER;
        }
        bool absent = (error == ENOENT || error == ENOTDIR) && report.detail == SWB_DETAIL_NONE;
        // "Not executable" says more than "not there", of whichever candidate.
        if (absent && report.error == EACCES) continue;
        report.error = absent && count > 1 ? ENOENT : error;
        report.index = (int32_t)i;
        if (!absent && error != EACCES) break;
    }
    stub_send(report_fd, &report);
}

/// Waits for a signal, and passes it on if it does not say that a process has ended. All are blocked: so none is lost,
/// and none is ignored because this is PID 1.
STUB static void stub_forward(long command) {
    uint64_t everything = ~(uint64_t)0;
    long number = call(SYS_rt_sigtimedwait, (long)&everything, 0, 0, sizeof everything);
    if (number > 0 && number != SIGCHLD) (void)call(SYS_kill, command, number, 0, 0);
}

/// What the reaper is told.
struct reaping {
    long command;
    long report;
    long forwards; // 0 or 1: signals are passed on
};

/// Waits for the command, reaping every orphan on the way, and reports how it ended.
STUB static void stub_reap(const struct reaping *told) {
    long command = told->command, report_fd = told->report;
    volatile struct swb_report report;
    stub_clear(&report);
    for (;;) {
        int status = 0;
        long ended = call(SYS_wait4, -1, (long)&status, told->forwards != 0 ? __WALL | WNOHANG : __WALL, 0);
        if (ended == 0) {
            stub_forward(command);
            continue;
        }
        if (ended == command) {
            struct timespec now;
            (void)call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0);
            report.status = status;
            report.ended = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
            break;
        }
        if (ended < 0 && ended != -EINTR) break;
    }
    struct rusage usage;
    if (call(SYS_getrusage, RUSAGE_CHILDREN, (long)&usage, 0, 0) == 0) {
        report.user_microseconds = (int64_t)usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec;
        report.system_microseconds = (int64_t)usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec;
        report.peak_bytes = (int64_t)usage.ru_maxrss * 1024;
    }
    stub_send(report_fd, &report);
}

/// As the kernel starts a program: the number of arguments, the arguments, NULL, the environment, NULL.
///
/// "init", PID, DESCRIPTOR, FORWARDS: reaps. "CANDIDATES,DESCRIPTOR,LABELS,PROC", labels, candidates, arguments: executes.
STUB _Noreturn void swb_stub_main(char **stack) {
    long count = (long)stack[0];
    char **arguments = stack + 1;
    const char *mode = count > 0 ? arguments[0] : NULL;
    if (mode != NULL && count == 4 && mode[0] == 'i') {
        (void)call(SYS_prctl, PR_SET_NAME, (long)mode, 0, 0);
        const char *pid = arguments[1], *report_fd = arguments[2], *forwards = arguments[3];
        struct reaping told;
        told.command = number_in(&pid);
        told.report = number_in(&report_fd);
        told.forwards = number_in(&forwards);
        stub_reap(&told);
        (void)call(SYS_exit_group, 0, 0, 0, 0);
    }
    if (mode != NULL && mode[0] >= '1' && mode[0] <= '9') {
        long candidates = number_in(&mode), report_fd = number_in(&mode);
        long labels = number_in(&mode), proc = number_in(&mode);
        if (candidates + 2 * labels < count) {
            // Neither may be the command's. What a filter refuses here leaves only the exit status to tell of a failure.
            if (call(SYS_fcntl, report_fd, F_SETFD, FD_CLOEXEC, 0) != 0) (void)call(SYS_close, report_fd, 0, 0, 0);
            bool labelled = stub_label(arguments + 1, labels, proc, report_fd);
            if (labels > 0) (void)call(SYS_close, proc, 0, 0, 0);
            if (labelled) stub_execute(arguments + 1 + 2 * labels, candidates, report_fd, arguments + count + 1);
        }
    }
    for (;;) (void)call(SYS_exit_group, 127, 0, 0, 0);
}

// MARK: making and starting it

extern const uint8_t swb_stub_entry[] __attribute__((visibility("hidden")));
extern const uint8_t stub_start[] __asm__("__start_swb_stub") __attribute__((visibility("hidden")));
extern const uint8_t stub_stop[] __asm__("__stop_swb_stub") __attribute__((visibility("hidden")));

struct stub_header {
    Elf64_Ehdr file;
    Elf64_Phdr segments[2];
    uint8_t filler[256 - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr)]; // the code keeps its alignment
};

int swb_write_all(int fd, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        ssize_t written = write(fd, next, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return written < 0 ? errno : EIO;
        next += written;
        length -= (size_t)written;
    }
    return 0;
}

int swb_make_stub(int directory) {
    size_t length = (size_t)(stub_stop - stub_start);
    struct stub_header header = {
        .file = {
            .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
            .e_type = ET_DYN,
            .e_machine = STUB_MACHINE,
            .e_version = EV_CURRENT,
            .e_entry = sizeof header + (size_t)(swb_stub_entry - stub_start),
            .e_phoff = offsetof(struct stub_header, segments),
            .e_ehsize = sizeof(Elf64_Ehdr),
            .e_phentsize = sizeof(Elf64_Phdr),
            .e_phnum = 2,
        },
        .segments = {
            {
                .p_type = PT_LOAD,
                .p_flags = PF_R | PF_X,
                .p_filesz = sizeof header + length,
                .p_memsz = sizeof header + length,
                .p_align = 0x10000,
            },
            {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16},
        },
    };
    // Not to be read: the kernel does not let a process be inspected whose program its user may not read.
    int fd = openat(directory, "stub", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0111);
    if (fd < 0) return -errno;
    int error = swb_write_all(fd, &header, sizeof header);
    if (error == 0) error = swb_write_all(fd, stub_start, length);
    if (error == 0 && fchmod(fd, 0111) != 0) error = errno;
    close(fd);
    if (error != 0) return -error;
    int stub = openat(directory, "stub", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return stub < 0 ? -errno : stub;
}

/// What PID 1 does from now on, and nothing else, whoever may make it do what.
static int confine_init(bool forwards_signals) {
    static const uint16_t allowed[] = {
        SYS_execveat, SYS_wait4, SYS_write, SYS_clock_gettime, SYS_getrusage, SYS_prctl, SYS_exit_group, SYS_exit,
        SYS_rt_sigreturn, SYS_restart_syscall, SYS_rt_sigtimedwait, SYS_kill,
    };
    enum { COUNT = sizeof allowed / sizeof allowed[0], FIRST = 3, REFUSE = FIRST + COUNT, ALLOW = REFUSE + 1 };
    struct sock_filter filter[ALLOW + 1] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, STUB_ARCHITECTURE, 0, REFUSE - 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    for (uint8_t i = 0; i < COUNT; i++) {
        filter[FIRST + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], (uint8_t)(COUNT - i), 0);
    }
    filter[REFUSE] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    filter[ALLOW] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    int error = swb_drop_capabilities(forwards_signals ? (uint64_t)1 << CAP_KILL : 0);
    if (error != 0) return error;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    struct sock_fprog program = {.len = ALLOW + 1, .filter = filter};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : errno;
}

/// Appends a number and what follows it; returns the end.
static char *append_number(char *end, uint64_t number, char separator) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    while (count > 0) *end++ = digits[--count];
    *end = separator;
    return end + 1;
}

int swb_become_reaper(const struct swb_setup *setup, pid_t command, int report) {
    char pid[24], descriptor[24], forwards[24];
    (void)append_number(pid, (uint64_t)command, '\0');
    (void)append_number(descriptor, (uint64_t)report, '\0');
    (void)append_number(forwards, setup->forwards_signals ? 1 : 0, '\0');
    static const char title[] = "init";
    char *const arguments[] = {(char *)title, pid, descriptor, forwards, NULL};
    char *const environment[] = {NULL};
    if (fcntl(report, F_SETFD, 0) != 0) return errno;
    int error = confine_init(setup->forwards_signals);
    if (error != 0) return error;
    (void)syscall(SYS_execveat, setup->stub, "", arguments, environment, AT_EMPTY_PATH);
    return errno;
}

/// Tells the command's stub how many candidates and labels there are, and where to report.
static void name_descriptors(const struct swb_plan *plan, const struct swb_setup *setup) {
    // SWB_STUB_ARGUMENT_SIZE is enough for four numbers of 32 bits.
    char *end = append_number(plan->stub_arguments[0], plan->candidate_count, ',');
    end = append_number(end, (uint64_t)plan->report, ',');
    end = append_number(end, plan->label_count, ',');
    (void)append_number(end, setup->host_proc < 0 ? 0 : (uint64_t)setup->host_proc, '\0');
}

int swb_start_stub(const struct swb_plan *plan, const struct swb_setup *setup) {
    name_descriptors(plan, setup);
    (void)syscall(SYS_execveat, setup->stub, "", plan->stub_arguments, plan->environment, AT_EMPTY_PATH);
    return errno;
}
