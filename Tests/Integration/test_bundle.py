"""Bundles: what `swbuild bundle` writes, and that other runtimes run it."""
import json
import os
import pathlib
import secrets
import stat
import subprocess
import sys

from support import Case
from support.runtimes import RUNTIMES, run_bundle

TEXT = """\
FROM busybox
RUN mkdir /srv && chown build:build /srv && chmod 2750 /srv && echo gone > /tmp/gone && ln /bin/busybox /srv/box
COPY --chmod=6755 file /srv/file
RUN rm /tmp/gone
RUN --mount=type=bind,target=/m cp /m/file /srv/copy && chown 70000:80000 /srv/copy
ENV GREETING="hello there"
USER build
WORKDIR /srv
STOPSIGNAL SIGUSR1
LABEL keep=me
ENTRYPOINT ["/bin/sh", "-c", "echo $GREETING; id; pwd; exit 7"]
"""


class Bundles(Case):
    def setUp(self):
        super().setUp()
        self.files({"file": "content\n"})
        self.build(TEXT)
        self.bundle = self.directory / "bundle"

    def write(self, *arguments, expect: int = 0):
        done = self.run_swbuild("bundle", *arguments)
        self.assertEqual(done.status, expect, done.stderr)
        return done

    def configuration(self) -> dict:
        return json.loads((self.bundle / "config.json").read_text())

    def test_the_configuration(self):
        self.write("test:latest", self.bundle)
        document = self.configuration()
        process = document["process"]
        self.assertEqual(process["args"], ["/bin/sh", "-c", "echo $GREETING; id; pwd; exit 7"])
        self.assertEqual(process["user"], {"uid": 1000, "gid": 1001, "additionalGids": [1001, 50], "umask": 0o22})
        self.assertEqual(process["cwd"], "/srv")
        self.assertIn("GREETING=hello there", process["env"])
        self.assertIn("HOME=/home/build", process["env"])
        self.assertEqual(len(process["capabilities"]["bounding"]), 14)
        self.assertEqual(process["capabilities"]["effective"], [])
        self.assertEqual(document["annotations"]["org.opencontainers.image.stopSignal"], "SIGUSR1")
        self.assertEqual(document["annotations"]["keep"], "me")
        self.assertFalse(process["terminal"])

    def test_the_root_file_system(self):
        self.write("test:latest", self.bundle)
        root = self.bundle / "rootfs"
        directory = os.lstat(root / "srv")
        self.assertEqual((directory.st_uid, directory.st_gid, stat.S_IMODE(directory.st_mode)), (1000, 1001, 0o2750))
        self.assertEqual(stat.S_IMODE(os.lstat(root / "srv/file").st_mode), 0o6755)
        copy = os.lstat(root / "srv/copy")
        self.assertEqual((copy.st_uid, copy.st_gid), (70000, 80000))
        self.assertFalse(os.path.lexists(root / "tmp/gone"))
        self.assertFalse(os.path.lexists(root / "m"))
        self.assertEqual(os.readlink(root / "bin/sh"), "busybox")
        # It holds set-user-ID programs: nobody else is to reach them.
        self.assertEqual(stat.S_IMODE(os.stat(self.bundle).st_mode), 0o700)

    def test_runtimes_run_it(self):
        self.write("test:latest", self.bundle)
        for runtime in RUNTIMES:
            with self.subTest(runtime=runtime):
                done = run_bundle(runtime, self.bundle, self.directory)
                self.assertEqual(done.stderr, "")
                self.assertEqual(done.stdout.splitlines(), [
                    "hello there", "uid=1000(build) gid=1001(build) groups=50(staff),1001(build)", "/srv"])
                self.assertEqual(done.returncode, 7)

    def test_runtimes_confine_it(self):
        script = ("grep -E '^(CapEff|CapBnd|Seccomp):' /proc/self/status; "
                  "unshare -U true || echo no namespaces; mount -t tmpfs none /tmp || echo no mounts; "
                  "wc -c < /proc/keys; echo 1 > /proc/sys/kernel/domainname || echo read-only; hostname; "
                  "chown 5:5 /bin/sh && echo chown; rm -f /tmp/n; mknod /tmp/n c 1 3 && echo mknod")
        self.write("--user", "0:0", "--entrypoint", "", "--hostname", "box", "test:latest", self.bundle, "/bin/sh", "-c",
                   f"({script}) 2>/dev/null")
        for runtime in RUNTIMES:
            with self.subTest(runtime=runtime):
                lines = run_bundle(runtime, self.bundle, self.directory).stdout.splitlines()
                status = dict(line.split(":\t") for line in lines[:3])
                self.assertEqual(int(status["CapEff"], 16), 0xa80425fb)
                self.assertEqual(int(status["CapBnd"], 16), 0xa80425fb)
                self.assertEqual(status["Seccomp"], "2")
                self.assertEqual(lines[3:], [
                    "no namespaces", "no mounts", "0", "read-only", "box", "chown", "mknod"])

    def test_other_commands(self):
        self.write("-e", "GREETING=bye", "-w", "/tmp", "test:latest", self.bundle)
        done = run_bundle(RUNTIMES[0], self.bundle, self.directory)
        self.assertEqual(done.stdout.splitlines()[0], "bye")
        self.assertEqual(done.stdout.splitlines()[2], "/tmp")

    def test_the_place_must_be_free(self):
        self.bundle.mkdir()
        self.write("test:latest", self.bundle)
        done = self.write("test:latest", self.bundle, expect=1)
        self.assertIn("no empty directory", done.stderr)
        (self.directory / "file").write_text("")
        self.assertIn("no empty directory", self.write("test:latest", self.directory / "file", expect=1).stderr)
        self.assertIn("no image", self.write("missing:1", self.directory / "b2", expect=1).stderr)

    def test_a_slash_at_the_end(self):
        self.write("test:latest", f"{self.bundle}//")
        self.assertTrue((self.bundle / "config.json").exists())
        # One that is there and empty.
        (self.directory / "b2").mkdir()
        self.write("test:latest", f"{self.directory}/b2/")
        self.assertTrue((self.directory / "b2/rootfs/bin").exists())

    def test_the_owner_of_the_place_leads_it_nowhere_else(self):
        """Whoever owns the directory above may rename what root makes there, and put a link in its place."""
        place, target = self.directory / "place", self.directory / "target"
        for directory in (place, target):
            directory.mkdir()
        for directory in (place, self.directory):
            os.chown(directory, 1000, 1000)
        attack = ("import os, sys\n"
                  "os.setgid(1000); os.setuid(1000); os.chdir(sys.argv[1]); print(flush=True)\n"
                  "done = 0\n"
                  "while True:\n"
                  "    for name in os.listdir():\n"
                  "        if name.endswith('.part') and not os.path.islink(name):\n"
                  "            try: os.rename(name, f'away{done}'); os.symlink(sys.argv[2], name); done += 1\n"
                  "            except OSError: pass\n")  # it has its final name by now
        attacker = subprocess.Popen([sys.executable, "-c", attack, place, target], stdout=subprocess.PIPE)
        self.addCleanup(attacker.communicate)
        self.addCleanup(attacker.kill)
        attacker.stdout.readline()
        for number in range(3):
            done = self.run_swbuild("bundle", "test:latest", place / f"bundle{number}")
            if done.status != 0:
                self.assertIn("replaced by somebody else", done.stderr)
        self.assertEqual(list(target.iterdir()), [])

    def test_nothing_half_made_is_left(self):
        self.build("FROM busybox\nENTRYPOINT []\nCMD []\n", "-t", "empty:1")
        before = sorted(os.listdir(self.directory))
        self.assertIn("name a command", self.write("empty:1", self.bundle, expect=1).stderr)
        # A layer that cannot be read: its blob is not what it says.
        layout = self.build("FROM busybox\nRUN echo 1 > /one\nCMD [\"/bin/true\"]\n", "-t", "broken:1").layout
        before = sorted([*before, *(name for name in os.listdir(self.directory) if name.startswith("out3"))])
        for layer in (self.state / "layers").iterdir():
            subprocess.run(["rm", "-rf", layer], check=True)
        last = layout.manifest["layers"][-1]["digest"].split(":")[1]
        (self.state / "images/blobs/sha256" / last).write_bytes(b"\0" * layout.manifest["layers"][-1]["size"])
        self.write("broken:1", self.bundle, expect=1)
        self.assertEqual([name for name in os.listdir(self.directory) if name.startswith("bundle")], [])
