"""`swbuild run`: an image in the sandbox of build steps."""
import fcntl
import os
import pathlib
import pty
import secrets
import select
import signal
import struct
import subprocess
import termios
import time

from support import Case, mounts_below, processes_with, wait_until
from support.case import SWBUILD

TEXT = """\
FROM busybox
ENV GREETING=hello
RUN echo in-the-image > /file
USER build
WORKDIR /home/build
CMD ["sh", "-c", "echo $GREETING; id -u; pwd; cat /file"]
"""


class Runs(Case):
    def setUp(self):
        super().setUp()
        self.build(TEXT)

    def run_image(self, *arguments, expect: int = 0, input: bytes | None = None, env: dict | None = None):
        done = self.run_swbuild("run", *arguments, input=input, env=env)
        self.assertEqual(done.status, expect, done.stderr)
        return done

    def begin(self, *arguments, **options) -> subprocess.Popen:
        process = subprocess.Popen([SWBUILD, "run", *arguments], env={**os.environ, "SWBUILD_ROOT": str(self.state)},
                                   **options)
        self.addCleanup(self._end, process)
        return process

    def test_the_command_of_the_image(self):
        done = self.run_image("test:latest")
        self.assertEqual(done.stdout.splitlines(), ["hello", "1000", "/home/build", "in-the-image"])
        self.assertEqual(done.stderr, "")

    def test_another_command(self):
        done = self.run_image("-e", "A=1", "-u", "0", "-w", "/tmp", "--hostname", "box", "test:latest", "sh", "-c",
                              "echo $A $GREETING; id -u; pwd; hostname; echo to-stderr >&2")
        self.assertEqual(done.stdout.splitlines(), ["1 hello", "0", "/tmp", "box"])
        self.assertEqual(done.stderr, "to-stderr\n")
        self.assertEqual(self.run_image("--entrypoint", "echo", "test:latest", "-u", "x").stdout, "-u x\n")

    def test_the_status_is_passed_on(self):
        self.run_image("test:latest", "sh", "-c", "exit 7", expect=7)
        self.run_image("test:latest", "sh", "-c", "kill -TERM $$", expect=128 + signal.SIGTERM)
        self.assertIn("not found in PATH", self.run_image("test:latest", "missing", expect=127).stderr)
        self.assertIn("not executable", self.run_image("test:latest", "/file", expect=126).stderr)
        self.assertIn("no image", self.run_image("none:1", expect=125).stderr)
        self.assertIn("HOST:CONTAINER", self.run_image("-v", "x", "test:latest", expect=64).stderr)

    def test_input_reaches_it(self):
        text = b"x" * 300_000
        done = self.run_image("test:latest", "sh", "-c", "wc -c; readlink /proc/self/fd/0 | cut -c1-4", input=text)
        self.assertEqual(done.stdout.split(), ["300000", "pipe"])
        # What is not read is no reason to wait.
        self.run_image("test:latest", "true", input=text)

    def test_output_of_any_size_is_passed_on(self):
        done = self.run_image("test:latest", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
        self.assertEqual(len(done.stdout), 3_000_000)

    def test_writes_are_thrown_away(self):
        self.run_image("-u", "0", "test:latest", "sh", "-c", "echo 1 > /new; rm /file; echo 2 > /tmp/x")
        done = self.run_image("test:latest", "sh", "-c", "ls /new /tmp/x; cat /file", expect=0)
        self.assertEqual(done.stdout, "in-the-image\n")
        self.assertEqual(os.listdir(self.state / "tmp"), [])
        self.assertEqual(mounts_below(self.state), [])

    def test_it_is_confined_as_steps_are(self):
        done = self.run_image("-u", "0", "test:latest", "sh", "-c",
                              "grep -E '^(CapEff|Seccomp):' /proc/self/status | cut -f2; ls /sys/class/net; "
                              "mount -t tmpfs none /tmp 2>/dev/null || echo no")
        self.assertEqual(done.stdout.split()[:2], ["00000000a80425fb", "2"])
        self.assertEqual(done.stdout.split()[-1], "no")
        limited = self.run_image("--cap-drop", "ALL", "--ulimit", "nofile=99:99", "-u", "0", "test:latest", "sh", "-c",
                                 "grep CapBnd /proc/self/status | cut -f2; ulimit -n")
        self.assertEqual(limited.stdout.split(), ["0" * 16, "99"])

    def test_its_limits_are_those_of_steps(self):
        """In a cgroup, whose limits are kept, told of, and gone afterwards."""
        parent = f"tests-{secrets.token_hex(6)}"
        places = [pathlib.Path(path) for path, _, _ in os.walk("/sys/fs/cgroup") if path.count("/") < 6]
        self.addCleanup(lambda: [os.rmdir(place / parent) for place in places if (place / parent).is_dir()])
        limits = ["--cgroup-parent", f"/{parent}"]
        killed = self.run_image(*limits, "-m", "24m", "test:latest", "dd", "if=/dev/zero", "of=/dev/null", "bs=200M",
                                "count=1", expect=137)
        self.assertIn("ended a process of the container at its limit of 24 MiB (--memory)", killed.stderr)
        refused = self.run_image(*limits, "--pids-limit", "4", "test:latest", "sh", "-c",
                                 "for i in 1 2 3 4; do sleep 1 & done; wait", expect=2)
        self.assertIn("limit of 4 processes and threads (--pids-limit)", refused.stderr)
        done = self.run_image(*limits, "--cpuset-cpus", "0", "test:latest", "sh", "-c",
                              "grep Cpus_allowed_list /proc/self/status; cat", input=b"read\n")
        self.assertEqual(done.stdout.split(), ["Cpus_allowed_list:", "0", "read"])
        used = [place / parent for place in places if (place / parent).is_dir()]
        self.assertTrue(used)
        self.assertEqual([child for place in used for child in place.iterdir() if child.is_dir()], [])
        self.assertIn("--memory", self.run_image("-m", "1k", "test:latest", "true", expect=64).stderr)

    def test_the_network_of_the_host(self):
        done = self.run_image("--network", "host", "test:latest", "readlink", "/proc/self/ns/net")
        self.assertEqual(done.stdout.strip(), os.readlink("/proc/self/ns/net"))

    def test_volumes(self):
        (self.context / "given").write_text("from-the-host\n")
        done = self.run_image("-u", "0", "-v", f"{self.context}:/new/place:ro", "-v", f"{self.context}/given:/one",
                              "test:latest", "sh", "-c", "cat /new/place/given; echo x > /new/place/given; echo more > /one")
        self.assertEqual(done.stdout, "from-the-host\n")
        self.assertIn("Read-only", done.stderr)
        self.assertEqual((self.context / "given").read_text(), "more\n")

    def test_devices(self):
        done = self.run_image("-u", "0", "--device", "/dev/zero:/dev/given", "--device", "/dev/full:/opt/full",
                              "test:latest", "sh", "-c", "head -c 3 /dev/given | wc -c; stat -c %F /opt/full; echo x > /opt/full",
                              expect=1)
        self.assertEqual(done.stdout, "3\ncharacter special file\n")
        self.assertIn("No space", done.stderr)

    def test_options_of_builds_alone_are_refused(self):
        for flags in (("--allow", "network.host"), ("--no-leak-check",), ("--runtime", "runc")):
            self.assertIn(flags[0], self.run_image(*flags, "test:latest", "true", expect=64).stderr)

    def test_signals_reach_it_though_nobody_reads(self):
        process = self.begin("test:latest", "yes", "is-not-read", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

        def is_full():
            """the pipe to be full"""
            waiting = struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, b"\0" * 4))[0]
            return waiting >= 61440
        wait_until(is_full)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 128 + signal.SIGTERM)
        self.assertFalse(processes_with("yes\0is-not-read"))

    def test_output_that_is_read_late_is_complete(self):
        process = self.begin("test:latest", "sh", "-c", "head -c 200000 /dev/zero", stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE)
        wait_until(lambda: not processes_with("head\0-c\000200000"))
        self.assertEqual(len(process.stdout.read()), 200_000)
        self.assertEqual(process.wait(30), 0)

    def test_signals_are_passed_on(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signal=number):
                process = self.begin(
                    "test:latest", "sh", "-c", f"trap 'echo caught; exit 9' {int(number)}; echo ready; while :; do sleep 0.05; done",
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.assertEqual(process.stdout.readline(), b"ready\n")
                process.send_signal(number)
                self.assertEqual(process.wait(30), 9)
                self.assertEqual(process.stdout.read(), b"caught\n")

    def test_nothing_outlives_it(self):
        process = self.begin("test:latest", "sleep", "98761", stdin=subprocess.DEVNULL)
        wait_until(lambda: processes_with("sleep\00098761"))
        process.kill()
        process.wait(30)
        wait_until(lambda: not processes_with("sleep\00098761"))
        wait_until(lambda: not mounts_below(self.state))

    def test_input_that_is_passed_over_is_not_handed_in(self):
        """A descriptor of the caller's could be opened once more, for writing."""
        path = self.directory / "input"
        path.write_text("original\n")
        with open(path) as file:
            process = self.begin("-u", "0", "test:latest", "sh", "-c", "echo changed > /proc/self/fd/0; true", stdin=file)
            process.wait(30)
        self.assertEqual(path.read_text(), "original\n")


class Terminals(Case):
    def setUp(self):
        super().setUp()
        self.build(TEXT)

    def session(self, *arguments) -> tuple[int, int]:
        """Starts a run on a terminal of its own; its process and the terminal's master."""
        pid, master = pty.fork()
        if pid == 0:
            os.environ["SWBUILD_ROOT"] = str(self.state)
            os.execv(SWBUILD, [SWBUILD, "run", *arguments])
        self.addCleanup(os.close, master)
        return pid, master

    def read_until(self, master: int, text: bytes) -> bytes:
        found = b""
        end = time.monotonic() + 30
        while text not in found:
            self.assertLess(time.monotonic(), end, found)
            if select.select([master], [], [], 1)[0]:
                try:
                    found += os.read(master, 4096)
                except OSError:
                    self.fail(f"the terminal was closed: {found!r}")
        return found

    def status(self, pid: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_a_terminal_of_its_own(self):
        pid, master = self.session("test:latest", "sh", "-c", "tty; test -t 0 && test -t 1 && test -t 2 && echo all; "
                                   "echo x > /dev/tty; read line; echo got $line; exit 5")
        shown = self.read_until(master, b"all\r\nx\r\n")
        self.assertIn(b"/dev/pts/0\r\n", shown)
        os.write(master, b"typed\n")
        self.assertIn(b"got typed", self.read_until(master, b"got typed"))
        self.assertEqual(self.status(pid), 5)

    def test_keys_that_are_signals(self):
        pid, master = self.session("test:latest", "sh", "-c", "trap 'echo caught; exit 3' INT; echo ready; "
                                   "while :; do sleep 0.05; done")
        self.read_until(master, b"ready")
        os.write(master, b"\x03")
        self.read_until(master, b"caught")
        self.assertEqual(self.status(pid), 3)

    def test_the_size_follows(self):
        pid, master = self.session("test:latest", "sh", "-c", "trap 'stty size; exit' WINCH; stty size; echo ready; "
                                   "while :; do sleep 0.05; done")
        self.read_until(master, b"ready")
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        self.read_until(master, b"33 77")
        self.assertEqual(self.status(pid), 0)

    def test_the_terminal_is_as_before(self):
        pid, master = pty.fork()
        if pid == 0:
            os.environ["SWBUILD_ROOT"] = str(self.state)
            script = f"stty -a > {self.directory}/before; {SWBUILD} run test:latest true; stty -a > {self.directory}/after"
            os.execv("/bin/sh", ["sh", "-c", script])
        self.addCleanup(os.close, master)
        self.assertEqual(self.status(pid), 0)
        self.assertEqual((self.directory / "before").read_text(), (self.directory / "after").read_text())

    def test_the_terminal_of_the_caller_is_out_of_reach(self):
        """TIOCSTI puts letters into a terminal's input; the only terminal in there is the sandbox's own."""
        pid, master = self.session("-u", "0", "test:latest", "sh", "-c",
                                   "ls -l /proc/self/fd | grep -c /dev/pts/0; ls /dev/pts; echo done")
        shown = self.read_until(master, b"done")
        self.assertIn(b"2\r\n", shown)
        self.assertIn(b"0 ptmx", b" ".join(shown.split()))
        self.assertEqual(self.status(pid), 0)
