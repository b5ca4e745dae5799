#!/usr/bin/env python3
"""Runs the integration tests: every test_*.py beside this file, each in a process of its own.

    SWBUILD=PATH run.py [GLOB ...]      GLOB matches file or test names, e.g. 'test_cache*' or '*corrupt*'

Names what fails and what is skipped; the last line is `N passed, N failed`. With CI set, a skipped test has failed,
but for one that needs what no set-up can give: a server of the world outside that answers.
"""
import argparse
import concurrent.futures
import dataclasses
import fnmatch
import multiprocessing
import os
import pathlib
import signal
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Conformance")]

from support.skips import OUTSIDE  # noqa: E402 (found by way of the line above)


@dataclasses.dataclass
class Outcome:
    name: str
    kind: str  # "passed", "failed", "skipped" or "outside": skipped for want of a server outside
    text: str
    seconds: float


class Collector(unittest.TestResult):
    """Turns what unittest reports into outcomes, sub-tests into failures of their test."""

    def __init__(self):
        super().__init__()
        self.outcomes: list[Outcome] = []
        self.current: Outcome | None = None

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.current = Outcome(short_name(test), "passed", "", 0)

    def stopTest(self, test):
        super().stopTest(test)
        self.current.seconds = time.monotonic() - self.began
        self.outcomes.append(self.current)
        self.current = None

    def _fail(self, test, error):
        text = self._exc_info_to_string(error, test)
        if self.current is None:  # in setUpClass or at import
            self.outcomes.append(Outcome(short_name(test), "failed", text, 0))
            return
        self.current.kind = "failed"
        self.current.text += text

    def addError(self, test, error):
        self._fail(test, error)

    def addFailure(self, test, error):
        self._fail(test, error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.current.text += f"[{subtest._subDescription()}] "
            self._fail(test, error)

    def addSkip(self, test, reason):
        self.current.kind = "outside" if reason.startswith(OUTSIDE) else "skipped"
        self.current.text = reason


def short_name(test) -> str:
    return ".".join(str(test.id()).split(".")[-3:])


def tests_of(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from tests_of(item)
        else:
            yield item


def run_file(stem: str, globs: list[str]) -> list[Outcome]:
    found = tests_of(unittest.defaultTestLoader.loadTestsFromName(stem))
    chosen = [test for test in found if not globs or any(
        fnmatch.fnmatch(name, glob) for glob in globs for name in (stem, short_name(test)))]
    collector = Collector()
    unittest.TestSuite(chosen).run(collector)
    return collector.outcomes


def can_be_interrupted() -> None:
    """Signals that end this process do so as Ctrl-C does: what was made is removed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)


def end_workers() -> None:
    """Ends those that run, and those that come for what was already handed out; each once, for it has to tidy up."""
    told = set()
    while workers := multiprocessing.active_children():
        for worker in workers:
            if worker.pid not in told:
                told.add(worker.pid)
                worker.terminate()
        workers[0].join(1)


def run_files(pool: concurrent.futures.Executor, options: argparse.Namespace) -> dict[str, int]:
    """Runs the tests of every file and tells of each as its file is done: how many there are of each kind."""
    counts = {"passed": 0, "failed": 0, "skipped": 0, "outside": 0}
    jobs = [pool.submit(run_file, path.stem, options.globs) for path in sorted(HERE.glob("test_*.py"))]
    for job in concurrent.futures.as_completed(jobs):
        for outcome in job.result():
            counts[outcome.kind] += 1
            if outcome.kind != "passed" or options.verbose:
                word = {"passed": "ok", "failed": "FAIL", "skipped": "SKIP", "outside": "SKIP"}[outcome.kind]
                print(f"{word} {outcome.name} ({outcome.seconds:.1f} s)", flush=True)
                print("".join(f"     {line}\n" for line in outcome.text.splitlines()[-40:]), end="")
    return counts


def main() -> int:
    can_be_interrupted()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="name the passing tests and their time too")
    parser.add_argument("globs", nargs="*")
    options = parser.parse_args()
    swbuild = pathlib.Path(os.environ.get("SWBUILD", HERE.parent.parent / ".build/release/swbuild")).resolve()
    if not swbuild.is_file():
        parser.error(f"{swbuild} is not there: run `make build` first, or set SWBUILD")
    os.environ["SWBUILD"] = str(swbuild)
    os.environ.pop("SWBUILD_ROOT", None)
    os.environ.pop("SOURCE_DATE_EPOCH", None)
    with concurrent.futures.ProcessPoolExecutor(options.workers, max_tasks_per_child=1,
                                                initializer=can_be_interrupted) as pool:
        try:
            counts = run_files(pool, options)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            end_workers()
            raise
    if os.environ.get("CI"):
        counts["failed"] += counts["skipped"]
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
