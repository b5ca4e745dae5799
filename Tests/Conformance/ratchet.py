#!/usr/bin/env python3
"""Runs the conformance cases, and fails when one that used to pass no longer does.

    ratchet.py --swbuild PATH [NAME-GLOB ...]    run; cases in ratchet.txt must pass
    ratchet.py --swbuild PATH --update           run, and add to ratchet.txt what passes by now
    ratchet.py --swbuild PATH --verbose          say for every failing case what differs
    ratchet.py --swbuild PATH --rootless         build as an ordinary user with subordinate ids (called by root)
    ratchet.py --swbuild PATH --rootless --no-ids    … as one without

The last line is `N passed, N failed`, where only cases of ratchet.txt count as failed: the others are
not conforming yet, and named. conform.py says what a case is and compares it.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import sys
import tempfile

import conform

HERE = pathlib.Path(__file__).resolve().parent
RATCHET = HERE / "ratchet.txt"
# Cases of the ratchet that no ordinary user can pass, with the reason.
NOT_ROOTLESS = HERE / "not-rootless.txt"
# Those that no user without subordinate ids can pass.
NOT_SINGLE_ID = HERE / "not-single-id.txt"
AS_USER = HERE.parent / "Integration" / "support" / "rootless.py"
HEADER = "# Cases that pass, and must go on passing. Written by `make conformance-update`; a case leaves by hand only.\n"


def read_names(path: pathlib.Path) -> set[str]:
    lines = path.read_text().splitlines() if path.exists() else []
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def write_ratchet(names: set[str]) -> None:
    RATCHET.write_text(HEADER + "".join(f"{name}\n" for name in sorted(names)))


def run_group(names: list[str], swbuild: str, bases: str) -> dict[str, list[str]]:
    """Runs cases one after the other in a process of their own; says for each what differs."""
    directory = pathlib.Path(bases)
    base_tree = conform.read_layout(directory / "busybox")["tree"]
    cases = conform.load(HERE / "cases", names)
    server = conform.Server()
    results = {}
    for name in names:
        expected = json.loads((HERE / "cases" / "expected" / f"{name}.json").read_text())
        try:
            results[name] = conform.run_case(name, cases[name], expected, swbuild, directory, base_tree, server)
        except Exception as problem:  # noqa: BLE001 - one broken case must not hide the others
            results[name] = [f"the runner failed: {type(problem).__name__}: {problem}"]
    return results


def groups(cases: dict[str, dict], size: int = 8) -> list[list[str]]:
    """Splits the cases so that those which need the one HTTP port are in a single group, at the front."""
    served = [name for name, case in cases.items() if case.get("served")]
    rest = [name for name in cases if name not in set(served)]
    return [group for group in [served] if group] + [rest[at:at + size] for at in range(0, len(rest), size)]


def run_all(swbuild: str, cases: dict[str, dict], workers: int) -> dict[str, list[str]]:
    results: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="conform-base-") as bases:
        for name, extra in conform.BASES.items():
            conform.write_base(pathlib.Path(bases) / name, extra)
        with concurrent.futures.ProcessPoolExecutor(workers) as pool:
            jobs = [pool.submit(run_group, group, swbuild, bases) for group in groups(cases)]
            for job in concurrent.futures.as_completed(jobs):
                results.update(job.result())
    return results


def report(results: dict[str, list[str]], ratchet: set[str], verbose: bool) -> int:
    """Prints what came out; returns how many cases of the ratchet failed."""
    failing = sorted(name for name, problems in results.items() if problems)
    regressions = [name for name in failing if name in ratchet]
    not_yet = [name for name in failing if name not in ratchet]
    for name in failing:
        if name in ratchet or verbose:
            print(f"{'FAIL' if name in ratchet else 'not yet'} {name}")
            for problem in results[name][:8]:
                print(f"     {problem}")
    fresh = sorted(name for name, problems in results.items() if not problems and name not in ratchet)
    if fresh:
        print(f"{len(fresh)} pass that are not in ratchet.txt (make conformance-update adds them): {' '.join(fresh)}")
    if not_yet:
        print(f"{len(not_yet)} do not conform yet: {' '.join(not_yet)}")
    return len(regressions)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swbuild", required=True, type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--rootless", action="store_true")
    parser.add_argument("--no-ids", action="store_true", help="with --rootless: a user without subordinate ids")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("globs", nargs="*")
    options = parser.parse_args()
    swbuild = options.swbuild.resolve()
    if not swbuild.is_file():
        parser.error(f"{swbuild} is not there: run `make build` first")
    if options.rootless and os.geteuid() == 0:
        flags = ["--no-ids"] if options.no_ids else []
        os.execv(sys.executable, [sys.executable, str(AS_USER), *flags, sys.executable, *sys.argv])
    ratchet = read_names(RATCHET)
    if options.rootless:
        ratchet -= read_names(NOT_ROOTLESS)
    if options.no_ids:
        ratchet -= read_names(NOT_SINGLE_ID)
    cases = conform.load(HERE / "cases", options.globs)
    gone = sorted(ratchet - conform.load(HERE / "cases", []).keys())
    for name in gone:
        print(f"FAIL {name}: in ratchet.txt, but there is no such case")
    results = run_all(str(swbuild), cases, options.workers)
    if options.update:
        ratchet |= {name for name, problems in results.items() if not problems}
        write_ratchet(ratchet)
    failed = report(results, ratchet, options.verbose) + len(gone)
    print(f"{sum(not problems for problems in results.values())} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
