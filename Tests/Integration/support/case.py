"""The test case that every test builds on: a directory of its own, a context, a state directory, builds."""
import dataclasses
import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import tempfile
import time
import unittest

from .images import Layout, base_layout

SWBUILD = os.environ.get("SWBUILD", "swbuild")
TIMEOUT = 300


@dataclasses.dataclass
class Build:
    """A build that has ended."""
    status: int
    stdout: str
    stderr: str
    output: pathlib.Path
    metadata_file: pathlib.Path

    @property
    def layout(self) -> Layout:
        return Layout(self.output)

    @property
    def metadata(self) -> dict:
        return json.loads(self.metadata_file.read_text())

    @property
    def digest(self) -> str:
        return self.metadata["containerimage.digest"]

    def executed(self) -> list[str]:
        """The steps that ran: the text of their instructions, of those alone that make a layer."""
        return [" ".join(step["instruction"].split()) for step in self.metadata["swbuild.steps"]
                if not step["cached"] and step["instruction"].split()[0] in ("RUN", "COPY", "ADD", "WORKDIR")]


def write_tree(directory: pathlib.Path, files: dict[str, str | bytes]) -> pathlib.Path:
    """Writes files (path to content; a path that ends in `/` is a directory) below `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = directory / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return directory


class Case(unittest.TestCase):
    """A test with a directory, a context and a state directory of its own."""

    def setUp(self):
        # Hexadecimal: tools that make a reference of a path accept no name that ends in an underscore.
        self.directory = pathlib.Path(tempfile.gettempdir()) / f"swbuild-test-{secrets.token_hex(6)}"
        self.directory.mkdir(mode=0o700)
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.context = self.directory / "context"
        self.context.mkdir()
        self.state = self.directory / "state"
        self.count = 0

    # --- building -----------------------------------------------------------------------

    def files(self, files: dict[str, str | bytes]) -> pathlib.Path:
        """Writes files into the context."""
        return write_tree(self.context, files)

    def run_swbuild(self, *arguments, input: bytes | None = None, env: dict | None = None, cwd=None) -> Build:
        """Calls swbuild with `arguments` as they stand and the test's state directory."""
        done = subprocess.run(
            [SWBUILD, *map(str, arguments)], input=input if input is not None else b"", capture_output=True,
            timeout=TIMEOUT, cwd=cwd, env={**os.environ, "SWBUILD_ROOT": str(self.state), **(env or {})})
        return Build(done.returncode, done.stdout.decode("utf-8", "backslashreplace"),
                     done.stderr.decode("utf-8", "backslashreplace"), self.directory, self.directory / "none")

    def arguments(self, buildfile: str, *flags, context=None) -> tuple[list[str], pathlib.Path, pathlib.Path]:
        """The arguments of a build to a fresh layout, the layout, and the metadata file."""
        self.count += 1
        # Each build has a file of its own: another one may still be running.
        path = self.directory / f"{self.count}" / "Buildfile"
        path.parent.mkdir()
        path.write_text(buildfile)
        output = self.directory / f"out{self.count}"
        metadata = self.directory / f"out{self.count}.json"
        command = ["build", "-f", path, "-t", "test:latest", "--progress", "plain",
                   "--build-context", f"busybox=oci-layout://{base_layout()}:latest",
                   "--metadata-file", metadata]
        if not any(str(flag) in ("-o", "--output") or str(flag).startswith("--output=") for flag in flags):
            command += ["-o", output]
        return [*command, *flags, context or self.context], output, metadata

    def build(self, buildfile: str, *flags, context=None, env=None, input: bytes | None = None,
              expect: int | None = 0) -> Build:
        """Builds; the exit status must be `expect`, or any failure's where that is None."""
        arguments, output, metadata = self.arguments(buildfile, *flags, context=context)
        build = self.run_swbuild(*arguments, env=env, input=input)
        build.output, build.metadata_file = output, metadata
        if expect is None:
            self.assertClean(build)
        else:
            self.assertEqual(build.status, expect, f"stderr:\n{build.stderr[-3000:]}")
        return build

    def start(self, buildfile: str, *flags, env=None, **options) -> tuple[subprocess.Popen, pathlib.Path, pathlib.Path]:
        """Starts a build and returns at once: the process, the layout and the metadata file to come."""
        arguments, output, metadata = self.arguments(buildfile, *flags)
        process = subprocess.Popen(
            [SWBUILD, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "SWBUILD_ROOT": str(self.state), **(env or {})}, **options)
        self.addCleanup(self._end, process)
        return process, output, metadata

    @staticmethod
    def _end(process: subprocess.Popen) -> None:
        if process.poll() is None:
            process.kill()
        process.communicate()  # closes the pipes, too

    def wait_for(self, condition, seconds: float = 30) -> None:
        """Waits until `condition` holds, for what another program does in its own time."""
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, "it never happened")
            time.sleep(0.02)

    def settle(self) -> None:
        """Waits until the context's files count as unchanged for long enough to be remembered."""
        last = max(path.stat().st_ctime for path in self.context.rglob("*"))
        self.wait_for(lambda: self.now() > last + 3)

    def now(self) -> float:
        """The clock of the file system's times."""
        mark = self.directory / "mark"
        mark.write_text("")
        return mark.stat().st_mtime

    # --- asserting ----------------------------------------------------------------------

    def assertClean(self, build: Build) -> None:
        """The build failed as a build should: with an error, not a crash."""
        self.assertGreater(build.status, 0, f"must fail, and not by a signal; stderr:\n{build.stderr[-2000:]}")
        self.assertNotIn("Fatal error", build.stderr)
        self.assertTrue(build.stderr.strip(), "failed without a word")

    def assertMentions(self, build: Build, *words: str) -> None:
        """The error names each of `words`, whatever the case of its letters."""
        for word in words:
            self.assertIn(word.lower(), build.stderr.lower())

    def assertDigest(self, text: str) -> None:
        self.assertTrue(re.fullmatch(r"sha256:[0-9a-f]{64}", text), f"no digest: {text!r}")

    def tool(self, *command, env: dict | None = None) -> str:
        """Runs another program, which must succeed; returns what it wrote to standard output."""
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIMEOUT, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, 0, f"{command[0]}: {done.stderr.decode()[-2000:]}")
        return done.stdout.decode()
