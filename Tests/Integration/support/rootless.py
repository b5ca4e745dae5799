#!/usr/bin/env python3
"""Runs a command as an ordinary user with subordinate ids, whom the machine does not know.

    rootless.py [--no-ids] COMMAND [ARGUMENT ...]     (as root)

The user exists in a mount namespace only, in which copies lie over /etc/passwd, /etc/group, /etc/subuid and
/etc/subgid; the machine's files stay as they are. HOME and TMPDIR are a directory of the user's own, which is removed
at the end. With --no-ids the user has no subordinate ids.
"""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

NAME, UID, GID = "swbuild-user", 54321, 54321
IDS = 70000  # more than the 65536 that are usual, so that a test can tell whether ids end where they should
FIRST = 700000
CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)} (this must run as root)")


def _lay_over(path: str, text: str, scratch: pathlib.Path) -> None:
    """Shows `text` at `path` to this process and its children."""
    place = pathlib.Path(path)
    if not place.exists():
        place.touch()
    copy = scratch / place.name
    copy.write_text(text)
    copy.chmod(0o644)
    _check(_libc.mount(str(copy).encode(), path.encode(), None, MS_BIND, None), f"mount over {path}")


def _lines_without_user(path: str) -> str:
    lines = pathlib.Path(path).read_text().splitlines() if os.path.exists(path) else []
    return "".join(f"{line}\n" for line in lines if line.split(":")[0] != NAME)


def enter_mounts(home: pathlib.Path, has_ids: bool) -> None:
    """Leaves the machine's mounts, and makes the user known."""
    scratch = home / "etc"
    scratch.mkdir(mode=0o755)
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _check(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "make the mounts private")
    user = f"{NAME}:x:{UID}:{GID}:a user of tests:{home}:/bin/sh\n"
    _lay_over("/etc/passwd", _lines_without_user("/etc/passwd") + user, scratch)
    _lay_over("/etc/group", _lines_without_user("/etc/group") + f"{NAME}:x:{GID}:\n", scratch)
    ids = f"{NAME}:{FIRST}:{IDS}\n" if has_ids else ""
    _lay_over("/etc/subuid", ids, scratch)
    _lay_over("/etc/subgid", ids, scratch)


def become_user(home: pathlib.Path) -> None:
    os.setgroups([])
    os.setresgid(GID, GID, GID)
    os.setresuid(UID, UID, UID)
    # A change of user takes away what newuidmap looks at; executing a program gives it back.
    os.environ.update(HOME=str(home), TMPDIR=str(home), USER=NAME, LOGNAME=NAME)
    for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR", "SUDO_USER"):
        os.environ.pop(name, None)


def main(words: list[str]) -> int:
    has_ids = True
    if words[:1] == ["--no-ids"]:
        has_ids, words = False, words[1:]
    if not words:
        print(__doc__, file=sys.stderr)
        return 64
    home = pathlib.Path(tempfile.mkdtemp(prefix="rootless-"))
    try:
        enter_mounts(home, has_ids)
        os.chown(home, UID, GID)
        for caught in (signal.SIGINT, signal.SIGTERM):
            signal.signal(caught, lambda *_: None)  # the command has them too, or is killed by its own end
        child = subprocess.Popen(words, preexec_fn=lambda: become_user(home), start_new_session=False,
                                 env=None)
        status = child.wait()
        return status if status >= 0 else 128 - status
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
