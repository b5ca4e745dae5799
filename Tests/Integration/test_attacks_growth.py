"""Build files of a few kilobytes that ask for gigabytes, and texts that a reader should not see as they are."""
import os
import pty
import resource
import select
import signal
import subprocess

from support.attack import AttackCase
from support.case import SWBUILD, Build

MEMORY = 700 << 20
SECONDS = 120


class Growth(AttackCase):
    """What is small in a build file is small in swbuild's memory, or refused."""

    def bounded(self, buildfile: str, *flags) -> Build:
        """A build or check that may take so much memory and time of processors, and no more."""
        arguments, _, _ = self.arguments(buildfile, *flags)

        def limit():
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        process = subprocess.Popen([SWBUILD, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=(self.directory / "stderr").open("w"),
                                   env={**os.environ, "SWBUILD_ROOT": str(self.state)}, preexec_fn=limit)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        error = (self.directory / "stderr").read_text(errors="replace")
        self.assertIn(process.returncode, (0, 1), error[-2000:])
        self.assertLess(usage.ru_maxrss << 10, MEMORY, error[-2000:])
        return Build(process.returncode, "", error, self.directory, self.directory / "none")

    # Half a megabyte.
    LONG = "FROM scratch\nENV a=aaaaaaaa\n" + "ENV a=$a$a\n" * 16

    def test_values_that_multiply(self):
        several = {
            "labels of one instruction": self.LONG + "LABEL " + " ".join(f"l{i}=$a" for i in range(2000)),
            "volumes": self.LONG + "VOLUME " + " ".join(["$a"] * 2000),
        }
        for name, text in several.items():
            with self.subTest(name):
                build = self.bounded(text + "\n")
                self.assertEqual(build.status, 1)
                self.assertMentions(build, "beyond")

    def test_ranges_of_ports(self):
        self.assertEqual(self.bounded("FROM scratch\nEXPOSE 1-65535 1-65535/udp\n").status, 0)
        for text in ("EXPOSE " + "1-65535 " * 1000, "EXPOSE 1-65535\n" * 1000):
            self.assertEqual(self.bounded(f"FROM scratch\n{text}\n").status, 1)

    def test_stages_that_inherit_from_one_another(self):
        """The sum of what they inherit grows with the square of their number."""
        text = "FROM scratch AS s0\n" + "".join(f"FROM s{i} AS s{i + 1}\nENV a{i}=b\n" for i in range(4000))
        self.assertMentions(self.bounded(text), "inherit")
        self.bounded(text, "--check")

    def test_steps_that_inherit_from_one_another(self):
        text = "FROM busybox\n" + "".join(f"ENV a{i}=b\n" for i in range(8000)) + "RUN true\n" * 8000
        self.assertMentions(self.bounded(text), "inherit")


class Directions(AttackCase):
    """Characters that change the direction of text show a command as another one."""

    TRICK = "\u202e\u2066\u2069\u202c"

    def terminal(self, *arguments) -> str:
        """What swbuild writes to a terminal."""
        master, slave = pty.openpty()
        process = subprocess.Popen([SWBUILD, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=slave,
                                   stderr=slave, env={**os.environ, "SWBUILD_ROOT": str(self.state)})
        os.close(slave)
        written = b""
        while True:
            ready, _, _ = select.select([master], [], [], 60)
            if not ready:
                process.send_signal(signal.SIGKILL)
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            written += piece
        process.wait()
        os.close(master)
        return written.decode("utf-8", "replace")

    def test_they_are_replaced(self):
        self.files({f"name{self.TRICK}": "x"})
        arguments, _, _ = self.arguments(
            f"FROM busybox\nLABEL x='{self.TRICK}'\nRUN echo 'a{self.TRICK}b'\nCOPY nothing{self.TRICK} /\n",
            "-t", "trick:latest")
        shown = self.terminal(*arguments) + self.terminal("context", self.context)
        self.assertIn("echo 'a\ufffd\ufffd\ufffd\ufffdb'", shown)
        for character in self.TRICK:
            self.assertNotIn(character, shown)
