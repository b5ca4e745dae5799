"""How much a build asks of the kernel: a measure of its speed that is the same on every machine."""
import os
import re
import subprocess

from support import Case
from support.case import SWBUILD, TIMEOUT


class SystemCalls(Case):
    """Counts with a margin: they grow by a few with the system's libraries, and by many with a step back."""
    # Programs are looked for in each of its directories.
    PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

    def counts(self, buildfile: str, *flags) -> dict[str, int]:
        """The system calls of a build, by name, its threads and children included."""
        arguments, _, _ = self.arguments(buildfile, *flags)
        return self.counts_of(arguments)

    def counts_of(self, arguments: list) -> dict[str, int]:
        report = self.directory / f"strace{self.count}"
        done = subprocess.run(["strace", "-f", "-c", "-U", "name,calls", "-o", report, SWBUILD, *map(str, arguments)],
                              capture_output=True, timeout=TIMEOUT, check=False,
                              env={**os.environ, "SWBUILD_ROOT": str(self.state), "PATH": self.PATH})
        self.assertEqual(done.returncode, 0, done.stderr.decode()[-3000:])
        lines = re.findall(r"^(\w+)\s+(\d+)$", report.read_text(), re.MULTILINE)
        counts = {name: int(calls) for name, calls in lines if name != "total"}
        self.assertIn("openat", counts, report.read_text())
        return counts

    def steps(self, count: int) -> str:
        return "FROM busybox\n" + "".join(f"RUN echo {number} > /file{number}\n" for number in range(count))

    def test_a_build_that_finds_all_in_the_cache_asks_little(self):
        few, many = self.steps(4), self.steps(24)
        self.build(many)
        self.counts(few)  # the image of this name changes
        first, more = self.counts(few), self.counts(many)
        # What the loader does for the program's libraries depends on how it was linked.
        start = sum(self.counts_of(["version"]).values())
        self.assertLess(sum(first.values()) - start, 520, first)
        # A step more: its layer's file looked at, copied into the layout, and shown; no thread, no process, no log.
        each = (sum(more.values()) - sum(first.values())) / 20
        self.assertLess(each, 25, (first, more))
        for name in ("clone", "clone3", "vfork", "mount"):
            self.assertLess(more.get(name, 0) - first.get(name, 0), 5, name)

    def test_files_that_are_as_they_were_are_not_opened(self):
        for number in range(2000):
            self.files({f"d{number % 20}/file{number}": f"{number}\n"})
        buildfile = "FROM busybox\nCOPY . /files\n"
        # Files that were changed just now are read again by the next build: not these.
        for path in self.context.rglob("*"):
            os.utime(path, (1_600_000_000, 1_600_000_000))
        self.settle()
        self.build(buildfile)
        counts = self.counts(buildfile)
        self.assertLess(counts["statx"], 2000 + 300, counts)
        for name in ("openat", "openat2", "read", "pread64", "close"):
            self.assertLess(counts.get(name, 0), 300, counts)

    def test_files_that_the_ignore_file_drops_are_not_asked_about(self):
        for number in range(2000):
            self.files({f"d{number % 20}/file{number}.o": ""})
        self.files({".dockerignore": "**/*.o\n", "d0/kept": ""})
        counts = self.counts("FROM busybox\nCOPY . /files\n")
        self.assertLess(counts["statx"], 300, counts)

    def test_a_step_costs_a_bounded_number_of_calls(self):
        self.build(self.steps(1))
        few, many = self.counts(self.steps(4)), self.counts(self.steps(14))
        each = (sum(many.values()) - sum(few.values())) / 10
        self.assertLess(each, 900, (few, many))
