"""Layouts that have blobs in common with the state directory: as further names of its files, as clones, as copies."""
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import tempfile

from support import Case

BUILDFILE = "FROM scratch\nCOPY large /large\nCOPY small /small\n"


class SharedBlobs(Case):
    def setUp(self):
        super().setUp()
        self.files({f"small/{number}": f"{number}\n" for number in range(300)})
        self.files({"large": random.Random(1).randbytes(12 << 20)})
        self.first = self.build(BUILDFILE, "-o", self.directory / "first")
        self.large = max(self.blobs(self.directory / "first"), key=lambda blob: blob.stat().st_size)

    def blobs(self, layout: pathlib.Path) -> list[pathlib.Path]:
        """A layout's blobs, each checked; nothing else may lie beside them."""
        found = sorted((layout / "blobs/sha256").iterdir())
        for blob in found:
            self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name)
        return found

    def names(self, layout: pathlib.Path) -> list[str]:
        return [blob.name for blob in self.blobs(layout)]

    def is_shared(self, layout: pathlib.Path) -> bool:
        """Whether the large blob is the very file that the state directory has."""
        return os.path.samefile(layout / "blobs/sha256" / self.large.name, self.stored)

    @property
    def stored(self) -> pathlib.Path:
        return self.state / "images/blobs/sha256" / self.large.name

    def assertNothingLeft(self):
        self.assertEqual(list((self.state / "tmp").iterdir()), [])

    def btrfs(self) -> pathlib.Path:
        image, volume = self.directory / "disk", self.directory / "volume"
        with open(image, "wb") as file:
            file.truncate(256 << 20)
        self.tool("mkfs.btrfs", "-q", image)
        volume.mkdir()
        self.tool("mount", "-o", "loop", image, volume)
        self.addCleanup(subprocess.run, ["umount", "-l", volume], check=False)
        return volume

    def test_layouts_of_the_same_file_system_share_blobs(self):
        for blob in self.blobs(self.directory / "first"):
            self.assertTrue(os.path.samefile(blob, self.stored.with_name(blob.name)))
        again = self.build(BUILDFILE, "-o", self.directory / "again")
        self.assertEqual(again.digest, self.first.digest)
        self.assertTrue(self.is_shared(self.directory / "again"))
        self.assertEqual(self.names(self.directory / "again"), self.names(self.directory / "first"))
        self.assertEqual(self.stored.stat().st_nlink, 3)
        self.assertNothingLeft()

    def test_a_copy_on_request(self):
        self.build(BUILDFILE, "-o", f"type=oci,dest={self.directory}/copied,copy=true")
        self.assertFalse(self.is_shared(self.directory / "copied"))
        self.assertEqual(self.names(self.directory / "copied"), self.names(self.directory / "first"))

    def test_what_is_pruned_stays_in_layouts(self):
        self.run_swbuild("rm", "test:latest")
        self.run_swbuild("prune", "--all")
        self.assertFalse(self.stored.exists())
        self.assertIn(self.large.name, self.names(self.directory / "first"))

    def test_layouts_on_another_file_system_have_copies(self):
        elsewhere = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, elsewhere)
        self.build(BUILDFILE, "-o", elsewhere / "one", "-o", self.directory / "two")
        for layout in (elsewhere / "one", self.directory / "two"):
            self.assertEqual(self.names(layout), self.names(self.directory / "first"))
        self.assertNothingLeft()

    def test_clones_where_the_file_system_can(self):
        volume = self.btrfs()
        self.state = volume / "state"
        self.build(BUILDFILE)
        # Subvolumes have no files in common, but may share what is on the disk.
        self.tool("btrfs", "subvolume", "create", volume / "results")
        os.sync()
        before = shutil.disk_usage(volume).used
        self.build(BUILDFILE, "-o", volume / "results" / "out", "-o", volume / "results" / "other")
        os.sync()
        for name in ("out", "other"):
            self.assertIn(self.large.name, self.names(volume / "results" / name))
        self.assertLess(shutil.disk_usage(volume).used - before, 4 << 20)

    def test_files_for_a_group_are_copies(self):
        layout = self.directory / "team"
        layout.mkdir()
        os.chown(layout, -1, 12345)
        layout.chmod(0o2775)
        self.build(BUILDFILE, "-o", layout)
        self.assertFalse(self.is_shared(layout))
        for blob in self.blobs(layout):
            self.assertEqual(blob.stat().st_gid, 12345)

    def test_what_is_given_away_is_not_shared_again(self):
        os.chown(self.directory / "first/blobs/sha256" / self.large.name, 12345, 12345)
        self.build(BUILDFILE, "-o", self.directory / "again")
        self.assertFalse(self.is_shared(self.directory / "again"))
        self.assertEqual((self.directory / "again/blobs/sha256" / self.large.name).stat().st_uid, os.geteuid())

    def damage(self, layout: pathlib.Path) -> None:
        self.assertTrue(self.is_shared(layout))
        with open(layout / "blobs/sha256" / self.large.name, "r+b") as file:
            file.seek(5000)
            file.write(b"damage")

    def test_damage_is_found_on_the_other_ways_out_too(self):
        ways = {kind: f"type={kind},dest={self.directory}/{kind}.tar" for kind in ("oci", "docker")}
        ways["zstd"] = f"type=oci,dest={self.directory}/zstd,compression=zstd"
        for name, output in ways.items():
            with self.subTest(name):
                self.build(BUILDFILE, "-o", self.directory / f"{name}-before")
                self.damage(self.directory / f"{name}-before")
                failed = self.build(BUILDFILE, "-o", output, expect=None)
                self.assertMentions(failed, "corrupt", self.large.name)
                self.assertFalse(pathlib.Path(output.partition("dest=")[2]).exists())
        with self.subTest("save"):
            self.build(BUILDFILE, "-o", self.directory / "save-before")
            self.damage(self.directory / "save-before")
            saved = self.run_swbuild("save", "test:latest", "-o", self.directory / "saved.tar")
            self.assertNotEqual(saved.status, 0)
            self.assertMentions(saved, "corrupt", self.large.name)
            self.assertFalse((self.directory / "saved.tar").exists())

    def test_a_blob_that_was_written_to_in_a_layout_is_told_of_and_made_anew(self):
        self.damage(self.directory / "first")
        failed = self.build(BUILDFILE, "-o", self.directory / "damaged", expect=None)
        self.assertNotEqual(failed.status, 0)
        self.assertMentions(failed, "corrupt", self.large.name)
        self.assertFalse((self.directory / "damaged/blobs/sha256" / self.large.name).exists())
        self.assertNothingLeft()
        self.build(BUILDFILE, "-o", self.directory / "mended")
        self.assertIn(self.large.name, self.names(self.directory / "mended"))
        self.assertTrue(self.is_shared(self.directory / "mended"))

    def test_a_build_that_fails_leaves_nothing(self):
        failed = self.build(BUILDFILE + "COPY missing /\n", "-o", self.directory / "failed", expect=None)
        self.assertNotEqual(failed.status, 0)
        self.assertFalse((self.directory / "failed").exists())
        self.assertNothingLeft()
