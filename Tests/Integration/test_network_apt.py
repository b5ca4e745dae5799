"""A package manager in a RUN step, on a Debian root file system, with packages from where this machine's are from."""
import pathlib
import re
import socket
import subprocess
import urllib.parse

from support import Layout
from support.rootless_case import RootlessCase
from support.skips import OUTSIDE


def apt_sources() -> list[tuple[str, str]]:
    """The addresses of package archives and their suites, as this machine's apt knows them; Debian's own alone."""
    found = []
    for path in sorted(pathlib.Path("/etc/apt").glob("sources.list*/*.sources")):
        for block in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", path.read_text())):
            fields = {key.lower(): value for key, value in re.findall(r"(?m)^([\w-]+):[ \t]*(.*)$", block)}
            for suite in fields.get("suites", "").split():
                found += [(address, suite) for address in fields.get("uris", "").split()]
    for path in [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt").glob("sources.list.d/*.list")]:
        if path.is_file():
            found += re.findall(r"(?m)^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", path.read_text())
    release = pathlib.Path("/etc/os-release").read_text()
    codename = re.search(r"(?m)^VERSION_CODENAME=(\w+)", release)
    return [source for source in found if codename and source[1] == codename[1]]


def proxy() -> str:
    """The proxy that apt is configured with."""
    dump = subprocess.run(["apt-config", "dump", "Acquire::http::Proxy"], capture_output=True, text=True, check=False)
    match = re.search(r'Acquire::http::Proxy "(.*)";', dump.stdout)
    return match[1] if match else ""


def answers(address: str) -> bool:
    """Whether somebody takes connections there."""
    parts = urllib.parse.urlsplit(proxy() or address)
    try:
        socket.create_connection((parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)), 10).close()
    except OSError:
        return False
    return True


BUILDFILE = """\
FROM scratch
ADD debian.tar /
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install --yes --no-install-recommends hello tcpdump dbus cron
RUN hello --greeting=installed > /greeting && getent passwd tcpdump > /user
"""


# What says when and where it was written, or is a matter of chance.
CHANGING = re.compile(r"/(var/log|var/cache/(ldconfig|apt)|var/lib/apt|etc/machine-id|var/lib/dbus/machine-id|proc|sys|dev)\b")


def owners(layout: Layout) -> dict[str, tuple]:
    """What root can give to files and others cannot, by path."""
    return {path: (entry["type"], entry.get("mode"), entry["owner"]) for path, entry in layout.tree.items()
            if not CHANGING.match(path)}


class Apt(RootlessCase):
    def test_update_and_install(self):
        """As root, as an ordinary user, and as one who has no id but their own: the files are the same.

        Skipped where no archive answers, and there is nothing to install from.
        """
        sources = [source for source in apt_sources() if answers(source[0])]
        if not sources:
            self.skipTest(f"{OUTSIDE}no Debian package archive of /etc/apt answers: nothing to install from")
        address, suite = sources[0]
        self.tool("mmdebstrap", "--variant=apt", "--mode=root", "--quiet", suite, self.context / "debian.tar", address)
        (self.context / "debian.tar").chmod(0o644)
        flags = ["--build-arg", f"http_proxy={proxy()}"] if proxy() else []
        by_root = self.build(BUILDFILE, *flags)
        expected = owners(by_root.layout)
        helper = expected["/usr/lib/dbus-1.0/dbus-daemon-launch-helper"]
        self.assertEqual(helper[1], "0o4754")
        self.assertNotEqual(helper[2].split(":")[1], "0")
        self.check("root", by_root)
        for who, wrapper, state in (("user", ["--tunnels"], "a"), ("one id", ["--tunnels", "--no-ids"], "b")):
            built = self.user_build(BUILDFILE, *flags, "--root", self.directory / f"state-{state}",
                                    wrapper_flags=wrapper)
            self.check(who, built)
            found = owners(built.layout)
            different = {path: (expected.get(path), found.get(path)) for path in expected.keys() | found.keys()
                         if expected.get(path) != found.get(path)}
            self.assertEqual(different, {}, who)

    def check(self, who: str, built) -> None:
        self.assertEqual(built.layout.text("/greeting"), "installed\n", who)
        self.assertTrue(built.layout.text("/user").startswith("tcpdump:"), who)
        self.assertIn("/usr/bin/hello", built.layout.tree, who)
