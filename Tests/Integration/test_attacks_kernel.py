"""What a step may not do to the machine: system calls, capabilities, the kernel's files, other processes."""
import os
import pathlib
import shlex
import socket
import subprocess
import tarfile

from support import processes_with, wait_until
from support.attack import AttackCase, compile_c, content, member
from support.images import Layout, tar_of

HEADERS = """
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
static void tell(const char *name, long result) {
    printf("%s %d\\n", name, result < 0 ? errno : 0);
    fflush(stdout);
}
"""

# Calls that would do harm, each answered with EPERM, or with ENOSYS where the C library is to fall back on another.
CALLS = """
int main(void) {
    char block[256] = {0}, handle[128] = {8, 0, 0, 0, 1, 0, 0, 0, 2};
    tell("mount", mount("none", "/tmp", "tmpfs", 0, ""));
    tell("umount", umount2("/proc", MNT_DETACH));
    tell("pivot_root", syscall(SYS_pivot_root, "/", "/"));
    tell("unshare-user", syscall(SYS_unshare, CLONE_NEWUSER));
    tell("unshare-mount", syscall(SYS_unshare, CLONE_NEWNS));
    tell("clone-user", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
    tell("clone3", syscall(SYS_clone3, block, 88));
    tell("setns", syscall(SYS_setns, 0, 0));
    tell("open_tree", syscall(428, -100, "/", 1));
    tell("move_mount", syscall(429, -100, "/", -100, "/tmp", 0));
    tell("fsopen", syscall(430, "tmpfs", 0));
    tell("fspick", syscall(433, -100, "/", 0));
    tell("mount_setattr", syscall(442, -100, "/", 0, block, 32));
    tell("init_module", syscall(SYS_init_module, block, 1, ""));
    tell("finit_module", syscall(SYS_finit_module, 0, "", 0));
    tell("delete_module", syscall(SYS_delete_module, "loop", 0));
    tell("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
    tell("reboot", syscall(SYS_reboot, 0, 0, 0, 0));
    tell("bpf", syscall(SYS_bpf, 0, block, 64));
    tell("perf_event_open", syscall(SYS_perf_event_open, block, 0, -1, -1, 0));
    tell("userfaultfd", syscall(SYS_userfaultfd, 0));
    tell("io_uring_setup", syscall(425, 1, block));
    tell("keyctl", syscall(SYS_keyctl, 0, -3, 0, 0, 0));
    tell("add_key", syscall(SYS_add_key, "user", "a", "b", 1, -3));
    tell("request_key", syscall(SYS_request_key, "user", "a", 0, -3));
    tell("open_by_handle_at", syscall(SYS_open_by_handle_at, 1, handle, 0));
    tell("fanotify_init", syscall(SYS_fanotify_init, 0, 0));
    tell("iopl", syscall(SYS_iopl, 3));
    tell("acct", syscall(SYS_acct, "/acct"));
    tell("swapon", syscall(SYS_swapon, "/swap", 0));
    tell("quotactl", syscall(SYS_quotactl, 0, 0, 0, 0));
    tell("syslog", syscall(SYS_syslog, 3, block, 1));
    tell("settimeofday", syscall(SYS_settimeofday, block, 0));
    tell("clock_settime", syscall(SYS_clock_settime, 0, block));
    tell("sethostname", syscall(SYS_sethostname, "evil", 4));
    tell("personality", syscall(SYS_personality, 0x0040000));
    tell("kcmp", syscall(SYS_kcmp, 1, 1, 0, 0, 0));
    tell("move_pages", syscall(SYS_move_pages, 0, 0, 0, 0, 0, 0));
    tell("socket-alg", socket(38, SOCK_SEQPACKET, 0));
    tell("socket-vsock", socket(40, SOCK_STREAM, 0));
    tell("x32-getpid", syscall(0x40000000 + 39));
    return 0;
}
"""

REFUSED = {"clone3": 38, "x32-getpid": 38}


class SystemCalls(AttackCase):
    def test_what_the_kernel_is_asked(self):
        for user in ("root", "1000"):
            self.program("calls", HEADERS + CALLS)
            lines = self.lines("FROM busybox\nCOPY calls /calls\nRUN chmod 777 / && umask 0 && touch /out\n"
                               f"USER {user}\nRUN /calls > /out\n")
            self.assertGreater(len(lines), 35)
            for line in lines:
                name, error = line.split()
                self.assertEqual(int(error), REFUSED.get(name, 1), f"{name} as {user}")

    def test_a_new_user_namespace_gives_no_rights_even_without_the_filter(self):
        """Without the filter a namespace can be made; what it covers is still the step's own."""
        self.program("ns", HEADERS + """
            int main(void) {
                if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) { puts("refused"); return 0; }
                tell("mount-proc", mount("proc", "/proc", "proc", 0, ""));
                tell("unmask", umount2("/proc/keys", 0));
                tell("unmask-sys", umount2("/sys/firmware", MNT_DETACH));
                tell("remount", mount("", "/proc/sys", "", MS_REMOUNT | MS_BIND, ""));
                tell("sysctl", open("/proc/sys/kernel/core_pattern", O_WRONLY));
                tell("device", mknod("/sda", S_IFBLK | 0600, 8 << 8));
                return 0;
            }""")
        lines = self.lines("FROM busybox\nCOPY ns /ns\nRUN /ns > /out\n", "--security-opt", "seccomp=unconfined")
        if lines == ["refused"]:
            return
        for line in lines:
            self.assertNotEqual(line.split()[1], "0", line)

    def test_no_terminal_to_type_into(self):
        self.program("type", HEADERS + """
            int main(void) {
                char c = 'x';
                for (int fd = 0; fd < 3; fd++) tell("TIOCSTI", ioctl(fd, 0x5412, &c));
                tell("tty", open("/dev/tty", O_RDWR));
                tell("console", open("/dev/console", O_RDWR));
                return 0;
            }""")
        # As if from a terminal: the build's own streams are one.
        arguments, _, _ = self.arguments("FROM busybox\nCOPY type /type\nRUN /type > /out && ! grep ' 0$' /out\n")
        command = shlex.join([os.environ["SWBUILD"], *map(str, arguments)])
        done = subprocess.run(["script", "-qec", command, "/dev/null"], capture_output=True, timeout=120, check=False,
                              stdin=subprocess.DEVNULL, env={**os.environ, "SWBUILD_ROOT": str(self.state)})
        self.assertEqual(done.returncode, 0, done.stdout.decode())

    def test_the_callers_keys(self):
        """The caller's session keyring is neither shown nor searched, filter or not."""
        self.program("keys", HEADERS + """
            int main(void) {
                char text[64] = {0};
                long id = syscall(SYS_keyctl, 10, -3, "user", "swbuild-attack-key", 0);
                tell("search", id);
                id = syscall(SYS_keyctl, 10, -5, "user", "swbuild-attack-key", 0);
                tell("search-user-session", id);
                tell("request", syscall(SYS_request_key, "user", "swbuild-attack-key", 0, 0));
                return 0;
            }""")
        add = self.directory / "add"
        add.write_bytes(compile_c(HEADERS + """
            int main(int count, char **arguments) {
                syscall(SYS_keyctl, 1, "swbuild-attack", 0, 0, 0);
                if (syscall(SYS_add_key, "user", "swbuild-attack-key", "top secret", 10, -3) < 0) return 99;
                execv(arguments[1], arguments + 1);
                return 98;
            }"""))
        add.chmod(0o755)
        text = "FROM busybox\nCOPY keys /keys\nRUN /keys > /out; cat /proc/keys >> /out\n"
        for flags in ([], ["--security-opt", "seccomp=unconfined"]):
            arguments, output, _ = self.arguments(text, *flags)
            self.tool(add, os.environ["SWBUILD"], *arguments, env={"SWBUILD_ROOT": str(self.state)})
            lines = content(Layout(output), "out").splitlines()
            self.assertEqual(len(lines), 3, lines)
            for line in lines:
                self.assertNotEqual(line.split()[1], "0", line)


class OtherProcesses(AttackCase):
    def test_nothing_outside_can_be_reached(self):
        outside = subprocess.Popen(["sleep", "600"])
        self.addCleanup(outside.wait)
        self.addCleanup(outside.kill)
        self.program("reach", HEADERS + """
            #include <sys/ptrace.h>
            #include <sys/uio.h>
            int main(int count, char **arguments) {
                int pids[] = {1, atoi(arguments[1]), atoi(arguments[2])};
                char text[16] = {0};
                struct iovec own = {text, 8}, other = {(void *)0x400000, 8};
                for (int i = 0; i < 3; i++) {
                    tell("ptrace", ptrace(PTRACE_ATTACH, pids[i], 0, 0));
                    tell("seize", ptrace(PTRACE_SEIZE, pids[i], 0, 0));
                    tell("readv", syscall(SYS_process_vm_readv, pids[i], &own, 1UL, &other, 1UL, 0UL));
                    tell("writev", syscall(SYS_process_vm_writev, pids[i], &own, 1UL, &other, 1UL, 0UL));
                    tell("prlimit", syscall(SYS_prlimit64, i == 0 ? 4000000 : pids[i], 7, 0, text));
                    if (i > 0) tell("kill", kill(pids[i], SIGKILL));
                    if (i > 0) tell("pidfd", syscall(434, pids[i], 0));
                }
                for (int pid = 300; pid < 70000; pid++) if (kill(pid, 0) == 0) printf("sees %d 0\\n", pid);
                return 0;
            }""")
        lines = self.lines(f"FROM busybox\nCOPY reach /reach\nRUN /reach {outside.pid} {os.getpid()} > /out\n")
        self.assertGreater(len(lines), 15)
        for line in lines:
            self.assertNotEqual(line.split()[-1], "0", line)
        self.assertIsNone(outside.poll())

    def test_pid_1_tells_nothing(self):
        script = ("for f in environ maps mem auxv exe root/etc/passwd cwd/etc fd/0 fd/1 fd/2 fd/3 fd/4 fd/5 fd/6 fd/7; "
                  "do cat /proc/1/$f 2>/dev/null; readlink /proc/1/$f 2>/dev/null; done; ls /proc/1/map_files "
                  "2>/dev/null; tr '\\0' ' ' < /proc/1/cmdline | cut -c1-5; cat /proc/1/comm; "
                  "ls -l /proc/1/fd | grep -c -e '->'")
        lines = self.lines(f"FROM busybox\nRUN ({script}) > /out || true\n", env={"CANARY": "top secret"})
        self.assertEqual(lines, ["init ", "init", "0"])

    def test_pid_1_has_no_rights_to_take(self):
        status = dict(line.split(":\t", 1) for line in self.lines(
            "FROM busybox\nRUN cp /proc/1/status /out\n") if ":\t" in line)
        for name in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))

    def test_a_tracer_finds_nothing_of_the_builder(self):
        """With CAP_SYS_PTRACE, PID 1 can be looked into; nothing of the builder is left in it."""
        script = ("for i in 1 2 3 4 5; do tr '\\0' '\\n' < /proc/1/environ; cat /proc/1/maps; readlink /proc/1/exe; "
                  "ls -l /proc/1/fd; done")
        text = content(self.attack(f"FROM busybox\nRUN --mount=type=secret,id=s ({script}) > /out; cat /proc/1/status >> /out\n",
                           "--cap-add", "SYS_PTRACE", "--secret", "id=s,env=CANARY", env={"CANARY": "top secret"},
                           expect=0).layout, "out")
        name = os.path.basename(os.environ["SWBUILD"])
        self.assertNotIn(name, text)
        self.assertNotIn("libc", text)
        self.assertNotIn("CANARY", text)

    def test_nothing_goes_on_when_the_step_has_ended(self):
        marker = f"7{os.getpid()}.25"
        self.attack("FROM busybox\nRUN (setsid sh -c 'trap \"\" TERM HUP INT; sleep "
                    f"{marker}; touch /late' &) ; (nohup sleep {marker} &) ; true\n", expect=0)

        def is_gone():
            """the step's processes to end"""
            return not processes_with(f"sleep\0{marker}")
        wait_until(is_gone)

    def test_pid_1_survives_signals_from_within(self):
        signals = " ".join(str(number) for number in range(1, 32))
        lines = self.lines(f"FROM busybox\nRUN for n in {signals}; do kill -$n 1 2>/dev/null; done; echo on > /out\n")
        self.assertEqual(lines, ["on"])

    def test_a_forged_end_is_no_end(self):
        """Without a way to PID 1's pipe, a step cannot claim to have succeeded."""
        built = self.attack("FROM busybox\nRUN for p in /proc/[0-9]*/fd/*; do head -c 64 /dev/zero > $p 2>/dev/null; "
                            "done; exit 3\n", expect=3)
        self.assertMentions(built, "exit")


class KernelFiles(AttackCase):
    # What Docker's containers do not show or cannot write to.
    HIDDEN = ["/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
              "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats",
              "/sys/devices/virtual/powercap", "/sys/firmware", "/sys/devices/system/cpu/cpu0/thermal_throttle"]
    FIXED = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

    def test_hidden_files_are_empty(self):
        script = "".join(f"[ ! -e {p} ] || [ -z \"$(ls -A {p}/ 2>/dev/null; cat {p} 2>/dev/null)\" ] || echo {p}; "
                         for p in self.HIDDEN)
        self.assertEqual(self.lines(f"FROM busybox\nRUN ({script}) > /out\n"), [])

    def test_nothing_of_the_kernels_can_be_written(self):
        paths = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches",
                 "/proc/sys/kernel/modprobe", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger",
                 "/sys/kernel/uevent_helper", "/sys/kernel/mm/transparent_hugepage/enabled",
                 "/sys/power/state", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/release_agent",
                 "/proc/irq/default_smp_affinity", "/proc/kcore", "/proc/mtrr"]
        before = {path: pathlib.Path(path).read_bytes() for path in paths[:2] if os.path.exists(path)}
        script = "".join(f"echo 1 2>/dev/null > {path} && echo {path}; " for path in paths)
        script += "mkdir /sys/fs/cgroup/made /sys/kernel/made /proc/made 2>/dev/null && echo made; true"
        self.assertEqual(self.lines(f"FROM busybox\nRUN ({script}) > /out 2>/dev/null\n"), [])
        for path, content in before.items():
            self.assertEqual(pathlib.Path(path).read_bytes(), content)

    def test_mounts_over_the_kernels_files_only_cover(self):
        """A mount of the build file over /proc or below it can hide, but not uncover or redirect anything."""
        self.files({"fake/sys/kernel/core_pattern": "fake", "fake/self/attr/exec": "", "fake/thread-self/attr/exec": ""})
        script = "cat /proc/keys /proc/kcore 2>/dev/null | head -c 10; echo 1 > /proc/sys/kernel/modprobe; true"
        for mount in ("type=tmpfs,target=/proc", "type=bind,source=fake,target=/proc,rw", "type=tmpfs,target=/proc/sys",
                      "type=bind,source=fake/sys,target=/proc/sys,rw", "type=tmpfs,target=/sys", "type=tmpfs,target=/dev",
                      "type=cache,target=/proc/self/attr", "type=bind,source=fake,target=/proc/self/fd/3,rw",
                      "type=tmpfs,target=/proc/self/cwd", "type=tmpfs,target=/proc/1/root"):
            before = pathlib.Path("/proc/sys/kernel/core_pattern").read_bytes()
            self.attack(f"FROM busybox\nRUN --mount={mount} {script}\n")
            self.assertEqual(pathlib.Path("/proc/sys/kernel/core_pattern").read_bytes(), before, mount)

    def test_the_environment_and_the_descriptors_of_the_caller(self):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        secret = os.open(self.host / "secret", os.O_RDONLY)
        host = os.open(self.host, os.O_RDONLY)
        arguments, output, _ = self.arguments(
            "FROM busybox\nRUN env > /out; for f in /proc/self/fd/*; do readlink $f >> /out; done; umask >> /out; "
            "cat /proc/self/cgroup >> /out; for n in 3 4 5 6 7 8 9 10 11 12; do cat <&$n; ls /proc/self/fd/$n/; done "
            "2>/dev/null >> /out; true\n")
        done = subprocess.run([os.environ["SWBUILD"], *map(str, arguments)], pass_fds=(read, write, secret, host),
                              env={**os.environ, "SWBUILD_ROOT": str(self.state), "CANARY": "top secret"},
                              capture_output=True, check=False, umask=0o777 & 0o027)
        os.close(secret)
        os.close(host)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = content(Layout(output), "out")
        self.assertNotIn("CANARY", text)
        self.assertNotIn("top secret", text)
        self.assertNotIn(str(self.host), text)
        self.assertIn("0022", text)
        names = [line.split("=")[0] for line in text.splitlines() if "=" in line and line[0].isalpha()]
        self.assertEqual(sorted(names), ["HOME", "PATH", "PWD", "SHLVL"])

    def test_sockets_of_the_host(self):
        """An abstract socket belongs to the network namespace: a step's own has none of the host's."""
        name = f"swbuild-attack-{os.getpid()}"
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(f"\0{name}")
        server.listen(1)
        self.program("connect", HEADERS + f"""
            #include <sys/un.h>
            int main(void) {{
                struct sockaddr_un address = {{.sun_family = AF_UNIX, .sun_path = "\\0{name}"}};
                int fd = socket(AF_UNIX, SOCK_STREAM, 0);
                tell("connect", connect(fd, (void *)&address, sizeof(sa_family_t) + {len(name) + 1}));
                return 0;
            }}""")
        self.assertEqual(self.lines("FROM busybox\nCOPY connect /connect\nRUN /connect > /out\n"),
                         ["connect 111"])


class Devices(AttackCase):
    def test_nodes_that_a_step_makes(self):
        script = ("mkdir -p /n; mknod /n/k c 1 1; mknod /n/mem c 1 2; mknod /n/d b 8 0; mknod /n/v b 254 0; "
                  "mknod /n/kmsg c 1 11; mknod /n/null c 1 3; for f in /n/*; do "
                  "head -c 1 $f > /dev/null 2>&1 && echo $f; (echo x > $f) 2>/dev/null && echo $f; done; true")
        for mount in ("", "--mount=type=tmpfs,target=/n", "--mount=type=cache,target=/n",
                      "--mount=type=bind,target=/n,rw", "--mount=type=tmpfs,target=/dev"):
            run = f"RUN {mount} ({script}) > /out 2>/dev/null\n"
            self.assertEqual(self.lines(f"FROM busybox\n{run}"), [], mount)
        script = script.replace("/n", "/dev/shm/n")
        self.assertEqual(self.lines(f"FROM busybox\nRUN ({script}) > /out 2>/dev/null\n"), [])

    def test_nodes_of_an_archive_and_of_a_base_image(self):
        nodes = [member(f"nodes/{name}", type=kind, devmajor=major, devminor=minor, mode=0o666)
                 for name, kind, major, minor in (("null", tarfile.CHRTYPE, 1, 3), ("mem", tarfile.CHRTYPE, 1, 1),
                                                  ("sda", tarfile.BLKTYPE, 8, 0), ("vda", tarfile.BLKTYPE, 254, 0))]
        self.files({"nodes.tar": tar_of(nodes)})
        script = "(for f in /nodes/*; do head -c 1 $f && echo $f; done; true) > /out 2>/dev/null"
        built = self.attack(f"FROM busybox\nADD nodes.tar /\nRUN {script}\n")
        if built.status == 0:
            self.assertEqual(built.layout.text("/out"), "")
        flag = self.image("evil", *nodes)
        built = self.attack(f"FROM evil\nRUN {script}\n", flag)
        if built.status == 0:
            self.assertEqual(built.layout.text("/out"), "")
        built = self.attack("FROM evil AS e\nFROM busybox\nRUN --mount=from=e,source=/nodes,target=/nodes " + script +
                            "\n", flag)
        if built.status == 0:
            self.assertEqual(built.layout.text("/out"), "")

    def test_the_standard_devices_cannot_be_changed(self):
        before = os.stat("/dev/null")
        self.attack("FROM busybox\nRUN chmod 0 /dev/null; chown 1 /dev/zero; rm -f /dev/null /dev/full; true\n", expect=0)
        after = os.stat("/dev/null")
        self.assertEqual((before.st_mode, before.st_uid, before.st_rdev), (after.st_mode, after.st_uid, after.st_rdev))
        self.assertEqual(self.lines("FROM busybox\nRUN stat -c %a /dev/null > /out\n"), ["666"])
