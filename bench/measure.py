"""Runs a command and measures it: wall time, CPU time, and peak memory of the whole process tree."""
from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import threading

LAUNCHER = pathlib.Path(__file__).resolve().with_name("launch.py")


@dataclasses.dataclass
class Measurement:
    seconds: float
    cpu_seconds: float
    peak_bytes: int | None = None
    step_seconds: float | None = None  # what the measured step's own command took

    def less(self, other: "Measurement", parts: int) -> "Measurement":
        """How much more this one took, divided by `parts`; memory is the larger of both."""
        return Measurement((self.seconds - other.seconds) / parts, (self.cpu_seconds - other.cpu_seconds) / parts,
                           max(self.peak_bytes or 0, other.peak_bytes or 0))

    def __add__(self, other: "Measurement") -> "Measurement":
        def larger(one, two):
            return max((value for value in (one, two) if value is not None), default=None)
        return Measurement(self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds,
                           larger(self.peak_bytes, other.peak_bytes), larger(self.step_seconds, other.step_seconds))


class Failed(Exception):
    """A command that was to be measured ended with an error."""


def run(command: list[str], log: pathlib.Path, watch_memory: bool = False, env: dict | None = None) -> Measurement:
    """Runs `command`, its output to `log`.

    CPU time is that of the command and of all its descendants that were waited for. Memory is the larger of two: the
    peak of the largest of these processes, which the kernel keeps, so that nothing is too short to be seen; and, where
    asked for, the sum over all processes, sampled from /proc. Sampling costs time: runs that count for time do without.
    """
    report = log.with_suffix(".json")
    launcher = [sys.executable, "-S", "-E", str(LAUNCHER), str(report)]
    with open(log, "wb") as output:
        process = subprocess.Popen([*launcher, *command], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        watcher = MemoryWatcher(process.pid) if watch_memory else None
        process.wait()
    sampled = watcher.stop() if watcher else 0
    if process.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: cannot be run: {log.read_text(errors='replace')[-500:]}")
    used = json.loads(report.read_text())
    if used["status"] != 0:
        tail = log.read_text(errors="replace")[-1500:]
        raise Failed(f"{' '.join(map(str, command))}: exit {used['status']}\n{tail}")
    return Measurement(used["seconds"], used["cpu_seconds"], max(sampled, used["largest"]))


class MemoryWatcher:
    """Samples the resident memory of a process and its descendants, every few milliseconds."""

    INTERVAL = 0.01

    def __init__(self, pid: int):
        self.pid = pid
        self.peak = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self):
        while not self.ended.wait(self.INTERVAL):
            # The first of them is what runs the command.
            self.peak = max(self.peak, sum(private_bytes(pid) for pid in descendants(self.pid)[1:]))

    def stop(self) -> int:
        self.ended.set()
        self.thread.join()
        return self.peak


def descendants(root: int) -> list[int]:
    """`root` and all processes below it."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                # The name in parentheses may hold anything: what follows the last one is the state and the parent.
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # ended meanwhile
            children.setdefault(int(fields[1]), []).append(int(entry))
    found, open_ends = [], [root]
    while open_ends:
        pid = open_ends.pop()
        found.append(pid)
        open_ends += children.get(pid, [])
    return found


def private_bytes(pid: int) -> int:
    """The process's share of the memory in use, file pages shared with others left out."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
