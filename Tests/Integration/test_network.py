"""The network of RUN steps: what they reach, what they do not, and what is left of it."""
import os
import pathlib
import shutil
import signal
import sys
import unittest

from support import Case
from support import case as support_case
from support.machine import ADDRESS, ADDRESS6, OWN, OWN6, Machine
from support.processes import wait_until

HELPERS = ("slirp4netns", "pasta")


# Becomes a program whose system calls somebody supervises already: the kernel allows one listener for a process.
SUPERVISED = """
import ctypes, os, platform, struct, sys
# Any call with a number that no call has waits for an answer (seccomp_unotify(2)).
filter = b"".join(struct.pack("HBBI", *line) for line in
                  [(0x20, 0, 0, 0), (0x15, 0, 1, 0x7fff), (0x06, 0, 0, 0x7fc00000), (0x06, 0, 0, 0x7fff0000)])
memory = ctypes.create_string_buffer(filter)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(filter) // 8, ctypes.addressof(memory)))
libc = ctypes.CDLL(None, use_errno=True)
listener = libc.syscall({"x86_64": 317, "aarch64": 277}[platform.machine()], 1, 8, ctypes.byref(program))
assert listener >= 0, os.strerror(ctypes.get_errno())
os.set_inheritable(listener, True)
os.execv(sys.argv[1], sys.argv[1:])
"""


class OnAMachine(Case):
    """Builds run on a machine of the test's own."""
    helper = None

    def setUp(self):
        super().setUp()
        self.machine = Machine(self.directory)
        self.addCleanup(self.machine.close)
        self.program = support_case.SWBUILD
        support_case.SWBUILD = self.machine.command(self.program)
        self.addCleanup(setattr, support_case, "SWBUILD", self.program)

    def only(self, *names: str) -> dict:
        """An environment in whose PATH there are these helpers alone (and what runs a build)."""
        programs = self.directory / "-".join(["bin", *names])
        programs.mkdir()
        for name in (*names, "nsenter", "unshare", "sh", "mount"):
            (programs / name).symlink_to(shutil.which(name))
        return {"PATH": str(programs)}

    def each_helper(self):
        """An environment for each helper; a failed assertion names it by the directories of the build."""
        for name in HELPERS:
            yield self.only(name)


class Network(OnAMachine):
    def test_a_step_reaches_out(self):
        for env in self.each_helper():
            built = self.build(f"FROM busybox\nRUN timeout 10 nc {ADDRESS} 8000 | head -n 1 > /a; for i in 1 2 3 4 5; do "
                               f"timeout 10 nc {ADDRESS6} 8000 | head -n 1 > /b; [ -s /b ] && exit; sleep 1; done\n",
                               "--no-cache", env=env)
            self.assertEqual(built.layout.text("/a"), "from outside\n")
            self.assertEqual(built.layout.text("/b"), "from six\n")
            self.assertNotIn("warning", built.stderr)

    def test_names_are_looked_up_where_the_machine_asks(self):
        for env in self.each_helper():
            built = self.build("FROM busybox\nRUN nslookup -type=a example.test > /a; cat /etc/resolv.conf > /b\n",
                               "--no-cache", env=env)
            self.assertIn(ADDRESS, built.layout.text("/a"))
            self.assertNotIn("127.0.0.1", built.layout.text("/b"))
            self.assertIn("timeout:5", built.layout.text("/b"))

    def test_the_loopback_interface_of_the_machine_is_out_of_reach(self):
        places = ["127.0.0.1", "::1", "10.0.2.2", "10.0.2.3", "10.0.2.100", "fd00::2", "fd00::3", "169.254.1.1",
                  ADDRESS, ADDRESS6, OWN, OWN6, "localhost"]
        for env in self.each_helper():
            tries = "; ".join(f"timeout 2 nc {place} 8001 >> /got 2>/dev/null" for place in places)
            built = self.build(f"FROM busybox\nRUN nc {ADDRESS} 1 2>/dev/null; > /got; {tries}; true\n",
                               "--no-cache", env=env)
            self.assertEqual(built.layout.text("/got"), "")

    def test_a_step_that_asks_for_nothing_starts_nothing(self):
        env = self.only()
        mark = self.directory / "started"
        script = pathlib.Path(env["PATH"]) / "slirp4netns"
        script.write_text(f"#!/bin/sh\necho >> {mark}\necho 1 >&4\nexec sleep 1000\n")
        script.chmod(0o755)
        # A local socket, the audit's and the kernel's events are no network.
        self.build("FROM busybox\nRUN echo a > /a; id; logger x || true\n", env=env)
        self.assertFalse(mark.exists())
        self.build("FROM busybox\nRUN ifconfig lo > /a\nRUN ifconfig lo > /b\nRUN ifconfig -a > /c\n", env=env)
        self.assertEqual(mark.read_text(), "\n", "one lane, one helper")
        for mode in ("none", "host"):
            self.build("FROM busybox\nRUN ifconfig lo > /a\n", "--no-cache", "--network", mode, env=env)
        self.assertEqual(mark.read_text(), "\n")

    def test_without_a_helper_the_failure_says_what_to_do(self):
        env = self.only()
        failed = self.build(f"FROM busybox\nRUN nc {ADDRESS} 8000\n", env=env, expect=1)
        self.assertMentions(failed, "slirp4netns", "pasta", "--network=host", "unreachable")
        # The loopback interface is there.
        built = self.build("FROM busybox\nRUN ifconfig lo > /a\nRUN ifconfig lo > /b\n", env=env)
        self.assertIn("127.0.0.1", built.layout.text("/a"))
        self.assertEqual(built.stderr.count("neither slirp4netns nor pasta"), 1)

    def test_a_helper_that_fails_is_named_with_its_words(self):
        env = self.only()
        script = pathlib.Path(env["PATH"]) / "pasta"
        script.write_text("#!/bin/sh\necho 'no tunnels here' >&2\nexit 4\n")
        script.chmod(0o755)
        failed = self.build(f"FROM busybox\nRUN nc {ADDRESS} 8000\n", env=env, expect=1)
        self.assertMentions(failed, "pasta ended with status 4: no tunnels here", "--network=host")

    def test_no_network_is_no_network(self):
        for mode in ("none", "host"):
            built = self.build(f"FROM busybox\nRUN timeout 5 nc {ADDRESS} 8000 > /a 2>/e; true\n", "--network", mode)
            self.assertEqual(built.layout.text("/a"), "from outside\n" if mode == "host" else "")

    def test_steps_at_the_same_time_have_networks_apart(self):
        stage = ("FROM busybox AS {0}\nRUN readlink /proc/self/ns/net > /n1; echo hello | timeout 20 nc -l -p 7000 & "
                 "sleep 1; nc 127.0.0.1 7000 < /dev/null > /{0}\nRUN readlink /proc/self/ns/net > /n2\n")
        text = (stage.format("a") + stage.format("b")
                + "FROM scratch\nCOPY --from=a /a /n1 /n2 /one/\nCOPY --from=b /b /n1 /n2 /two/\n")
        tree = self.build(text, "--jobs", "2").layout
        self.assertEqual(tree.text("/one/a") + tree.text("/two/b"), "hello\nhello\n")
        self.assertNotEqual(tree.text("/one/n1"), tree.text("/two/n1"))
        self.assertLessEqual({tree.text("/one/n2"), tree.text("/two/n2")},
                             {tree.text("/one/n1"), tree.text("/two/n1")}, "a lane has its network for good")

    def test_a_build_that_is_supervised_itself_has_a_network(self):
        script = self.directory / "supervised.py"
        script.write_text(SUPERVISED)
        program = self.directory / "supervised"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {script} {self.program} "$@"\n')
        program.chmod(0o755)
        support_case.SWBUILD = self.machine.command(str(program))
        built = self.build(f"FROM busybox\nRUN nc {ADDRESS} 8000 > /a\n", env=self.only("slirp4netns"))
        self.assertEqual(built.layout.text("/a"), "from outside\n")

    def test_who_can_change_a_network_has_it_alone(self):
        built = self.build(
            "FROM busybox\nRUN readlink /proc/self/ns/net > /a\nRUN readlink /proc/self/ns/net > /b\n",
            "--cap-add", "NET_ADMIN")
        self.assertNotEqual(built.layout.text("/a"), built.layout.text("/b"))
        built = self.build(f"FROM busybox\nRUN --security=insecure nc {ADDRESS} 8000 > /a\n",
                           "--allow", "security.insecure", env=self.only("slirp4netns"))
        self.assertEqual(built.layout.text("/a"), "from outside\n")

    def test_a_build_that_ends_leaves_no_helper(self):
        for env in self.each_helper():
            self.build("FROM busybox\nRUN ifconfig -a > /a\n", "--no-cache", env=env)
            for name in HELPERS:
                self.assertEqual(self.machine.processes(name), [])

    def test_a_build_that_is_killed_leaves_no_helper(self):
        for env in self.each_helper():
            name = env["PATH"].rsplit("-", 1)[1]
            process, *_ = self.start("FROM busybox\nRUN ifconfig -a; sleep 1000\n", "--no-cache", env=env)
            wait_until(lambda: self.machine.processes(name))
            # The scripts have become swbuild by now.
            os.kill(process.pid, signal.SIGKILL)
            wait_until(lambda: not self.machine.processes(name))
            wait_until(lambda: not self.machine.processes("swbuild"))


if __name__ == "__main__":
    unittest.main()
