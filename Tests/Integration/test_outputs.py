"""What -o writes: layouts, archives, plain tars, directories."""
import io
import json
import os
import subprocess
import tarfile

from support import Case, Layout

BUILDFILE = """
FROM scratch
COPY --chmod=640 --chown=7:8 file.txt /dir/file.txt
COPY --chmod=755 script.sh /script.sh
ENV KEY=value
"""


class Outputs(Case):
    def setUp(self):
        super().setUp()
        self.files({"file.txt": "text\n", "script.sh": "#!/bin/sh\n"})

    def output(self, text: str, expect: int | None = 0):
        return self.build(BUILDFILE, "-o", text, expect=expect)

    def test_a_directory_becomes_a_layout(self):
        self.output(str(self.directory / "plain"))
        self.assertEqual(Layout(self.directory / "plain").text("/dir/file.txt"), "text\n")

    def test_an_archive_of_a_layout(self):
        for flags in ("", ",tar=true"):
            with self.subTest(flags=flags):
                path = self.directory / f"image{len(flags)}.tar"
                built = self.output(f"type=oci,dest={path}{flags}")
                seen = json.loads(self.tool("skopeo", "inspect", f"oci-archive:{path}"))
                self.assertEqual(seen["Digest"], built.digest)
                self.assertIn("KEY=value", seen["Env"])

    def test_a_layout_when_tar_is_false(self):
        self.output(f"type=oci,tar=false,dest={self.directory / 'layout'}")
        self.assertEqual(Layout(self.directory / "layout").text("/dir/file.txt"), "text\n")

    def test_a_docker_archive(self):
        path = self.directory / "docker.tar"
        self.output(f"type=docker,dest={path}")
        seen = json.loads(self.tool("skopeo", "inspect", "--config", f"docker-archive:{path}"))
        self.assertIn("KEY=value", seen["config"]["Env"])
        with tarfile.open(path) as tar:
            manifest = json.load(tar.extractfile("manifest.json"))
        self.assertEqual([tag.removeprefix("docker.io/library/") for tag in manifest[0]["RepoTags"]], ["test:latest"])
        self.tool("skopeo", "copy", f"docker-archive:{path}", f"oci:{self.directory / 'copied'}:x")
        self.assertEqual(Layout(self.directory / "copied").text("/dir/file.txt"), "text\n")

    def check_tar(self, tar: tarfile.TarFile) -> None:
        members = {member.name.removeprefix("./").strip("/"): member for member in tar}
        self.assertEqual(tar.extractfile(members["dir/file.txt"]).read(), b"text\n")
        self.assertEqual((members["dir/file.txt"].uid, members["dir/file.txt"].gid), (7, 8))
        self.assertEqual(members["dir/file.txt"].mode & 0o777, 0o640)
        self.assertEqual(members["script.sh"].mode & 0o777, 0o755)
        self.assertFalse([name for name in members if ".wh." in name])

    def test_a_tar_of_the_files(self):
        path = self.directory / "files.tar"
        self.output(f"type=tar,dest={path}")
        with tarfile.open(path) as tar:
            self.check_tar(tar)

    def test_a_tar_to_standard_output(self):
        arguments, _, _ = self.arguments(BUILDFILE, "-o", "type=tar,dest=-")
        done = subprocess.run([os.environ["SWBUILD"], *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, env={**os.environ, "SWBUILD_ROOT": str(self.state)})
        self.assertEqual(done.returncode, 0, done.stderr)
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
            self.check_tar(tar)

    def test_a_directory_of_the_files(self):
        path = self.directory / "files"
        self.output(f"type=local,dest={path}")
        self.assertEqual((path / "dir/file.txt").read_text(), "text\n")
        self.assertEqual((path / "script.sh").stat().st_mode & 0o777, 0o755)

    def test_files_of_several_layers_are_one_tree(self):
        path = self.directory / "merged"
        self.build("FROM busybox\nRUN echo 1 > /a; echo 1 > /b; mkdir /d; echo 1 > /d/x\n"
                   "RUN rm /a; echo 2 > /b; rm -r /d; mkdir /d; echo 2 > /d/y\n", "-o", f"type=local,dest={path}")
        self.assertFalse((path / "a").exists())
        self.assertEqual((path / "b").read_text(), "2\n")
        self.assertEqual(sorted(entry.name for entry in (path / "d").iterdir()), ["y"])

    def test_a_second_build_replaces_the_first(self):
        layout = self.directory / "layout"
        first = self.output(str(layout))
        self.files({"file.txt": "other\n"})
        second = self.output(str(layout))
        self.assertNotEqual(first.digest, second.digest)
        self.assertEqual(Layout(layout).digest, second.digest)
        self.assertEqual(Layout(layout).text("/dir/file.txt"), "other\n")

    def test_no_output_still_leaves_the_image_in_the_state_directory(self):
        (self.directory / "Buildfile").write_text(BUILDFILE)
        built = self.run_swbuild("build", "-q", "-f", self.directory / "Buildfile", "-t", "kept:v1", self.context)
        self.assertEqual(built.status, 0, built.stderr)
        self.assertIn(built.stdout.strip(), (self.state / "images/index.json").read_text())

    def test_a_bad_output_is_a_usage_error(self):
        for text in ("type=floppy,dest=x", "type=oci", "type=tar,dest=x,colour=red"):
            with self.subTest(text):
                self.assertClean(self.output(text, expect=64))

    def test_a_place_that_cannot_be_written_is_named(self):
        (self.directory / "file").write_text("in the way")
        built = self.output(str(self.directory / "file" / "layout"), expect=1)
        self.assertMentions(built, str(self.directory / "file"))
        self.assertEqual((self.directory / "file").read_text(), "in the way")

    def test_a_failing_build_writes_nothing(self):
        self.build("FROM busybox\nRUN false\n", "-o", f"type=tar,dest={self.directory / 'never.tar'}", expect=1)
        self.assertFalse((self.directory / "never.tar").exists())
