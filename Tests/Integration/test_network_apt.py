"""A package manager in a RUN step, on a Debian root file system, with packages from where this machine's are from."""
import pathlib
import re
import socket
import subprocess
import urllib.parse

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
RUN apt-get update && apt-get install --yes --no-install-recommends hello tcpdump
RUN hello --greeting=installed > /greeting && getent passwd tcpdump > /user
"""


class Apt(RootlessCase):
    def test_update_and_install(self):
        """As root and as an ordinary user; skipped where no archive answers, and there is nothing to install from."""
        sources = [source for source in apt_sources() if answers(source[0])]
        if not sources:
            self.skipTest(f"{OUTSIDE}no Debian package archive of /etc/apt answers: nothing to install from")
        address, suite = sources[0]
        self.tool("mmdebstrap", "--variant=apt", "--mode=root", "--quiet", suite, self.context / "debian.tar", address)
        (self.context / "debian.tar").chmod(0o644)
        flags = ["--build-arg", f"http_proxy={proxy()}"] if proxy() else []
        for who, built in (("root", self.build(BUILDFILE, *flags)),
                           ("user", self.user_build(BUILDFILE, *flags, wrapper_flags=["--tunnels"]))):
            self.assertEqual(built.layout.text("/greeting"), "installed\n", who)
            self.assertTrue(built.layout.text("/user").startswith("tcpdump:"), who)
            self.assertIn("/usr/bin/hello", built.layout.tree, who)
