"""What is left of a build in the system: its processes and mounts."""
import glob
import os
import pathlib
import shutil
import subprocess
import time


def processes_with(marker: str) -> list[int]:
    """The processes whose command line holds `marker`."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            command = pathlib.Path(path).read_bytes()
        except OSError:
            continue  # ended in the meantime
        if marker.encode() in command and int(path.split("/")[2]) != os.getpid():
            found.append(int(path.split("/")[2]))
    return found


def unmount_below(directory: pathlib.Path) -> None:
    """Takes away what other tools have mounted below `directory`, the last first."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    for place in reversed([line.split()[4] for line in lines]):
        if place.startswith(f"{directory}/"):
            subprocess.run(["umount", "--lazy", place], check=False)


def remove_tree(directory: pathlib.Path) -> None:
    """Removes `directory` and all below it, but for what something is mounted from."""
    unmount_below(directory)
    shutil.rmtree(directory, ignore_errors=True)


def mounts_below(directory: pathlib.Path) -> list[str]:
    """The mounts, in any process's view of the file system, whose place or options name `directory`."""
    found = set()
    for path in glob.glob("/proc/[0-9]*/mountinfo"):
        try:
            lines = pathlib.Path(path).read_text().splitlines()
        except OSError:
            continue
        found.update(line for line in lines if str(directory) in line)
    return sorted(found)


def wait_until(condition, seconds: float = 30.0):
    """Waits until `condition()` is true, and returns what it returned; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s in vain for {condition.__doc__ or condition}")
