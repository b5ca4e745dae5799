"""Limits of steps by cgroups, and what is measured there."""
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import time

from support import Case

ROOT = pathlib.Path("/sys/fs/cgroup")


def hog(megabytes: int) -> str:
    """A command that holds so much memory at once."""
    return f"dd if=/dev/zero of=/dev/null bs={megabytes}M count=1"


class Cgroups(Case):
    def setUp(self):
        super().setUp()
        self.parent = f"tests-{secrets.token_hex(6)}"
        self.addCleanup(self.remove_parent)

    def remove_parent(self) -> None:
        for path in self.cgroups(""):
            os.rmdir(path)

    def cgroups(self, name: str = r"/swbuild-\d+-(\d+|self)") -> list[str]:
        """The cgroups of this test's steps, in every hierarchy, those below first."""
        pattern = re.compile(rf"/{self.parent}(/.*)?{name}$")
        return [path for path, _, _ in os.walk(ROOT, topdown=False) if pattern.search(path)]

    def limited(self, run: str, *flags, expect: int | None = 0):
        """Builds with the step's cgroups below a parent of this test, where nothing may be left."""
        built = self.build(f"FROM busybox\nRUN {run}\n", "--cgroup-parent", f"/{self.parent}", *flags, expect=expect)
        self.assertTrue(self.cgroups(""), "the parent was not used")
        self.assertEqual(self.cgroups(), [])
        return built

    def start_sleeping(self, *flags) -> tuple[subprocess.Popen, list[str]]:
        """A build whose step runs, and its cgroups."""
        process, _, _ = self.start("FROM busybox\nRUN sleep 60\n", "--cgroup-parent", f"/{self.parent}", *flags)
        for _ in range(1200):
            found = self.cgroups()
            # The sandbox's process 1 and the shell, or what the shell has become.
            if found and all(pathlib.Path(place, "cgroup.procs").read_text().count("\n") >= 2 for place in found):
                return process, found
            time.sleep(0.05)
        self.fail("no cgroup with processes")

    # --- memory -------------------------------------------------------------------------

    def test_memory_hog(self):
        """A command that wants more than its limit is ended, and the message says which limit that was."""
        built = self.limited(hog(200), "--memory", "24m", expect=137)
        self.assertMentions(built, "note: it ran out of memory", "24 MiB (--memory)", "at its peak it held")

    def test_memory_is_that_of_the_whole_step(self):
        """Several processes that hold less than the limit each, and more together."""
        held = "sh -c 'x=$(head -c 20000000 /dev/zero | tr \"\\\\0\" x); sleep 3'"
        run = " & ".join([held] * 4) + " & wait"
        built = self.limited(run, "--memory", "40m", "--memory-swap", "40m")
        self.assertMentions(built, "warning: step 2 ended well, but it ran out of memory", "40 MiB with swap")

    def test_what_fits_runs(self):
        built = self.limited(hog(30) + " && echo x > /x", "-m", "100m")
        self.assertEqual(built.layout.text("/x"), "x\n")
        step = built.metadata["swbuild.steps"][-1]
        self.assertEqual(step["peak_memory_of"], "step")
        self.assertGreater(step["peak_memory"], 30 << 20)
        self.assertLess(step["peak_memory"], 100 << 20)

    # --- processes ----------------------------------------------------------------------

    def test_fork_bomb(self):
        """Processes that double until there are none left to take: the notes tell, and all are gone with the step."""
        built = self.limited("f() { f | f & }; f; sleep 1; exit 9", "--pids-limit", "20", "--memory", "64m",
                             expect=None)
        self.assertMentions(built, "it reached its limit of 20 processes and threads (--pids-limit)")

    def test_as_many_processes_as_allowed(self):
        """The shell and four more are five: the sandbox's process 1 takes no place."""
        run = "for i in 1 2 3 4; do sleep 1 & done; exit 3"
        self.assertNotIn("--pids-limit", self.limited(run, "--pids-limit", "5", expect=3).stderr)
        built = self.limited(run, "--pids-limit", "4", expect=None)
        self.assertMentions(built, "limit of 4 processes and threads (--pids-limit)", "once")

    # --- processors ---------------------------------------------------------------------

    def test_processor_time(self):
        """A tenth of a processor: work takes ten times as long as it computes."""
        built = self.limited("i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done", "--cpus", "0.1")
        step = built.metadata["swbuild.steps"][-1]
        used = step["user_seconds"] + step["system_seconds"]
        self.assertGreater(used, 0)
        # The first tenth of a second has a whole period's time.
        self.assertGreater(step["seconds"], 3 * used)

    def test_processors_of_a_step(self):
        built = self.limited("grep Cpus_allowed_list /proc/self/status > /c", "--cpuset-cpus", "0",
                             "--cpuset-mems", "0")
        self.assertEqual(built.layout.text("/c").split(), ["Cpus_allowed_list:", "0"])

    def test_processors_that_are_not_there(self):
        built = self.build("FROM busybox\nRUN true\n", "--cpuset-cpus", "4000", expect=1)
        self.assertMentions(built, "processors (--cpuset-cpus)", "cannot be 4000: only 0")

    def test_shares_and_quota_are_set(self):
        """A step cannot see them: its cgroup is looked at while it runs."""
        self.parent += "/inner"
        process, places = self.start_sleeping("-c", "512", "--cpu-period", "50000", "--cpu-quota", "20000")
        self.parent = self.parent.split("/")[0]
        names = ("cpu.weight", "cpu.max", "cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us")
        values = {name: file.read_text().strip() for name in names for place in places
                  if (file := pathlib.Path(place, name)).exists()}
        unified = {"cpu.weight": "59", "cpu.max": "20000 50000"}
        legacy = {"cpu.shares": "512", "cpu.cfs_quota_us": "20000", "cpu.cfs_period_us": "50000"}
        self.assertIn(values, (unified, legacy))
        process.send_signal(signal.SIGTERM)
        process.communicate()
        self.assertEqual(self.cgroups(), [])

    # --- cgroups themselves -------------------------------------------------------------

    def test_what_a_killed_build_leaves_the_next_one_removes(self):
        process, places = self.start_sleeping("--memory", "64m", "--pids-limit", "50")
        process.kill()
        process.communicate()
        self.assertEqual(self.cgroups(), places)
        self.limited("true", "--memory", "64m", "--pids-limit", "50")

    def test_the_cgroups_of_a_running_build_are_left_alone(self):
        process, places = self.start_sleeping("--memory", "64m")
        self.build("FROM busybox\nRUN true\n", "--memory", "64m", "--cgroup-parent", f"/{self.parent}")
        self.assertEqual(self.cgroups(), places)
        process.send_signal(signal.SIGINT)
        process.communicate()
        self.assertEqual(self.cgroups(), [])

    def test_a_step_sees_no_cgroup_but_its_own(self):
        run = "cat /proc/self/cgroup > /c; ls /sys/fs/cgroup | grep -c swbuild > /l; mkdir /sys/fs/cgroup/x || echo no > /m"
        layout = self.limited(run, "--memory", "64m", "--pids-limit", "9").layout
        mine = [line.split(":", 2) for line in layout.text("/c").splitlines()]
        self.assertEqual({path for _, controllers, path in mine if controllers in ("", "memory", "pids")}, {"/"})
        self.assertEqual((layout.text("/l"), layout.text("/m")), ("0\n", "no\n"))

    def test_a_parent_below_the_own_cgroup(self):
        """A relative path begins at swbuild's own cgroup, whatever that is."""
        built = self.build("FROM busybox\nRUN true\n", "--cgroup-parent", f"{self.parent}/deep", "--pids-limit", "9")
        self.assertEqual(built.metadata["swbuild.steps"][-1]["peak_memory_of"], "step")
        self.assertEqual({path.split(self.parent)[1] for path in self.cgroups("")}, {"/deep", ""})

    def test_a_machine_without_cgroups(self):
        """Where no hierarchy can be seen: a limit that cannot be enforced is an error."""
        arguments, _, _ = self.arguments("FROM busybox\nRUN true\n", "--memory", "64m")
        done = subprocess.run(["unshare", "-m", "sh", "-c", 'umount -R /sys/fs/cgroup; exec "$@"', "sh",
                               os.environ["SWBUILD"], *map(str, arguments)], capture_output=True, text=True,
                              env={**os.environ, "SWBUILD_ROOT": str(self.state)}, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("no cgroup file system is mounted", done.stderr)
        self.assertNotIn("#1", done.stderr)

    def test_cgroups_that_cannot_be_written(self):
        arguments, _, _ = self.arguments("FROM busybox\nRUN true\n", "--memory", "64m")
        script = 'for m in /sys/fs/cgroup/*; do mount -o remount,bind,ro $m; done; exec "$@"'
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", os.environ["SWBUILD"], *map(str, arguments)],
                              capture_output=True, text=True, env={**os.environ, "SWBUILD_ROOT": str(self.state)},
                              timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        for words in ("no cgroup can be made in", "Read-only file system", "--cgroup-parent"):
            self.assertIn(words, done.stderr)

    # --- options and figures ------------------------------------------------------------

    def test_limits_cost_no_step_its_place_in_the_cache(self):
        self.build("FROM busybox\nRUN echo x > /x\n")
        again = self.build("FROM busybox\nRUN echo x > /x\n", "--memory", "1g", "--cpus", "1.5")
        self.assertEqual(again.executed(), [])

    def test_bad_values(self):
        for flags, words in ((["--memory", "1m"], ["--memory 1m", "6m"]),
                             (["--memory", "lots"], ["--memory lots"]),
                             (["--memory-swap", "1g"], ["--memory beside it"]),
                             (["--memory", "1g", "--memory-swap", "512m"], ["memory and swap together"]),
                             (["--cpus", "many"], ["--cpus many", "1.5"]),
                             (["--cpus", "1", "--cpu-quota", "5000"], ["no --cpu-period or --cpu-quota"]),
                             (["--cpu-period", "10"], ["from 1000 to 1000000"]),
                             (["--cpu-shares", "1"], ["from 2 to 262144"]),
                             (["--cpuset-cpus", "3-1"], ["--cpuset-cpus 3-1"]),
                             (["--pids-limit", "none"], ["--pids-limit none"]),
                             (["--cgroup-parent", "/a/../b"], ["--cgroup-parent /a/../b"])):
            with self.subTest(flags=flags):
                built = self.build("FROM scratch\nCOPY . /\n", *flags, expect=64)
                self.assertMentions(built, *words)

    def test_no_limit_in_its_forms(self):
        self.limited("true", "--memory", "64m", "--memory-swap", "-1", "--pids-limit", "-1", "--cpu-quota", "-1",
                     "--cpu-shares", "0")

    def test_figures_without_a_limit(self):
        """Without a cgroup there is what the kernel tells of processes that have ended."""
        lines = self.build("FROM busybox\nRUN true\n", "--progress", "rawjson").stderr.splitlines()
        done = [event for event in map(json.loads, lines) if event["event"] == "finished" and "peak_memory" in event]
        self.assertEqual([event["peak_memory_of"] for event in done], ["largest process"])
        self.assertRegex(self.build("FROM busybox\nRUN echo 2\n").stderr, r"(?m)^ +\S+ +\S+ +≥ \S+ MiB .* RUN echo 2")
        self.assertRegex(self.build("FROM busybox\nRUN echo 3\n", "--memory", "64m").stderr,
                         r"(?m)^ +\S+ +\S+ +\d\S* MiB .* RUN echo 3")
