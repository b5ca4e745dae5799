"""The network of an ordinary user's RUN steps."""
import pathlib
import shutil
import sys

from support.machine import ADDRESS, ADDRESS6, OWN, Machine
from support.processes import wait_until
from support.rootless_case import RootlessCase

HELPERS = ("slirp4netns", "pasta")


class NetworkOfAUser(RootlessCase):
    def setUp(self):
        super().setUp()
        self.machine = Machine(self.directory)
        self.addCleanup(self.machine.close)
        self.python = self.machine.command(sys.executable)

    def path_with(self, name: str) -> dict:
        """An environment in whose PATH there is this helper alone (and what runs a build)."""
        programs = self.directory / f"bin-{name}"
        programs.mkdir(mode=0o755)
        for each in (name, "nsenter", "unshare", "sh", "mount", "newuidmap", "newgidmap"):
            found = shutil.which(each)
            self.assertIsNotNone(found, each)
            (programs / each).symlink_to(found)
        return {"PATH": str(programs)}

    def test_a_step_reaches_out_and_not_in(self):
        for name in HELPERS:
            built = self.user_build(
                f"FROM busybox\nRUN timeout 10 nc {ADDRESS} 8000 | head -n 1 > /a; "
                f"nslookup -type=a example.test > /b; timeout 2 nc {OWN} 8001 > /c 2> /d; "
                "timeout 2 nc 10.0.2.2 8001 >> /c 2>> /d; timeout 2 nc 127.0.0.1 8001 >> /c 2>> /d; true\n",
                "--no-cache", env=self.path_with(name), wrapper_flags=["--tunnels"])
            self.assertEqual(built.layout.text("/a"), "from outside\n", name)
            self.assertIn(ADDRESS, built.layout.text("/b"))
            self.assertEqual(built.layout.text("/c"), "")
            wait_until(lambda: not self.machine.processes(name))

    def test_ipv6(self):
        built = self.user_build(
            f"FROM busybox\nRUN for i in 1 2 3 4 5; do nc {ADDRESS6} 8000 > /a && exit; sleep 1; done; exit 1\n",
            env=self.path_with("slirp4netns"), wrapper_flags=["--tunnels"])
        self.assertEqual(built.layout.text("/a"), "from six\n")

    def test_a_device_that_may_not_be_opened_is_named(self):
        if pathlib.Path("/dev/net/tun").stat().st_mode & 0o006 == 0o006:
            return  # everybody may, here
        failed = self.user_build(f"FROM busybox\nRUN nc {ADDRESS} 8000\n", env=self.path_with("slirp4netns"), expect=1)
        self.assertMentions(failed, "slirp4netns", "--network=host")


if __name__ == "__main__":
    import unittest
    unittest.main()
