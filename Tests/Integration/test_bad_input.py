"""Input that is broken or hostile, and a machine that is full: a clear error, nothing half-made, the next build fine."""
import io
import os
import shutil
import subprocess
import tarfile

from support import Case, base_layout, write_layout
from support.images import tar_of


def member(name: str, kind=tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


class Context(Case):
    def test_missing_sources_are_named(self):
        self.files({"there.txt": "x"})
        for source in ("absent.txt", "absent/", "there.txt absent.txt"):
            with self.subTest(source):
                self.assertMentions(self.build(f"FROM scratch\nCOPY {source} /d/\n", expect=1), "absent")

    def test_a_near_miss_or_an_ignored_file_is_said_to_be_so(self):
        self.files({"hidden.txt": "x", ".dockerignore": "hidden.txt\n"})
        built = self.build("FROM scratch\nCOPY hidden.txt /\n", expect=1)
        self.assertMentions(built, "hidden.txt", "ignore")

    def test_a_context_that_is_a_file(self):
        self.files({"file": "x"})
        built = self.build("FROM scratch\nCOPY file /\n", context=self.context / "file", expect=1)
        self.assertMentions(built, str(self.context / "file"))

    def test_a_source_outside_of_the_context_is_not_reached(self):
        (self.directory / "outside.txt").write_text("outside")
        os.symlink("../outside.txt", self.context / "link")
        os.symlink("..", self.context / "up")
        for source in ("../outside.txt", "up/outside.txt"):
            with self.subTest(source):
                self.build(f"FROM scratch\nCOPY {source} /x\n", expect=1)

    def test_an_archive_that_is_cut_off(self):
        whole = io.BytesIO()
        with tarfile.open(fileobj=whole, mode="w:gz") as tar:
            info = member("big")
            info.size = 200_000
            tar.addfile(info, io.BytesIO(os.urandom(200_000)))
        self.files({"cut.tar.gz": whole.getvalue()[:100_000]})
        built = self.build("FROM scratch\nADD cut.tar.gz /\n", expect=1)
        self.assertMentions(built, "cut.tar.gz")

    def test_an_archive_that_would_write_outside(self):
        evil = tar_of([(member("link", tarfile.SYMTYPE, "/"), b""), (member("link/swbuild-escaped"), b"x"),
                       (member("../../swbuild-escaped"), b"x"), (member("/swbuild-escaped"), b"x")])
        self.files({"evil.tar": evil})
        arguments, _, _ = self.arguments("FROM busybox\nADD evil.tar /dir/\n")
        done = self.run_swbuild(*arguments)
        self.assertIn(done.status, (0, 1), done.stderr)
        if done.status == 1:
            self.assertMentions(done, "evil.tar")
        self.assertFalse(os.path.lexists("/swbuild-escaped"))

    def test_a_build_file_of_nonsense(self):
        for name, data in (("binary", bytes(range(256)) * 40), ("NUL", b"FROM scratch\nRUN a\0b\n"),
                           ("long line", b"FROM scratch\nRUN " + b"x" * 5_000_000 + b"\n"),
                           ("open heredoc", b"FROM scratch\nCOPY <<EOF /x\nnever closed\n"),
                           ("deep", b"FROM scratch\nENV a=" + b"${a:-" * 20_000 + b"\n")):
            with self.subTest(name):
                (self.directory / "Nonsense").write_bytes(data)
                done = self.run_swbuild("build", "-f", self.directory / "Nonsense", self.context)
                self.assertClean(done)

    def test_odd_files_in_the_context_are_no_trouble_unless_copied(self):
        os.mkfifo(self.context / "pipe")
        self.files({"file": "x", "dir/": ""})
        self.build("FROM scratch\nCOPY file /\n")


class Base(Case):
    def base(self) -> "os.PathLike":
        copy = self.directory / "base"
        shutil.rmtree(copy, True)
        shutil.copytree(base_layout(), copy)
        return copy

    def on(self, base, expect=1):
        return self.build("FROM mine\nRUN true\n", "--build-context", f"mine=oci-layout://{base}:latest", expect=expect)

    def largest_blob(self, base):
        return max((base / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)

    def test_a_flipped_byte_is_found(self):
        base = self.base()
        blob = self.largest_blob(base)
        data = bytearray(blob.read_bytes())
        data[len(data) // 2] ^= 1
        blob.write_bytes(data)
        self.assertMentions(self.on(base), blob.name[:12])
        self.on(self.base(), expect=0)

    def test_a_truncated_blob_is_found(self):
        base = self.base()
        blob = self.largest_blob(base)
        blob.write_bytes(blob.read_bytes()[:-1000])
        self.assertMentions(self.on(base), blob.name[:12])
        self.on(self.base(), expect=0)

    def test_missing_parts_are_named(self):
        for name in ("index.json", "oci-layout"):
            with self.subTest(name):
                base = self.base()
                (base / name).unlink()
                self.assertMentions(self.on(base), name)
        base = self.base()
        blob = self.largest_blob(base)
        blob.unlink()
        self.assertMentions(self.on(base), blob.name[:12])

    def test_documents_of_nonsense(self):
        for text in ("", "{", "[]", "null", '{"schemaVersion":2,"manifests":[{}]}', "[" * 100_000,
                     '{"schemaVersion":2,"manifests":[{"digest":"sha256:../../etc/passwd","size":1,"mediaType":"x"}]}'):
            with self.subTest(text[:30]):
                base = self.base()
                (base / "index.json").write_text(text)
                self.on(base)

    def test_a_tag_that_is_not_there_is_named(self):
        built = self.build("FROM mine\n", "--build-context", f"mine=oci-layout://{self.base()}:v7", expect=1)
        self.assertMentions(built, "v7")

    def test_a_directory_that_is_not_there_is_named(self):
        built = self.build("FROM mine\n", "--build-context", f"mine=oci-layout://{self.directory}/absent:v7", expect=1)
        self.assertMentions(built, f"{self.directory}/absent")

    def test_a_layer_that_is_not_what_the_configuration_says(self):
        layer = tar_of([(member("file"), b"x")])
        base = write_layout(self.directory / "lying", [layer], diff_ids=["sha256:" + "0" * 64])
        self.assertMentions(self.on(base), "000000")

    def test_a_layer_that_would_write_outside(self):
        layer = tar_of([(member("link", tarfile.SYMTYPE, "/"), b""), (member("link/swbuild-escaped"), b"x"),
                        (member("up", tarfile.SYMTYPE, "../../../../../../../.."), b""),
                        (member("up/swbuild-escaped"), b"x"), (member("../../../../swbuild-escaped"), b"x"),
                        (member("/swbuild-escaped"), b"x"), (member(".wh..."), b""), (member("link/.wh.tmp"), b"")])
        base = write_layout(self.directory / "evil", [layer])
        arguments, _, _ = self.arguments("FROM mine\nCOPY <<EOF /f\nx\nEOF\n", "--build-context",
                                         f"mine=oci-layout://{base}:latest")
        done = self.run_swbuild(*arguments)
        self.assertIn(done.status, (0, 1), done.stderr)
        if done.status == 1:
            self.assertMentions(done, "layer")
        self.assertFalse(os.path.lexists("/swbuild-escaped"))
        self.assertTrue(os.path.isdir("/tmp"))

    def test_a_hard_link_out_of_the_layer_is_not_made(self):
        for target in ("/etc/passwd", "../../../../../etc/passwd"):
            with self.subTest(target):
                layer = tar_of([(member("stolen", tarfile.LNKTYPE, target), b"")])
                shutil.rmtree(self.directory / "evil", True)
                links = os.stat("/etc/passwd").st_nlink
                self.on(write_layout(self.directory / "evil", [layer]), expect=None)
                self.assertEqual(os.stat("/etc/passwd").st_nlink, links)


class FullDisk(Case):
    def setUp(self):
        super().setUp()
        self.disk = self.directory / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)

    def test_a_full_disk_is_named_and_the_next_build_works(self):
        root = ["--root", self.disk / "state"]
        self.build("FROM busybox\nRUN echo before > /before\n", *root)
        self.build("FROM busybox\nRUN head -c 40000000 /dev/urandom > /big\n", *root, expect=None)
        self.files({"big": os.urandom(40_000_000)})
        built = self.build("FROM busybox\nCOPY big /big\n", *root, expect=1)
        self.assertMentions(built, "space")
        after = self.build("FROM busybox\nRUN echo before > /before\nRUN echo after > /after\n", *root)
        self.assertEqual(after.layout.text("/after"), "after\n")

    def test_a_full_disk_under_the_output(self):
        self.files({"big": os.urandom(40_000_000)})
        for output in (f"type=oci,tar=false,dest={self.disk}/layout", f"type=tar,dest={self.disk}/files.tar",
                       f"type=local,dest={self.disk}/files"):
            with self.subTest(output):
                built = self.build("FROM scratch\nCOPY big /big\n", "-o", output, expect=1)
                self.assertMentions(built, "space")
                for path in self.disk.iterdir():
                    shutil.rmtree(path, True) if path.is_dir() else path.unlink()

    def test_a_state_directory_that_cannot_be_written(self):
        subprocess.run(["mount", "-o", "remount,ro", self.disk], check=True)
        built = self.build("FROM busybox\nRUN true\n", "--root", self.disk / "state", expect=1)
        self.assertMentions(built, str(self.disk / "state"))
