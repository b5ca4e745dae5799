"""How much memory a build takes for each file of its context."""
import json
import os
import pathlib
import subprocess
import sys

from support import Case
from support.case import SWBUILD, TIMEOUT

LAUNCHER = pathlib.Path(__file__).resolve().parents[2] / "bench/launch.py"


class Memory(Case):
    # Both so many that all buffers of a fixed size are in use.
    FEW, MANY = 22_000, 102_000

    def peak(self, buildfile: str) -> int:
        """The largest resident size that a build had."""
        arguments, _, _ = self.arguments(buildfile)
        report = self.directory / f"peak{self.count}"
        done = subprocess.run([sys.executable, "-S", "-E", LAUNCHER, report, SWBUILD, *map(str, arguments)],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False,
                              env={**os.environ, "SWBUILD_ROOT": str(self.state)})
        used = json.loads(report.read_text())
        self.assertEqual(used["status"], 0, done.stderr.decode()[-3000:])
        return used["largest"]

    def make(self, start: int, end: int) -> None:
        for number in range(start, end):
            directory = self.context / f"directory{number % 97}"
            if number < 97:
                directory.mkdir()
            os.close(os.open(directory / f"file{number}", os.O_CREAT | os.O_WRONLY))

    def test_a_file_of_the_context_takes_little(self):
        """Measured 250 bytes a file where the layer is new, 70 where it is not; the bounds leave room for what threads keep to themselves."""
        buildfile = "FROM busybox\nCOPY . /files\n"
        self.make(0, self.FEW)
        few, few_cached = self.peak(buildfile), self.peak(buildfile)
        self.make(self.FEW, self.MANY)
        many, many_cached = self.peak(buildfile), self.peak(buildfile)
        each = (many - few) / (self.MANY - self.FEW)
        each_cached = (many_cached - few_cached) / (self.MANY - self.FEW)
        self.assertLess(each_cached, 140, (few_cached, many_cached))
        self.assertLess(each, 400, (few, many))
