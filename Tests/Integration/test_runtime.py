"""`build --runtime`: steps that another runtime runs."""
import os
import signal
import subprocess

from support import Case, mounts_below, processes_with, wait_until
from support.runtimes import RUNTIMES

TEXT = """\
FROM busybox AS other
RUN mkdir /data && echo from-stage > /data/file
FROM busybox
ENV A=1
RUN id > /id && pwd > /pwd && env | sort > /env && hostname > /host && umask > /umask
USER build
WORKDIR /home/build
RUN id > id && mkdir d && echo text > d/file && ln d/file d/link && rm d/link
USER root
RUN --mount=type=bind,from=other,source=/data,target=/m --mount=type=bind,target=/context cp /m/file /context/file /opt
RUN --mount=type=cache,target=/c echo cached > /c/file
RUN --mount=type=cache,target=/c,ro cp /c/file /from-cache
RUN --mount=type=tmpfs,target=/t,size=1m --mount=type=tmpfs,target=/dev/shm,size=2m df -k /t /dev/shm | awk '{print $2, $6}' > /sizes
RUN --mount=type=secret,id=s --mount=type=secret,id=s,env=S,target=/s md5sum < /run/secrets/s > /secret; echo $S | md5sum >> /secret
RUN <<EOF
#!/bin/sh
echo script > /script
EOF
RUN chown 1:2 /script && chmod 4755 /script && rm -r /opt/context-dir 2>/dev/null; mknod /null c 1 3
"""


class Runtimes(Case):
    def setUp(self):
        super().setUp()
        self.files({"file": "from-context\n"})
        self.secret = self.directory / "secret"
        self.secret.write_text("value-of-the-secret")
        self.flags = ["--secret", f"id=s,src={self.secret}", "--no-cache"]

    def test_the_same_image_comes_out(self):
        text = TEXT.replace("/opt", "/tmp")
        own = self.build(text, *self.flags).layout.tree
        for runtime in RUNTIMES:
            with self.subTest(runtime=runtime):
                tree = self.build(text, "--runtime", runtime, *self.flags).layout.tree
                self.assertEqual(sorted(tree), sorted(own))
                for path, entry in own.items():
                    self.assertEqual({k: v for k, v in tree[path].items() if k != "mtime"},
                                     {k: v for k, v in entry.items() if k != "mtime"}, path)

    def test_the_status_of_a_command_is_passed_on(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime=runtime):
                failed = self.build("FROM busybox\nRUN echo before; echo why >&2; exit 23\n", "--runtime", runtime,
                                    expect=23)
                self.assertIn("failed with exit code 23", failed.stderr)
                self.assertIn("| before", failed.stderr)
                self.assertIn("| why", failed.stderr)

    def test_a_runtime_that_fails_says_so(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime=runtime):
                failed = self.build("FROM busybox\nRUN [\"/bin/missing\"]\n", "--runtime", runtime, expect=1)
                self.assertIn(f"{runtime} could not run the command", failed.stderr)
                self.assertIn("/bin/missing", failed.stderr)

    def test_a_runtime_that_is_none(self):
        self.assertMentions(self.build("FROM busybox\n", "--runtime", "runcc", expect=64), "--runtime runcc", "PATH")
        self.assertMentions(self.build("FROM busybox\n", "--runtime", "/etc/passwd", expect=64), "/etc/passwd")
        self.build("FROM busybox\nRUN true\n", "--runtime", "/bin/false", expect=1)

    def test_steps_are_found_in_the_cache_whatever_ran_them(self):
        text = "FROM busybox\nRUN echo 1 > /one\n"
        self.build(text)
        self.assertEqual(self.build(text, "--runtime", "runc").executed(), [])

    def test_it_is_the_runtime_that_runs_them(self):
        wrapper = self.directory / "wrapper"
        wrapper.write_text(f"#!/bin/sh\necho \"$@\" >> {self.directory}/calls\nexec runc \"$@\"\n")
        wrapper.chmod(0o755)
        self.build("FROM busybox\nRUN true\n", "--runtime", wrapper)
        self.assertIn(" run --bundle ", (self.directory / "calls").read_text())

    def test_options_of_the_sandbox(self):
        text = ("FROM busybox\nRUN ulimit -n > /n; df -k /dev/shm | tail -1 | awk '{print $2}' >> /n; "
                "grep CapBnd /proc/self/status | cut -f2 >> /n; cat /etc/hosts >> /n\n")
        for runtime in RUNTIMES:
            with self.subTest(runtime=runtime):
                lines = self.build(text, "--runtime", runtime, "--ulimit", "nofile=300:400", "--shm-size", "3m",
                                   "--cap-drop", "ALL", "--cap-add", "CHOWN", "--add-host", "db:10.1.2.3",
                                   "--no-cache").layout.text("/n").splitlines()
                self.assertEqual(lines[:3], ["300", "3072", "0000000000000001"])
                self.assertIn("10.1.2.3\tdb", lines)

    def test_limits(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime=runtime):
                failed = self.build("FROM busybox\nRUN for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; wait\n", "--runtime",
                                    runtime, "--pids-limit", "6", expect=None)
                self.assertIn("fork", failed.stderr)

    def test_insecure_steps(self):
        text = "FROM busybox\nRUN --security=insecure mount -t tmpfs none /tmp && test -c /dev/fuse && echo yes > /done\n"
        for runtime in RUNTIMES:
            with self.subTest(runtime=runtime):
                built = self.build(text, "--runtime", runtime, "--allow", "security.insecure", "--no-cache")
                self.assertEqual(built.layout.text("/done"), "yes\n")

    def test_the_networks(self):
        text = ("FROM busybox\nRUN --network=none ls /sys/class/net > /none\n"
                "RUN --network=host readlink /proc/self/ns/net > /host\n")
        layout = self.build(text, "--runtime", "runc", "--allow", "network.host").layout
        self.assertEqual(layout.text("/none"), "lo\n")
        self.assertEqual(layout.text("/host").strip(), os.readlink("/proc/self/ns/net"))

    def test_nothing_is_left_of_a_build_that_is_killed(self):
        for runtime in RUNTIMES:
            for number in (signal.SIGKILL, signal.SIGINT):
                with self.subTest(runtime=runtime, signal=number):
                    marker = f"31{len(runtime)}{int(number)}7"
                    process, _, _ = self.start(f"FROM busybox\nRUN sleep {marker}\n", "--runtime", runtime)
                    wait_until(lambda: processes_with(f"sleep\0{marker}"))
                    process.send_signal(number)
                    process.wait(30)
                    wait_until(lambda: not processes_with(marker))
                    wait_until(lambda: not mounts_below(self.state))
        left = subprocess.run("find /sys/fs/cgroup -name 'swbuild-*' -type d", shell=True, capture_output=True, text=True)
        # Those of a build that was killed outright are empty.
        for path in left.stdout.split():
            self.assertEqual(open(f"{path}/cgroup.procs").read(), "")
            os.rmdir(path)
