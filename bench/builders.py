"""The builders that are compared: how each is called, and whether it works here."""
from __future__ import annotations

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

from measure import Failed, Measurement, run


@dataclasses.dataclass
class Call:
    """One build: its input as files, its state directory, and the layout directory to write."""
    buildfile: pathlib.Path
    context: pathlib.Path
    base: pathlib.Path
    state: pathlib.Path
    output: pathlib.Path
    log: pathlib.Path


class Builder:
    name = ""
    only_on_request = False  # whether it has to be named by --builder

    def version(self) -> str:
        raise NotImplementedError

    def measures(self, workload: str) -> bool:
        """Whether a workload is for this builder."""
        return True

    def commands(self, call: Call) -> list[list[str]]:
        """What makes the layout from the input, one command after the other."""
        raise NotImplementedError

    def build(self, call: Call, watch_memory: bool = False) -> Measurement:
        total, logs = Measurement(0, 0), []
        for number, command in enumerate(self.commands(call)):
            log = call.log.with_suffix(f".{number}.log")
            total += run([str(word) for word in command], log, watch_memory)
            logs.append(log)
        if not self.is_written(call.output):
            raise Failed(f"{self.name} ended well, but wrote no layout to {call.output}")
        call.log.write_bytes(b"".join(log.read_bytes() for log in logs))
        return total

    def is_written(self, output: pathlib.Path) -> bool:
        return (output / "index.json").exists()

    def forget(self, state: pathlib.Path, aside: pathlib.Path | None = None) -> None:
        """Removes a state directory, what is mounted below it included, or moves it to `aside`."""
        mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        for mount in reversed(mounts):
            if mount.startswith(f"{state}/"):
                subprocess.run(["umount", "--lazy", mount], check=False)
        if aside and state.exists():
            state.rename(aside)
        shutil.rmtree(state, ignore_errors=True)

    def first_line(self, *command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


class Swbuild(Builder):
    name = "swbuild"

    def __init__(self, path: pathlib.Path):
        self.path = path

    def version(self) -> str:
        return self.first_line(str(self.path), "version")

    def commands(self, call):
        return [[self.path, "build", "--root", call.state, "-f", call.buildfile, "-t", "bench:latest",
                 "--progress", "plain", "--build-arg", "BASE=base",
                 "--build-context", f"base=oci-layout://{call.base}:latest", "-o", call.output, call.context]]


class RootlessSwbuild(Swbuild):
    """swbuild as an ordinary user, whom the tests' own script makes up; its start is part of each time."""
    name = "swbuild-rootless"
    SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "Tests/Integration/support/rootless.py"
    USER = 54321

    def version(self) -> str:
        return f"{super().version()}, as an ordinary user with subordinate ids"

    def measures(self, workload):
        return workload.startswith("step")

    def commands(self, call):
        # The user writes the layout beside the state directory, which lies in one that is root's alone.
        for place, mode in ((call.output.parent.parent, 0o755), (call.output.parent, 0o777)):
            place.chmod(mode)
        os.chown(call.state, self.USER, self.USER)
        return [[sys.executable, self.SCRIPT, "--tunnels", *command] for command in super().commands(call)]


class Buildah(Builder):
    """buildah, or podman with the same flags: builds into its storage, then pushes to a layout."""

    def __init__(self, name: str, build_verb: str):
        self.name = name
        self.verb = build_verb
        self.isolation = "chroot"

    def version(self) -> str:
        return self.first_line(self.name, "--version")

    def commands(self, call):
        program = [self.name, "--root", call.state / "root", "--runroot", call.state / "run",
                   "--storage-driver", "overlay"]
        return [[*program, self.verb, "--layers", "--isolation", self.isolation, "--build-arg",
                 f"BASE=oci:{call.base}:latest", "-f", call.buildfile, "-t", "bench", call.context],
                [*program, "push", "bench", f"oci:{call.output}:latest"]]


class BuildKit(Builder):
    """BuildKit through buildctl and a daemon that is running already; its cache is emptied, not its directory."""
    name = "buildctl"

    def version(self) -> str:
        subprocess.run(["buildctl", "debug", "workers"], capture_output=True, check=True, timeout=10)
        return self.first_line("buildctl", "--version")

    def commands(self, call):
        return [["buildctl", "build", "--frontend", "dockerfile.v0", "--local", f"context={call.context}",
                 "--local", f"dockerfile={call.buildfile.parent}", "--opt", f"filename={call.buildfile.name}",
                 "--opt", "build-arg:BASE=base", "--opt", "context:base=oci-layout://base:latest",
                 "--oci-layout", f"base={call.base}", "--progress", "plain",
                 "--output", f"type=oci,tar=false,dest={call.output}"]]

    def forget(self, state, aside=None):
        subprocess.run(["buildctl", "prune", "--all"], capture_output=True, check=False)


class Docker(Builder):
    """The BuildKit in a Docker daemon that is running already. Its result is what `docker save` writes: layers that are
    not compressed, so it has less to do than the others. CPU time and memory are those of the client alone."""
    name = "docker"
    only_on_request = True  # its daemon's whole build cache is emptied before each run

    def __init__(self):
        # The one beside the daemon: a client of another version may want a plugin for BuildKit.
        self.docker = "/usr/bin/docker" if os.access("/usr/bin/docker", os.X_OK) else "docker"
        self.has_base = False

    def version(self) -> str:
        server = self.first_line(self.docker, "version", "--format", "{{.Server.Version}}")
        return f"dockerd {server}, its BuildKit; layers saved without compression"

    def commands(self, call):
        base = call.base.parent / "base.docker.tar"
        if not base.exists():
            subprocess.run(["skopeo", "copy", "--quiet", f"oci:{call.base}:latest",
                            f"docker-archive:{base}:bench-base:latest"], check=True)
        load = [] if self.has_base else [[self.docker, "load", "--quiet", "--input", base]]
        self.has_base = True
        return [*load, ["env", "DOCKER_BUILDKIT=1", self.docker, "build", "--network=none", "--progress=plain",
                        "--build-arg", "BASE=bench-base:latest", "-f", call.buildfile, "-t", "bench", call.context],
                [self.docker, "save", "--output", call.output, "bench"]]

    def is_written(self, output):
        return output.is_file()

    def forget(self, state, aside=None):
        self.has_base = False
        for arguments in (["rmi", "--force", "bench", "bench-base"], ["builder", "prune", "--all", "--force"]):
            subprocess.run([self.docker, *arguments], capture_output=True, check=False)
        super().forget(state, aside)


def candidates(swbuild: pathlib.Path) -> list[Builder]:
    return [Swbuild(swbuild), RootlessSwbuild(swbuild), Buildah("buildah", "bud"), Buildah("podman", "build"), BuildKit(),
            Docker()]


def usable(builders: list[Builder], trial: Call) -> tuple[list[Builder], list[str]]:
    """The builders that build `trial`, and of the others why not."""
    good, reasons = [], []
    for builder in builders:
        try:
            builder.version()
            builder.forget(trial.state)
            trial.state.mkdir(parents=True)
            shutil.rmtree(trial.output, ignore_errors=True)
            builder.build(trial)
            good.append(builder)
            builder.forget(trial.state)
        except FileNotFoundError:
            reasons.append(f"{builder.name}: not found")
        except (Failed, subprocess.SubprocessError, IndexError) as problem:
            reasons.append(f"{builder.name}: not usable here: {str(problem).strip().splitlines()[-1][:200]}")
    return good, reasons
