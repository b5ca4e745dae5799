#!/usr/bin/env python3
"""Compares swbuild with the other builders on PATH on generated inputs. README.md says what is measured, and how."""
from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import os
import pathlib
import platform
import re
import secrets
import shutil
import sys
import time

import builders
import report
from measure import Failed, Measurement
from workloads import WORKLOADS, Input, Workload, steps

HERE = pathlib.Path(__file__).resolve().parent


class Bench:
    """One workload with one builder: keeps the state directory, and builds into a fresh layout each time."""

    def __init__(self, builder: builders.Builder, workload: Workload, input: Input, directory: pathlib.Path):
        self.builder, self.workload, self.input = builder, workload, input
        # The state and the layout lie on the file system that the bench runs on, beside the input.
        self.call = builders.Call(directory / "Buildfile", input.context, input.base, directory / f"state-{builder.name}",
                                  directory / "layout", directory / f"{builder.name}.log")
        self.changes = 0
        # ext4 without a journal is slow to create files where thousands were deleted in the last minutes: that is no
        # builder's cost, and what is only moved away deletes nothing.
        self.kept = directory.parent / "kept" if workload.keeps_states else None
        self.call.buildfile.write_text(input.buildfile)

    def fresh(self) -> None:
        self.builder.forget(self.call.state, self.aside())
        self.call.state.mkdir()

    def aside(self) -> pathlib.Path | None:
        """Where to move what is not wanted any more; `None` to remove it."""
        if not self.kept:
            return None
        self.kept.mkdir(exist_ok=True)
        return self.kept / secrets.token_hex(6)

    def once(self, mode: str, watch_memory: bool = False) -> Measurement:
        if not self.input.shorter:
            return self.build_once(mode, watch_memory)
        # In turn, so that both see the machine as it is in this minute.
        buildfile, steps = self.input.shorter
        self.call.buildfile.write_text(buildfile)
        shorter = self.build_once(mode, watch_memory)
        self.call.buildfile.write_text(self.input.buildfile)
        return self.build_once(mode, watch_memory).less(shorter, steps)

    def build_once(self, mode: str, watch_memory: bool) -> Measurement:
        if mode == "nothing cached":
            self.fresh()
        elif mode == "one changed":
            self.changes += 1
            changed = self.input.change(self.changes)
            if changed:
                self.call.buildfile.write_text(changed)
        self.remove_output()
        os.sync()
        measured = self.builder.build(self.call, watch_memory)
        if self.workload.parses_step_time:
            measured.step_seconds = step_seconds(self.call.log.read_text(errors="replace"))
        return measured

    def measure(self, mode: str, runs: int) -> report.Row:
        if mode != "nothing cached":
            self.once("nothing cached")
        warm_up = self.once(mode, watch_memory=True)
        measured = [self.once(mode) for _ in range(runs)]
        peak = max(run.peak_bytes or 0 for run in [warm_up, *measured])
        return report.Row(self.workload.name, self.workload.title, mode, self.builder.name, measured, peak)

    def remove_output(self) -> None:
        aside = self.aside()
        if aside and self.call.output.exists():
            self.call.output.rename(aside)
        if self.call.output.is_file():
            self.call.output.unlink()
        shutil.rmtree(self.call.output, ignore_errors=True)

    def close(self) -> None:
        self.builder.forget(self.call.state, self.aside())
        self.remove_output()


def step_seconds(log: str) -> float | None:
    """What the shell's `time` said in a step's output: `real 0m 1.23s`."""
    found = re.findall(r"real\s+(\d+)m\s*([\d.]+)s", log)
    return int(found[-1][0]) * 60 + float(found[-1][1]) if found else None


def facts(options: argparse.Namespace, used: list[builders.Builder], reasons: list[str]) -> list[str]:
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return [f"{time.strftime('%Y-%m-%d')}, {model}, {len(os.sched_getaffinity(0))} cores, Linux {platform.release()}",
            f"median of {options.runs} runs" + (f", inputs scaled to {options.scale}" if options.scale != 1 else ""),
            *[f"{builder.name}: {builder.version()}" for builder in used], *[f"left out: {why}" for why in reasons]]


def run_workload(workload: Workload, used: list[builders.Builder], options, directory: pathlib.Path):
    input = workload.prepare(directory, options.scale)
    for builder in used:
        if not builder.measures(workload.name):
            continue
        bench = Bench(builder, workload, input, directory)
        for mode in workload.modes:
            try:
                row = bench.measure(mode, options.runs)
            except Failed as problem:
                print(f"{workload.name:12} {mode:15} {builder.name:10} FAILED {problem}", flush=True)
                continue
            print(f"{workload.name:12} {mode:15} {builder.name:10} {report.seconds(row.median):>9}  "
                  f"CPU {report.seconds(row.cpu):>9}  {(row.peak_bytes or 0) / 1e6:6.0f} MB", flush=True)
            yield row
        bench.close()


def write_results(rows: list[report.Row], lines: list[str], directory: pathlib.Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.md").write_text(report.markdown(rows, lines))
    (directory / "results.svg").write_text(report.svg(rows))
    (directory / "results.json").write_text(json.dumps(
        [{"workload": row.workload, "mode": row.mode, "builder": row.builder, "peak_bytes": row.peak_bytes,
          "seconds": [run.seconds for run in row.runs], "cpu_seconds": [run.cpu_seconds for run in row.runs]}
         for row in rows], indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swbuild", type=pathlib.Path, default=HERE.parent / ".build/release/swbuild")
    parser.add_argument("--runs", type=int, help="runs that count, 5 unless told otherwise")
    parser.add_argument("--quick", action="store_true", help="two runs, large inputs at a tenth of their size")
    parser.add_argument("--scale", type=float, help="the size of large inputs, 1 unless told otherwise")
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="workloads to run")
    parser.add_argument("--builder", action="append", default=[], metavar="NAME", help="builders to run")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--directory", type=pathlib.Path, help="where to work: the file system to measure on")
    parser.add_argument("--list", action="store_true", help="list the workloads")
    options = parser.parse_args()
    options.runs = options.runs or (2 if options.quick else 5)
    options.scale = options.scale or (0.1 if options.quick else 1)
    options.swbuild = options.swbuild.resolve()
    return options


@contextlib.contextmanager
def work_directory(parent: str):
    """A directory for the run. In /var/tmp unless told otherwise: /tmp may be in memory."""
    # Hexadecimal: buildah makes a reference of the path, and accepts no name that begins or ends in an underscore.
    directory = pathlib.Path(parent) / f"swbuild-bench-{secrets.token_hex(6)}"
    directory.mkdir(mode=0o700, parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def main() -> int:
    options = parse_arguments()
    if options.list:
        for workload in WORKLOADS:
            print(f"{workload.name:12} {workload.title} ({', '.join(workload.modes)})")
        return 0
    chosen = [workload for workload in WORKLOADS
              if not options.only or any(fnmatch.fnmatch(workload.name, glob) for glob in options.only)]
    with work_directory(options.directory or "/var/tmp") as directory:
        trial = directory / "trial"
        trial.mkdir()
        input = steps(1)(trial, 1)
        (trial / "Buildfile").write_text(input.buildfile)
        call = builders.Call(trial / "Buildfile", input.context, input.base, trial / "state", trial / "layout",
                             trial / "log")
        wanted = [builder for builder in builders.candidates(options.swbuild)
                  if builder.name in options.builder or not options.builder and not builder.only_on_request]
        used, reasons = builders.usable(wanted, call)
        lines = facts(options, used, reasons)
        print("\n".join(lines) + "\n", flush=True)
        if "swbuild" not in [builder.name for builder in used] and not options.builder:
            return 1
        rows = []
        for workload in chosen:
            place = directory / workload.name
            place.mkdir()
            rows += run_workload(workload, used, options, place)
            shutil.rmtree(place)
            # After each: a run of an hour may be broken off.
            if rows:
                write_results(rows, lines, options.results)
        if rows:
            print(f"\n{options.results}/results.md, results.svg, results.json")
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
