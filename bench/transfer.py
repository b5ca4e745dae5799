#!/usr/bin/env python3
"""Compares pulls from a registry on loopback, and pushes to it, with buildah and skopeo. README.md says what is measured."""
from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import builders
import generate
import report
from measure import Failed, Measurement, run
from run import work_directory

HERE = pathlib.Path(__file__).resolve().parent


@contextlib.contextmanager
def registry(directory: pathlib.Path):
    """Debian's docker-registry on loopback, its files below `directory`: its host and port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{listener.getsockname()[1]}"
    directory.mkdir()
    (directory / "config.yml").write_text(json.dumps({
        "version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}}, "http": {"addr": host},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}}}))
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", directory / "config.yml"], stdout=log, stderr=log)
        try:
            while socket.socket().connect_ex(("127.0.0.1", int(host.split(":")[1]))) != 0:
                if process.poll() is not None:
                    raise Failed(f"docker-registry ended: {(directory / 'log').read_text()[-500:]}")
                time.sleep(0.02)
            yield host
        finally:
            process.kill()
            process.wait()


def base(directory: pathlib.Path, megabytes: float, layers: int) -> pathlib.Path:
    """An image of busybox and `layers` layers, of so many megabytes together."""
    contents = [generate.busybox_layer()]
    for number in range(layers - 1):
        source = directory / "part"
        share = megabytes / (layers - 1)
        generate.write_files(source, int(50 * share), int(share * 1e6), generate.SEED + number)
        contents.append(generate.tree_layer(source, f"part{number}"))
        shutil.rmtree(source)
    return generate.write_image(directory / "image", contents)


class Transfers:
    """What is measured: each call makes the commands of one run, after it has cleared what a run before left."""

    def __init__(self, directory: pathlib.Path, host: str, swbuild: pathlib.Path, scale: float):
        self.directory, self.host, self.swbuild = directory, host, swbuild
        self.count = 0
        self.images = {}
        for name, megabytes, layers in (("pull", 170 * scale, 5), ("push", 250 * scale, 6)):
            place = directory / name
            place.mkdir()
            self.images[name] = base(place, megabytes, layers)
        self.call(["skopeo", "copy", "--dest-tls-verify=false", f"oci:{self.images['pull']}:latest",
                   f"docker://{host}/base:1"])
        self.buildfile = directory / "Buildfile"
        self.buildfile.write_text(f"FROM {host}/base:1\nRUN true\n")

    def call(self, command: list) -> None:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{command[0]}: {done.stderr[-500:]}")

    def state(self, name: str) -> pathlib.Path:
        path = self.directory / f"state-{name}"
        builders.Buildah("buildah", "bud").forget(path)
        path.mkdir()
        return path

    def buildah(self, state: pathlib.Path) -> list:
        return ["buildah", "--root", state / "root", "--runroot", state / "run", "--storage-driver", "overlay"]

    # --- a pull, and what it takes until a step runs on it ------------------------------

    def swbuild_build(self) -> list:
        state = self.state("swbuild")
        return [self.swbuild, "build", "--root", state, "-f", self.buildfile, "--progress", "plain", self.buildfile.parent / "pull"]

    def buildah_build(self) -> list:
        state = self.state("buildah")
        return [*self.buildah(state), "bud", "--tls-verify=false", "--layers", "--isolation", "chroot", "-f",
                self.buildfile, self.buildfile.parent / "pull"]

    def swbuild_pull(self) -> list:
        return [self.swbuild, "pull", "--root", self.state("swbuild"), f"{self.host}/base:1"]

    def buildah_pull(self) -> list:
        return [*self.buildah(self.state("buildah")), "pull", "--tls-verify=false", f"{self.host}/base:1"]

    def skopeo_pull(self) -> list:
        return ["skopeo", "copy", "--src-tls-verify=false", f"docker://{self.host}/base:1",
                f"oci:{self.state('skopeo')}/layout:1"]

    def skopeo_unpack(self) -> list:
        state = self.state("skopeo-storage")
        return ["skopeo", "copy", "--src-tls-verify=false", f"docker://{self.host}/base:1",
                f"containers-storage:[overlay@{state}/root+{state}/run]{self.host}/base:1"]

    # --- pushes, each to a new repository -----------------------------------------------

    def target(self) -> str:
        self.count += 1
        # Blobs are shared by the repositories of a registry: it must not have any of these.
        shutil.rmtree(self.directory / "registry/data", ignore_errors=True)
        return f"{self.host}/target{self.count}:1"

    def swbuild_push(self) -> list:
        name, state = self.target(), self.directory / "push-swbuild"
        if not state.exists():
            self.call([self.swbuild, "load", "--root", state, "-i", self.images["push"], "-t", "pushed:1"])
        self.call([self.swbuild, "tag", "--root", state, "pushed:1", name])
        return [self.swbuild, "push", "--root", state, name]

    def skopeo_push(self) -> list:
        return ["skopeo", "copy", "--dest-tls-verify=false", f"oci:{self.images['push']}:latest",
                f"docker://{self.target()}"]

    def buildah_push(self) -> list:
        name, state = self.target(), self.directory / "push-buildah"
        if not state.exists():
            state.mkdir()
            self.call([*self.buildah(state), "pull", f"oci:{self.images['push']}:latest"])
        image = subprocess.run([str(word) for word in [*self.buildah(state), "images", "-q"]], capture_output=True,
                               text=True, check=True).stdout.split()[0]
        return [*self.buildah(state), "push", "--tls-verify=false", image, f"docker://{name}"]


WORKLOADS: list[tuple[str, str, dict[str, Callable[[Transfers], list]]]] = [
    ("pull-build", "pull of 170 MB in 5 layers, and a step on it",
     {"swbuild": Transfers.swbuild_build, "buildah": Transfers.buildah_build,
      "skopeo, unpacking only": Transfers.skopeo_unpack}),
    ("pull", "pull of 170 MB in 5 layers",
     {"swbuild": Transfers.swbuild_pull, "buildah": Transfers.buildah_pull, "skopeo": Transfers.skopeo_pull}),
    ("push", "push of 250 MB in 6 layers",
     {"swbuild": Transfers.swbuild_push, "buildah": Transfers.buildah_push, "skopeo": Transfers.skopeo_push}),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swbuild", type=pathlib.Path, default=HERE.parent / ".build/release/swbuild")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    options = parser.parse_args()
    options.swbuild = options.swbuild.resolve()
    rows = []
    with work_directory("/var/tmp") as directory, registry(directory / "registry") as host:
        transfers = Transfers(directory, host, options.swbuild, options.scale)
        for name, title, tools in WORKLOADS:
            if options.only and name not in options.only:
                continue
            for tool, command in tools.items():
                def once(watch_memory: bool = False) -> Measurement:
                    words = [str(word) for word in command(transfers)]
                    os.sync()
                    return run(words, directory / "run.log", watch_memory, {"HOME": str(directory)})
                try:
                    peak = once(watch_memory=True).peak_bytes
                    row = report.Row(name, title, "nothing there", tool, [once() for _ in range(options.runs)], peak)
                except Failed as problem:
                    print(f"{name:12} {tool:22} FAILED {problem}", flush=True)
                    continue
                rows.append(row)
                print(f"{name:12} {tool:22} {report.seconds(row.median):>9}  CPU {report.seconds(row.cpu):>9}  "
                      f"{(peak or 0) / 1e6:6.0f} MB", flush=True)
        for state in [*directory.glob("*-buildah"), *directory.glob("*-storage")]:
            builders.Buildah("buildah", "bud").forget(state)
    print(report.markdown(rows, [f"{time.strftime('%Y-%m-%d')}, {len(os.sched_getaffinity(0))} cores, Linux "
                                 f"{platform.release()}", f"median of {options.runs} runs"]))
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
