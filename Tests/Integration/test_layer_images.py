"""Layers that are unpacked as EROFS images, and when they are directories all the same."""
import os
import pathlib

from support import Case

# More entries than a layer has that becomes a directory for their number.
MANY = "FROM busybox\nCOPY tree /tree\nRUN cat /tree/f7 /tree/sub/f99 > /out && rm /tree/f8 && echo more >> /tree/f9\n"
SUMS = "RUN find /bin /tree /out -type f | sort | xargs md5sum > /sums && find /tree | sort >> /sums\n"
DIRECTORIES = {"SWBUILD_LAYERS": "directories"}


class LayerImages(Case):
    def setUp(self):
        super().setUp()
        self.files({f"tree/{'sub/' if n % 3 == 0 else ''}f{n}": f"{n}\n" * n for n in range(100)})

    def unpacked(self) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
        """The layers that are images, and those that are directories."""
        paths = sorted((self.state / "layers").iterdir())
        return [path for path in paths if path.is_file()], [path for path in paths if path.is_dir()]

    def again(self, **options):
        """Runs another step on the same layers."""
        number = self.count
        return self.build(f"{MANY}RUN cat /tree/f7 > /again{number}\n", **options)

    def test_layers_that_steps_see_become_files(self):
        self.build(MANY)
        images, directories = self.unpacked()
        self.assertEqual(len(images), 2, "the base and the COPY")
        self.assertEqual(len(directories), 1, "what the RUN left")
        for image in images:
            self.tool("fsck.erofs", image)

    def test_a_step_sees_the_same_in_both_forms(self):
        shown = []
        for environment in ({}, DIRECTORIES):
            self.state = self.directory / f"state-{len(shown)}"
            build = self.build(MANY + SUMS, f"--output=type=local,dest={self.directory}/{len(shown)}", env=environment)
            self.assertEqual(build.status, 0)
            shown.append((self.directory / str(len(shown)) / "sums").read_text())
            self.assertEqual(bool(self.unpacked()[0]), not environment)
        self.assertEqual(*shown)
        self.assertNotIn("/tree/f8\n", shown[0])

    def test_state_of_one_form_serves_the_other(self):
        self.build(MANY, env=DIRECTORIES)
        self.assertEqual(self.unpacked()[0], [])
        self.again()
        self.assertEqual(self.unpacked()[0], [], "directories that are there are used")

    def test_small_layers_become_directories(self):
        self.build("FROM busybox\nCOPY tree/f1 /f1\nRUN cat /f1\n")
        images, directories = self.unpacked()
        self.assertEqual((len(images), len(directories)), (1, 2), "the base; the COPY and what the RUN left")

    def test_an_image_that_is_damaged_is_made_anew(self):
        self.build(MANY)
        for image in self.unpacked()[0]:
            with open(image, "r+b") as file:
                file.write(bytes(4096))
        self.again()
        for image in self.unpacked()[0]:
            self.tool("fsck.erofs", image)

    def test_an_image_of_before_a_power_cut_is_made_anew(self):
        self.build(MANY)
        inodes = {}
        for image in self.unpacked()[0]:
            self.assertEqual(os.getxattr(image, "trusted.swbuild.boot").decode(),
                             pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip())
            os.setxattr(image, "trusted.swbuild.boot", b"another")
            inodes[image] = image.stat().st_ino
        self.again()
        for image in self.unpacked()[0]:
            self.assertNotEqual(image.stat().st_ino, inodes[image])

    def test_one_that_is_on_the_disk_is_kept(self):
        self.build(MANY)
        for image in self.unpacked()[0]:
            os.utime(image, (0, 0))
        self.again()
        for image in self.unpacked()[0]:
            self.assertNotIn("trusted.swbuild.boot", os.listxattr(image))
            self.assertEqual(image.stat().st_mtime, 0)

    def test_where_the_trial_failed_there_are_directories(self):
        self.state.mkdir(mode=0o700)
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (self.state / "erofs").write_text(f"{boot} no")
        self.build(MANY)
        images, directories = self.unpacked()
        self.assertEqual((len(images), len(directories)), (0, 3))

    def test_a_trial_of_another_start_does_not_count(self):
        self.state.mkdir(mode=0o700)
        (self.state / "erofs").write_text("another no")
        self.build(MANY)
        self.assertEqual(len(self.unpacked()[0]), 2)
        self.assertTrue((self.state / "erofs").read_text().endswith(" yes"))

    def test_mounts_and_run_see_images(self):
        self.build(
            MANY + "FROM busybox\nRUN --mount=type=bind,from=0,target=/whole cat /whole/tree/f7 /whole/tree/f9\n"
            "FROM scratch AS alone\nCOPY tree /tree\nFROM busybox\n"
            "RUN --mount=type=bind,from=alone,source=tree/sub,target=/part cat /part/f99 && ! touch /part/f99\n"
            "RUN --mount=type=bind,from=0,source=tree,target=/part,rw rm /part/f7 && echo x > /part/f9\n"
            "COPY --from=0 /tree/sub /sub\n")
        done = self.run_swbuild("run", "test:latest", "cat", "/sub/f99")
        self.assertEqual(done.stdout, "99\n" * 99, done.stderr)

    def test_prune_removes_them_and_du_counts_them(self):
        self.build(MANY)
        size = sum(image.stat().st_size for image in self.unpacked()[0])
        self.assertGreater(size, 100 * 4096)
        self.assertIn("layers", self.run_swbuild("du").stdout)
        self.assertEqual(self.run_swbuild("prune", "--all").status, 0)
        self.run_swbuild("rm", "test:latest")
        self.assertEqual(self.run_swbuild("prune", "--all").status, 0)
        self.assertEqual(self.unpacked(), ([], []))
