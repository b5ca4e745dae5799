"""Builds by an ordinary user, beside those of root."""
import os
import pathlib
import subprocess
import sys

from . import rootless
from .case import SWBUILD, TIMEOUT, Build, Case

SCRIPT = pathlib.Path(rootless.__file__)


class RootlessCase(Case):
    """A test whose directory belongs to an ordinary user; `user_build` builds as that user, `build` as root."""
    python = sys.executable

    def setUp(self):
        super().setUp()
        self.directory.chmod(0o755)
        self.user_state = self.directory / "user-state"
        os.chown(self.directory, rootless.UID, rootless.GID)
        os.chown(self.context, rootless.UID, rootless.GID)

    def as_user(self, *command, env: dict | None = None, flags=(), cwd=None) -> Build:
        """Runs a command as the user, in whose state directory it works."""
        done = subprocess.run(
            [self.python, SCRIPT, *flags, *map(str, command)], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=TIMEOUT, cwd=cwd or "/", env={**os.environ, "SWBUILD_ROOT": str(self.user_state), **(env or {})})
        return Build(done.returncode, done.stdout.decode("utf-8", "backslashreplace"),
                     done.stderr.decode("utf-8", "backslashreplace"), self.directory, self.directory / "none")

    def user_build(self, buildfile: str, *flags, context=None, env=None, expect: int | None = 0,
                   wrapper_flags=()) -> Build:
        """Builds as the user; the exit status must be `expect`, or any failure's where that is None."""
        arguments, output, metadata = self.arguments(buildfile, *flags, context=context)
        build = self.as_user(SWBUILD, *arguments, env=env, flags=wrapper_flags)
        build.output, build.metadata_file = output, metadata
        if expect is None:
            self.assertClean(build)
        else:
            self.assertEqual(build.status, expect, f"stderr:\n{build.stderr[-3000:]}")
        return build
