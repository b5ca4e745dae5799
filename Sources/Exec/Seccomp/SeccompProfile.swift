/// A list of what may be done with system calls; what no rule names is refused with EPERM.
struct SeccompProfile: Sendable, Hashable {
    var rules: [Rule]

    /// What holds for some system calls, under a condition.
    ///
    /// Of several rules for a call, the last one holds.
    struct Rule: Sendable, Hashable {
        var names: [String]
        var verdict: Verdict = .allow
        var condition: Condition = .always

        init(_ names: String, _ verdict: Verdict = .allow, when condition: Condition = .always) {
            self.names = names.utf8.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.map {
                String(Substring($0))
            }
            self.verdict = verdict
            self.condition = condition
        }
    }

    /// When a rule holds.
    ///
    /// A rule that does not hold still makes its calls known: they are refused with EPERM, as if the kernel had looked
    /// at the caller's privilege, and not with ENOSYS.
    enum Condition: Sendable, Hashable {
        case always
        case has(CapabilitySet)
        case on([FilterArchitecture])
    }

    /// What happens with a system call.
    enum Verdict: Sendable, Hashable {
        case allow
        case refuse(FilterErrno)
        /// Allowed when the lower half of an argument has none of these bits, else refused with EPERM.
        case allowWithoutBits(argument: Int, bits: UInt32)
        /// The same, but allowed as well when all 32 bits are set: a question in place of a value.
        case allowWithoutBitsOrWithAll(argument: Int, bits: UInt32)
        /// Allowed when the lower half of an argument is of so many bits, refused with EPERM when it is one of these values.
        ///
        /// Larger values, which mean nothing to the call, answer ENOSYS.
        case allowExcept(argument: Int, values: [UInt32], width: UInt32)
    }
}

/// The error numbers that a filter answers with.
enum FilterErrno: UInt32, Sendable, Hashable {
    case notPermitted = 1
    case notImplemented = 38
}

extension SeccompProfile {
    /// Docker's default profile, without io_uring as Docker has it, and without bare `unshare`: a step makes no
    /// namespaces. (moby/profiles, seccomp/default.json, has the decisions and their reasons.)
    ///
    /// Arguments are compared by their lower halves: the ones looked at here are 32 bits wide in the kernel.
    static let docker = SeccompProfile(
        rules: [
            Rule(everyday),
            Rule(conditionallyNative, when: .on([.x86_64, .i386])),
            Rule("arch_prctl", when: .on([.x86_64])),
            Rule(conditionallyARM, when: .on([.aarch64, .arm])),
            // PER_LINUX and PER_LINUX32 (8), with and without UNAME26.
            Rule("personality", .allowWithoutBitsOrWithAll(argument: 0, bits: ~0x0002_0008)),
            // AF_VSOCK (40) leads to the hypervisor, whatever the network namespace; AF_ALG (38) to the kernel's
            // cryptography, whose faults have let programs write to files that they could only read (CVE-2026-31431).
            // There are 46 families.
            Rule("socket", .allowExcept(argument: 0, values: [38, 40], width: 6)),
            // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
            Rule("clone", .allowWithoutBits(argument: 0, bits: 0x7e02_0000)),
            // Its flags are in memory, where a filter cannot look: the C library falls back on clone.
            Rule("clone3", .refuse(.notImplemented)),
            Rule(administration, when: .has(.sysAdmin)),
            Rule("open_by_handle_at", when: .has(.dacReadSearch)),
            Rule("reboot", when: .has(.sysBoot)),
            Rule("chroot", when: .has(.sysChroot)),
            Rule("delete_module init_module finit_module", when: .has(.sysModule)),
            Rule("acct", when: .has(.sysPacct)),
            Rule("kcmp pidfd_getfd process_madvise", when: .has(.sysPtrace)),
            Rule("iopl ioperm", when: .has(.sysRawIO)),
            Rule("settimeofday stime clock_settime clock_settime64", when: .has(.sysTime)),
            Rule("vhangup", when: .has(.sysTTYConfig)),
            Rule("get_mempolicy mbind set_mempolicy set_mempolicy_home_node", when: .has(.sysNice)),
            Rule("syslog", when: .has(.syslog)),
            Rule(neverAllowed, .refuse(.notPermitted)),
        ]
    )

    private static let everyday = """
        accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime
        clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
        clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
        epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit
        exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2
        fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat
        fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait
        futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid
        getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid
        getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid getsockname
        getsockopt gettid gettimeofday getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1
        inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl
        ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lchown32
        lgetxattr link linkat listen listmount listxattr listxattrat llistxattr _llseek lremovexattr lseek lsetxattr
        lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat
        mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
        mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync
        munlock munlockall munmap name_to_handle_at nanosleep newfstatat _newselect open openat openat2 pause pidfd_open
        pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv
        preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64
        pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg
        remap_file_pages removexattr removexattrat rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction
        rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64
        rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
        sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
        sched_setparam sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop semtimedop_time64
        send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid
        setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid
        setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid
        setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask
        sigreturn socketcall socketpair splice stat stat64 statfs statfs64 statmount statx symlink symlinkat sync
        sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
        timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
        timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime
        utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev
        """

    private static let conditionallyNative = "modify_ldt"

    private static let conditionallyARM = """
        arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls
        """

    private static let administration = """
        bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
        lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr perf_event_open quotactl quotactl_fd
        setdomainname sethostname setns syslog umount umount2 unshare
        """

    /// Calls that no capability opens.
    ///
    /// They are named so that they answer EPERM on every kernel.
    private static let neverAllowed = """
        add_key io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load keyctl migrate_pages
        move_pages nfsservctl pivot_root request_key swapoff swapon userfaultfd vm86 vm86old
        """
}
