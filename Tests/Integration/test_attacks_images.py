"""Base images, archives and contexts made to do harm, and a disk that fills up."""
import hashlib
import os
import pathlib
import socket
import subprocess
import tarfile

from support import mounts_below
from support.attack import AttackCase, content, directory, link, member
from support.images import tar_of

FIFO = tarfile.FIFOTYPE


class Layers(AttackCase):
    """Members of a layer that lead out of the directory it is unpacked into."""

    def hostile(self) -> dict[str, list]:
        outside = str(self.host)
        up = "../" * 12
        return {
            "dots": [member(f"{up}{outside}/canary", "x")],
            "dots inside": [directory("a"), member(f"a/../{up}{outside}/canary", "x")],
            "absolute": [member(f"{outside}/canary", "x"), member(f"{outside}/secret", "x")],
            "below a link": [link("l", outside), member("l/canary", "x"), member("l/secret", "x")],
            "below a relative link": [link("l", up + outside), member("l/canary", "x")],
            "below a link to a link": [link("k", "l"), link("l", outside), member("k/dir/file", "x")],
            "a link in place of a directory": [directory("l"), link("l", outside), member("l/dir/file", "x")],
            "a directory in place of a link": [link("l", outside), directory("l", 0o777), member("l/secret", "x")],
            "hard link out": [member("h", type=tarfile.LNKTYPE, linkname=f"{up}{outside}/secret"), member("h", "x")],
            "hard link, absolute": [member("h", type=tarfile.LNKTYPE, linkname=f"{outside}/secret")],
            "hard link through a link": [link("l", outside),
                                         member("h", type=tarfile.LNKTYPE, linkname="l/secret"), member("h", "x")],
            "hard link to a link": [link("l", f"{outside}/secret"),
                                    member("h", type=tarfile.LNKTYPE, linkname="l"), member("h", "x")],
            "whiteout of dots": [member(f"{up}{outside}/.wh.secret")],
            "whiteout through a link": [link("l", outside), member("l/.wh.secret"), member("l/.wh.dir")],
            "whiteout named dots": [member(".wh..."), member(".wh..")],
            "whiteout of a slash": [member(".wh.")],
            "opaque through a link": [link("l", outside), member("l/.wh..wh..opq")],
            "opaque of dots": [member(f"{up}{outside}/.wh..wh..opq")],
            "mode through a link": [link("l", f"{outside}/secret"), member("l", "x", 0o777)],
            "directory mode through a link": [link("l", outside), directory("l/", 0o777)],
            "device": [member("d", type=tarfile.BLKTYPE, devmajor=8, devminor=0, mode=0o666)],
            "device of a whiteout": [member("etc", type=tarfile.CHRTYPE, devmajor=0, devminor=0)],
            "overlay's marks": [member("m", "x", pax_headers={
                "SCHILY.xattr.trusted.overlay.redirect": outside, "SCHILY.xattr.trusted.overlay.metacopy": "",
                "SCHILY.xattr.user.overlay.redirect": outside})],
            "overlay's marks on a directory": [member("bin", type=tarfile.DIRTYPE, mode=0o755, pax_headers={
                "SCHILY.xattr.trusted.overlay.redirect": f"/{up}{outside}",
                "SCHILY.xattr.trusted.overlay.opaque": "y"})],
            "labels": [member("m", "x", pax_headers={"SCHILY.xattr.security.selinux": "evil", "SCHILY.xattr.system.x": ""})],
            "odd names": [member("a\nb\033[2J", "x"), member("-rf", "x"), member(" ", "x"), member("x" * 255, "x")],
            "long name": [member("x" * 300, "x")],
            "deep": [member("/".join(["d"] * 2100), "x")],
        }

    STEP = "RUN cat /l/secret /h /m /canary; ls -R /l/; echo x > /l/canary; echo x > /h; true\n"

    def test_of_a_base_image(self):
        for number, (name, members) in enumerate(self.hostile().items()):
            with self.subTest(name):
                flag = self.image(f"evil{number}", *members)
                self.attack(f"FROM evil{number}\n{self.STEP}COPY --from=evil{number} / /all/\n", flag)
                self.assertEqual(self.look(), self.before)

    def test_of_a_layer_above_another(self):
        """The link is in one layer, what goes through it in the next."""
        for number, (name, members) in enumerate(self.hostile().items()):
            if len(members) < 2:
                continue
            with self.subTest(name):
                flag = self.image(f"two{number}", members[:1], members[1:])
                self.attack(f"FROM two{number}\n{self.STEP}", flag)
                self.assertEqual(self.look(), self.before)

    def test_of_an_archive(self):
        for number, (name, members) in enumerate(self.hostile().items()):
            with self.subTest(name):
                self.files({f"{number}.tar": tar_of(members)})
                self.attack(f"FROM busybox\nADD {number}.tar /\n{self.STEP}RUN ln -s {self.host} /place\nADD {number}.tar /place/\n"
                            "RUN cat /place/secret; true\n")
                self.assertEqual(self.look(), self.before)

    def test_of_a_context_that_is_an_archive(self):
        for name, members in self.hostile().items():
            with self.subTest(name):
                data = tar_of([*members, member("Buildfile", "FROM scratch\nCOPY . /\nCOPY l* h* /there/\n")])
                done = self.run_swbuild("build", "-", input=data)
                self.assertNotIn("top secret", done.stderr)
                self.assertNotIn("Fatal error", done.stderr)
                self.assertEqual(self.look(), self.before)


class Files(AttackCase):
    """Files of an image that the builder itself looks at."""

    def test_passwd_and_group_of_any_kind(self):
        """CVE-2024-9676: a FIFO, a device, a link to the host, a huge file in place of /etc/passwd."""
        fifo = self.host / "fifo"
        os.mkfifo(fifo)
        self.before = self.look()
        big = b"root:x:0:0:root:/root:/bin/sh\n" + b"x" * (17 << 20)
        kinds = {
            "fifo": member("etc/passwd", type=FIFO),
            "device": member("etc/passwd", type=tarfile.CHRTYPE, devmajor=1, devminor=5),
            "directory": directory("etc/passwd"),
            "link to the host's": link("etc/passwd", "/etc/passwd"),
            "link to a FIFO of the host's": link("etc/passwd", f"../../../../../../../..{fifo}"),
            "link to the secret": link("etc/passwd", str(self.host / "secret")),
            "link to itself": link("etc/passwd", "passwd"),
            "link to a process": link("etc/passwd", "/proc/self/environ"),
            "huge": member("etc/passwd", big),
            "one line": member("etc/passwd", b"user:x:" + b"9" * (1 << 20)),
            "odd numbers": member("etc/passwd", "user:x:-1:4294967295::\nevil:x:99999999999:0::\nneg:x:4294967295:1::\n"),
        }
        for number, (name, entry) in enumerate(kinds.items()):
            with self.subTest(name):
                flag = self.image(f"evil{number}", [entry, (entry[0].replace(name="etc/group"), entry[1])])
                for user in ("user:user", "1000", "evil" if name == "odd numbers" else "0"):
                    self.attack(f"FROM evil{number}\nUSER {user}\nWORKDIR /w\nRUN true\n", flag)
                self.attack(f"FROM evil{number}\nCOPY --chown=user:user . /x\n", flag)
        self.assertEqual(self.run_swbuild("version").status, 0)

    def test_what_is_mounted_over(self):
        """CVE-2024-9341: links in the image where the builder mounts its own files and file systems."""
        outside = str(self.host)
        up = "../" * 10
        for number, place in enumerate(("etc/resolv.conf", "etc", "proc", "dev", "run/secrets")):
            for kind, entry in {
                    "absolute": link(place, f"{outside}/dir"), "relative": link(place, f"{up}{outside}/made"),
                    "fifo": member(place, type=FIFO), "process": link(place, "/proc/1/root")}.items():
                with self.subTest(f"{place}: {kind}"):
                    name = f"evil{number}{kind.replace(' ', '')}"
                    self.attack(f"FROM {name}\nRUN --mount=type=secret,id=s cat /etc/hosts; echo x >> /etc/resolv.conf; "
                                "touch /run/secrets/new /etc/new /dev/shm/new; true\n", self.image(name, [entry]),
                                "--secret", "id=s,env=PATH")
                    self.assertEqual(self.look(), self.before)

    def test_programs_of_the_image_are_run_in_the_step_alone(self):
        """Nothing of an image is executed, loaded or opened for the builder's own work."""
        marker = self.directory / "ran"
        script = f"#!/bin/sh\ntouch {marker}\n"
        names = ("git", "tar", "gzip", "sh", "newuidmap", "mount", "runc", "pasta", "slirp4netns")
        flag = self.image("evil", *(member(f"usr/bin/{name}", script, 0o755) for name in names),
                          member("etc/ld.so.preload", "/lib/evil.so\n"), member("lib/evil.so", "\x7fELF"))
        self.files({name: script for name in names})
        for name in names:
            (self.context / name).chmod(0o755)
        arguments, _, _ = self.arguments("FROM evil\nENV PATH=/usr/bin LD_PRELOAD=/lib/evil.so LD_LIBRARY_PATH=/lib\n"
                                         "COPY . /usr/bin/\nADD git /x\nWORKDIR /y\n", flag)
        self.assertEqual(self.run_swbuild(*arguments, cwd=self.context).status, 0)
        self.assertFalse(marker.exists())

    def test_special_files_of_a_context(self):
        os.mkfifo(self.context / "fifo")
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(self.context / "socket"))
        os.symlink("/dev/zero", self.context / "zero")
        os.symlink(str(self.host / "secret"), self.context / "secret")
        os.symlink("/proc/self/environ", self.context / "environ")
        os.link(self.host / "dir/file", self.context / "hard")
        self.before = self.look()
        self.attack("FROM busybox\nCOPY . /all\nRUN cat /all/secret /all/environ; head -c 1 /all/zero; true\n")
        for name in ("zero", "secret", "environ", "socket"):
            self.assertNotEqual(self.attack(f"FROM busybox\nCOPY {name} /x\n").status, 0, name)
        # In the mount, the link to a FIFO or a file leads nowhere outside, and a hard link cannot be written to.
        self.attack("FROM busybox\nRUN --mount=type=bind,target=/m echo x > /m/hard; chmod 0 /m/hard; chown 7 /m/hard; "
                    "cat /m/secret; true\n", expect=0)
        self.attack("FROM busybox\nRUN --mount=type=bind,target=/m,rw echo x > /m/hard; chmod 0 /m/hard; cat /m/secret; "
                    "true\n", expect=0)


class FullDisk(AttackCase):
    """A state directory on a small file system that a step, or a layer, fills."""

    def setUp(self):
        super().setUp()
        image = self.directory / "disk"
        with open(image, "wb") as file:
            file.truncate(48 << 20)
        self.tool("mkfs.ext4", "-q", "-F", "-m", "0", image)
        self.disk = self.directory / "small"
        self.disk.mkdir()
        self.tool("mount", "-o", "loop", image, self.disk)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=False)
        self.state = self.disk / "state"
        self.fine = "FROM busybox\nRUN echo fine > /out\n"

    def check_host(self):
        self.assertEqual(self.look(), self.before)
        mounts = [line for line in mounts_below(self.directory) if f" {self.disk} " not in line]
        self.assertEqual(mounts, [])

    def test_filled_by_a_step(self):
        self.assertEqual(self.lines(self.fine), ["fine"])
        for command in ("dd if=/dev/zero of=/big bs=1M", "head -c 60000000 /dev/zero | tr '\\0' x"):
            with self.subTest(command):
                built = self.attack(f"FROM busybox\nRUN {command}\n", "--no-cache")
                self.assertNotEqual(built.status, 0)
                self.assertMentions(built, "no space left")
                self.assertEqual(self.lines(self.fine.replace("fine", "fine again")), ["fine again"])
                self.assertEqual([path for path in (self.state / "tmp").iterdir() if path.is_dir()], [])

    def test_filled_by_a_layer(self):
        self.files({"big": os.urandom(30 << 20)})
        self.assertEqual(self.lines(self.fine), ["fine"])
        built = self.attack("FROM busybox\nCOPY big /a\nRUN cat /a /a > /b\n")
        self.assertNotEqual(built.status, 0)
        self.assertMentions(built, "no space left")
        self.assertEqual(self.lines(self.fine.replace("fine", "fine again")), ["fine again"])
        # What the store says it has, it has: every blob is what its name says.
        for blob in (self.state / "images/blobs/sha256").iterdir():
            self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name)

    def test_filled_by_a_base_image(self):
        flag = self.image("evil", member("noise", os.urandom(60 << 20)))
        built = self.attack("FROM evil\nRUN true\n", flag)
        self.assertNotEqual(built.status, 0)
        self.assertMentions(built, "no space left")
        self.assertEqual(self.lines(self.fine), ["fine"])
        done = self.run_swbuild("prune", "--all")
        self.assertEqual(done.status, 0, done.stderr)
        self.assertEqual(self.lines(self.fine), ["fine"])

    def test_a_shared_memory_of_a_step_is_bounded(self):
        for place in ("/dev/shm", "/dev", "/etc/hosts"):
            target = place if place == "/etc/hosts" else f"{place}/big"
            built = self.attack(f"FROM busybox\nRUN dd if=/dev/zero of={target} bs=1M count=400 2>/dev/null\n",
                                "--no-cache")
            self.assertNotEqual(built.status, 0, place)


class Contents(AttackCase):
    def test_output_without_end_of_line(self):
        """A line has no end: the builder keeps a part of it, in memory and for the message."""
        script = "head -c 40000000 /dev/zero | tr '\\\\0' x; exit 3"
        command = ["/usr/bin/env", "python3", "-c",
                   "import resource,subprocess,sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, "
                   "stderr=subprocess.DEVNULL); print(done.returncode, "
                   "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"]
        arguments, _, _ = self.arguments(f"FROM busybox\nRUN {script}\n")
        told = self.tool(*command, os.environ["SWBUILD"], *arguments, env={"SWBUILD_ROOT": str(self.state)})
        status, peak = map(int, told.split())
        self.assertEqual(status, 3)
        self.assertLess(peak, 120_000, "kilobytes")

    def test_an_image_has_nothing_of_the_builders(self):
        """No mount point, no secret, no file of the builder's is in the layers."""
        built = self.attack("FROM busybox\nRUN --mount=type=secret,id=s --mount=type=tmpfs,target=/made/here "
                            "--mount=type=cache,target=/another --mount=type=bind,target=/third touch /out\n",
                            "--secret", "id=s,env=CANARY", env={"CANARY": "top secret"}, expect=0)
        self.assertEqual(content(built.layout, "out"), "")
        names = set(built.layout.tree) - {"/out"}
        plain = set(self.attack("FROM busybox\nRUN true\n", expect=0).layout.tree)
        self.assertEqual(names, plain)
        text = b"".join(path.read_bytes() for path in pathlib.Path(built.output).rglob("*") if path.is_file())
        self.assertNotIn(b"top secret", text)
