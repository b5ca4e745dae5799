"""Other runtimes, which run what swbuild hands to them."""
import pathlib
import secrets
import subprocess

RUNTIMES = ["runc", "crun"]

# Where version 1 of cgroups is mounted and version 2 beside it, crun refuses to run anything.
HIDE_SECOND_HIERARCHY = """
if [ "$(stat -f -c %T /sys/fs/cgroup)" = tmpfs ] && mountpoint -q /sys/fs/cgroup/unified; then
    umount /sys/fs/cgroup/unified
fi
exec "$@"
"""


def run_bundle(runtime: str, bundle: pathlib.Path, directory: pathlib.Path) -> subprocess.CompletedProcess:
    """Runs a bundle as it is."""
    command = [runtime, "--root", str(directory / f"state-{runtime}"), "run", "-b", str(bundle),
               f"swbuild-test-{secrets.token_hex(6)}"]
    return subprocess.run(["unshare", "--mount", "sh", "-c", HIDE_SECOND_HIERARCHY, "sh", *command],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
