#!/usr/bin/env python3
"""Runs a command as an ordinary user with subordinate ids, whom the machine does not know.

    rootless.py [OPTION ...] COMMAND [ARGUMENT ...]     (as root)

    --no-ids       the user has no subordinate ids
    --more-ids     the user has further ones, behind the usual
    --hide FILE    the machine has no such program
    --tunnels      the user may open /dev/net/tun, as on most machines
    --mount DIR    something is mounted at a directory

The user exists in a mount namespace only, in which copies lie over /etc/passwd, /etc/group, /etc/subuid and
/etc/subgid; the machine's files stay as they are. HOME and TMPDIR are a directory of the user's own, which is removed
at the end.
"""
import argparse
import ctypes
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import sys
import tempfile

NAME, UID, GID = "swbuild-user", 54321, 54321
IDS = 70000  # more than the 65536 that are usual, so that a test can tell whether ids end where they should
FIRST = 700000
PROJECT = pathlib.Path(__file__).resolve().parents[3]
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


def _make_reachable(paths: list[pathlib.Path]) -> None:
    """Shows `paths` where they are although a directory above may be closed to others: it is emptied and opened.

    The project, or an interpreter of root's own, may lie in somebody's home directory.
    """
    held = {}
    for path in paths:
        closed = next((above for above in reversed(path.parents) if not above.stat().st_mode & 0o001), None)
        if closed is not None:
            held[path] = (os.open(path, os.O_PATH), closed)
    for closed in {closed for _, closed in held.values()}:
        _check(_libc.mount(b"tmpfs", str(closed).encode(), b"tmpfs", 0, b"mode=755"), f"cover {closed}")
    for path, (descriptor, _) in held.items():
        path.mkdir(parents=True, exist_ok=True)
        _check(_libc.mount(f"/proc/self/fd/{descriptor}".encode(), str(path).encode(), None, MS_BIND | MS_REC, None),
               f"show {path}")
        os.close(descriptor)


def enter_mounts(home: pathlib.Path, options: argparse.Namespace) -> None:
    """Leaves the machine's mounts, and makes the user known."""
    scratch = home / "etc"
    scratch.mkdir(mode=0o755)
    _check(_libc.unshare(CLONE_NEWNS), "unshare")
    _check(_libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "make the mounts private")
    _make_reachable([pathlib.Path(sys.prefix).resolve(), PROJECT])
    user = f"{NAME}:x:{UID}:{GID}:a user of tests:{home}:/bin/sh\n"
    _lay_over("/etc/passwd", _lines_without_user("/etc/passwd") + user, scratch)
    _lay_over("/etc/group", _lines_without_user("/etc/group") + f"{NAME}:x:{GID}:\n", scratch)
    ids = "" if options.no_ids else f"{NAME}:{FIRST}:{IDS}\n"
    if options.more_ids:
        ids += f"{UID}:{FIRST + 2 * IDS}:1000\n"
    _lay_over("/etc/subuid", ids, scratch)
    _lay_over("/etc/subgid", ids, scratch)
    for program in options.hide:
        _lay_over(program, "", scratch)
    if options.tunnels:
        device = scratch / "tun"
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(10, 200))
        device.chmod(0o666)
        _check(_libc.mount(str(device).encode(), b"/dev/net/tun", None, MS_BIND, None), "mount over /dev/net/tun")
    for place in options.mount:
        _check(_libc.mount(b"tmpfs", place.encode(), b"tmpfs", 0, None), f"mount at {place}")


def become_user(home: pathlib.Path) -> None:
    os.setgroups([])
    os.setresgid(GID, GID, GID)
    os.setresuid(UID, UID, UID)
    # A change of user takes away what newuidmap looks at; executing a program gives it back.
    os.environ.update(HOME=str(home), TMPDIR=str(home), USER=NAME, LOGNAME=NAME)
    for name in ("XDG_DATA_HOME", "XDG_RUNTIME_DIR", "SUDO_USER"):
        os.environ.pop(name, None)


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-ids", action="store_true")
    parser.add_argument("--more-ids", action="store_true")
    parser.add_argument("--hide", action="append", default=[], metavar="FILE")
    parser.add_argument("--tunnels", action="store_true")
    parser.add_argument("--mount", action="append", default=[], metavar="DIR")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(words)
    if not options.command:
        parser.error("no command is given")
    home = pathlib.Path(tempfile.mkdtemp(prefix="rootless-"))
    try:
        enter_mounts(home, options)
        os.chown(home, UID, GID)
        for caught in (signal.SIGINT, signal.SIGTERM):
            signal.signal(caught, lambda *_: None)  # the command has them too, or is killed by its own end
        child = subprocess.Popen(options.command, preexec_fn=lambda: become_user(home))
        status = child.wait()
        return status if status >= 0 else 128 - status
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
