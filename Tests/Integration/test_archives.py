"""Archives of images: save and load, and bases from archives; to and from skopeo and podman."""
import contextlib
import gzip
import hashlib
import io
import json
import os
import pathlib
import sqlite3
import subprocess
import tarfile

from support import Case, base_layout, unmount_below
from support.case import SWBUILD
from support.images import tar_of

BUILDFILE = "FROM busybox\nRUN echo some text > /text\nLABEL word=here\n"


def members(archive: pathlib.Path) -> dict[str, bytes]:
    """The files of a tar by their names."""
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def write_tar(path: pathlib.Path, files: dict[str, bytes | str]) -> pathlib.Path:
    """Writes a tar; text is the target of a symbolic link."""
    listed = []
    for name, content in files.items():
        info = tarfile.TarInfo(name)
        if isinstance(content, str):
            info.type, info.linkname, content = tarfile.SYMTYPE, content, b""
        listed.append((info, content))
    path.write_bytes(tar_of(listed))
    return path


def docker_archive(path: pathlib.Path, layers: list[bytes], tags: list[str] | None = None, **config) -> pathlib.Path:
    """What older versions of `docker save` write: directories of layers, equal ones by way of links."""
    listed = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    document = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Env": ["A=b"]},
                           "rootfs": {"type": "layers", "diff_ids": listed}, **config}).encode()
    name = hashlib.sha256(document).hexdigest() + ".json"
    files: dict[str, bytes | str] = {name: document}
    paths, seen = [], {}
    for number, layer in enumerate(layers):
        paths.append(f"layer{number}/layer.tar")
        files[paths[-1]] = f"../{seen[layer]}" if layer in seen else layer
        seen.setdefault(layer, paths[-1])
    files["manifest.json"] = json.dumps([{"Config": name, "RepoTags": tags, "Layers": paths}]).encode()
    return write_tar(path, files)


def layer(name: str, content: bytes) -> bytes:
    return tar_of([(tarfile.TarInfo(name), content)])


class Archives(Case):
    def names(self) -> list[str]:
        return [line.split()[0] for line in self.run_swbuild("images").stdout.splitlines()[1:]]

    def inspect(self, name: str) -> dict:
        return json.loads(self.swbuild("inspect", name))

    def swbuild(self, *arguments, **options) -> str:
        done = self.run_swbuild(*arguments, **options)
        self.assertEqual(done.status, 0, done.stderr)
        return done.stdout

    def save(self, *arguments) -> pathlib.Path:
        path = self.directory / "saved.tar"
        self.swbuild("save", "-o", path, *arguments)
        return path

    def storage(self) -> list[str]:
        storage = self.directory / "storage"
        self.addCleanup(unmount_below, storage)
        return ["--root", storage, "--runroot", self.directory / "run", "--storage-driver", "vfs"]

    def test_what_is_saved_and_loaded_is_the_same_image(self):
        digest = self.build(BUILDFILE).digest
        for form in ("docker", "oci"):
            with self.subTest(form=form):
                path = self.save("--format", form, "test:latest")
                other = {"SWBUILD_ROOT": str(self.directory / f"other-{form}")}
                self.assertEqual(self.swbuild("load", "-i", path, env=other), f"{digest} test:latest\n")
                shown = self.swbuild("run", "test", "cat", "/text", env=other)
                self.assertEqual(shown, "some text\n")
                self.assertEqual(json.loads(self.swbuild("inspect", "test", env=other)), self.inspect("test"))

    def test_save_and_load_work_in_a_pipe(self):
        digest = self.build(BUILDFILE).digest
        saved = subprocess.run(
            [SWBUILD, "save", "-o", "-", "test"], capture_output=True, check=True,
            env={**os.environ, "SWBUILD_ROOT": str(self.state)}).stdout
        other = {"SWBUILD_ROOT": str(self.directory / "other")}
        self.assertEqual(self.swbuild("load", input=gzip.compress(saved), env=other), f"{digest} test:latest\n")

    def test_several_images_keep_their_names(self):
        self.build(BUILDFILE)
        self.swbuild("tag", "test", "one:1", "docker.io/library/two")
        self.build("FROM busybox\nRUN echo > /other\n", "-t", "three:3")
        path = self.save("one:1", "two", "three:3")
        other = {"SWBUILD_ROOT": str(self.directory / "other")}
        printed = self.swbuild("load", "-i", path, env=other).splitlines()
        self.assertEqual(sorted(line.split()[1] for line in printed), ["one:1", "three:3", "two:latest"])

    def test_skopeo_reads_both_forms(self):
        digest = self.build(BUILDFILE).digest
        oci = self.save("--format", "oci", "test")
        seen = json.loads(self.tool("skopeo", "inspect", f"oci-archive:{oci}"))
        self.assertEqual((seen["Digest"], seen["Labels"]), (digest, {"word": "here"}))
        docker = self.save("test")
        seen = json.loads(self.tool("skopeo", "inspect", f"docker-archive:{docker}"))
        self.assertEqual(seen["Labels"], {"word": "here"})

    def test_podman_loads_and_runs_what_was_saved(self):
        self.build(BUILDFILE)
        podman = ["podman", *self.storage()]
        self.tool(*podman, "load", "-i", self.save("test"))
        listed = self.tool(*podman, "image", "inspect", "--format", "{{.Config.Labels}}", "test")
        self.assertIn("word:here", listed)

    def test_what_skopeo_writes_is_loaded(self):
        config = self.directory / "copy"
        self.tool("skopeo", "copy", f"oci:{base_layout()}:latest", f"docker-archive:{config}.docker:base:1")
        self.tool("skopeo", "copy", f"oci:{base_layout()}:latest", f"oci-archive:{config}.oci:base:2")
        for ending, name in (("docker", "base:1"), ("oci", "base:2")):
            with self.subTest(form=ending):
                self.assertEqual(self.swbuild("load", "-i", f"{config}.{ending}").split()[1], name)
                self.assertEqual(self.swbuild("run", name, "echo", "it runs"), "it runs\n")

    def test_an_old_archive_with_links_and_any_compression_is_loaded(self):
        one, two = layer("one", b"1\n"), layer("two", b"2\n")
        path = docker_archive(self.directory / "old.tar", [one, two, one], ["old:1", "old:2"], unknown={"kept": [1]})
        plain = path.read_bytes()
        for program in (None, "gzip", "zstd"):
            with self.subTest(compression=program):
                if program:
                    path.write_bytes(subprocess.run([program, "-c"], input=plain, capture_output=True).stdout)
                lines = self.swbuild("load", "-i", path).splitlines()
                self.assertEqual([line.split()[1] for line in lines], ["old:1", "old:2"])
        found = self.inspect("old:1")
        self.assertEqual(found["config"]["unknown"], {"kept": [1]})
        self.assertEqual(len(found["manifest"]["layers"]), 3)
        built = self.build("FROM old:2\nCOPY . /\n")
        self.assertEqual(built.layout.text("/two"), "2\n")

    def test_a_layout_is_loaded_under_the_name_given(self):
        self.swbuild("load", "-i", base_layout(), "-t", "base:given")
        self.assertEqual(self.names(), ["base:given"])

    def test_bases_from_archives(self):
        self.files({"x": "x\n"})
        old = docker_archive(self.directory / "old.tar", [layer("one", b"1\n")], ["old:1"])
        oci = self.directory / "base.tar"
        self.tool("skopeo", "copy", f"oci:{base_layout()}:latest", f"oci-archive:{oci}:some:tag")
        for value, buildfile, path in (
                (f"docker-archive:{old}", "FROM base\nCOPY x /\n", "/one"),
                (f"docker-archive:{old}:old:1", "FROM base\nCOPY x /\n", "/one"),
                (f"oci-archive:{oci}:some:tag", "FROM base\nRUN echo > /made\n", "/made"),
                (f"oci-archive:{oci}", "FROM base\nRUN echo > /made\n", "/made")):
            with self.subTest(value=value):
                first = self.build(buildfile, "--build-context", f"base={value}")
                self.assertIn(path, first.layout.tree)
                again = self.build(buildfile, "--build-context", f"base={value}")
                self.assertEqual((again.digest, again.executed()), (first.digest, []))
        failed = self.build("FROM base\n", "--build-context", f"base=docker-archive:{old}:other:1", expect=1)
        self.assertMentions(failed, "has no image `other:1`; it has old:1")

    def test_an_archive_that_was_written_just_now_is_read_again(self):
        """It may be changed once more without a sign that the file system could give."""
        old = docker_archive(self.directory / "old.tar", [layer("one", b"1\n")], ["old:1"])
        self.build("FROM base\n", "--build-context", f"base=docker-archive:{old}")
        with contextlib.closing(sqlite3.connect(f"file:{self.state}/cache.sqlite?mode=ro", uri=True)) as database:
            self.assertEqual(database.execute("SELECT count(*) FROM selections").fetchone(), (0,))

    def test_tags(self):
        self.build(BUILDFILE)
        self.swbuild("tag", "test", "other:1", "localhost:5000/x/y:z")
        self.assertEqual(self.names(), ["localhost:5000/x/y:z", "other:1", "test:latest"])
        for arguments in (["tag", "nothing", "a"], ["tag", "test", "Upper"], ["tag", "test", "a@sha256:" + "0" * 64]):
            with self.subTest(arguments=arguments):
                self.assertClean(self.run_swbuild(*arguments))
        self.assertEqual(len(self.names()), 3)

    def test_an_index_is_saved_and_loaded_whole(self):
        self.build("FROM scratch\nLABEL word=arm\n", "--platform", "linux/arm64", "-t", "arm:1")
        self.build("FROM busybox\nLABEL word=amd\n", "-t", "amd:1")
        self.swbuild("index", "create", "-t", "all:1", "arm:1", "amd:1")
        path = self.save("--format", "oci", "all:1")
        other = {"SWBUILD_ROOT": str(self.directory / "other")}
        self.swbuild("load", "-i", path, env=other)
        listed = self.swbuild("images", env=other).splitlines()[1].split()
        self.assertEqual((listed[0], listed[2]), ("all:1", "linux/arm64,linux/amd64"))
        found = json.loads(self.swbuild("inspect", "all:1", env=other))
        self.assertEqual(found["config"]["config"]["Labels"], {"word": "amd"})
        raw = json.loads(self.tool("skopeo", "inspect", "--raw", f"oci-archive:{path}"))
        self.assertEqual([entry["platform"]["architecture"] for entry in raw["manifests"]], ["arm64", "amd64"])
        self.swbuild("prune", "--all", env=other)
        self.assertEqual(self.swbuild("history", "all:1", env=other).splitlines()[0].split()[0], "CREATED")

    # --- archives that lie -------------------------------------------------------------

    def assertRefused(self, path: pathlib.Path, *words: str):
        failed = self.run_swbuild("load", "-i", path)
        self.assertClean(failed)
        self.assertMentions(failed, *words)
        self.assertEqual(self.names(), [])

    def test_damaged_and_hostile_archives_are_refused(self):
        good = layer("one", b"1\n")
        lying = docker_archive(self.directory / "lie.tar", [good])
        files = members(lying)
        files["layer0/layer.tar"] = layer("two", b"2\n")
        self.assertRefused(write_tar(lying, files), "layer0/layer.tar", "DiffID")
        del files["layer0/layer.tar"]
        self.assertRefused(write_tar(lying, files), "layer0/layer.tar", "not in it")
        files["layer0/layer.tar"] = "/etc/passwd"
        self.assertRefused(write_tar(lying, files), "not in it")
        files["layer0/layer.tar"] = "layer.tar"
        self.assertRefused(write_tar(lying, files), "symlinks")
        config = next(name for name in files if name.endswith(".json") and name != "manifest.json")
        files["manifest.json"] = json.dumps([{"Config": config, "Layers": []}]).encode()
        self.assertRefused(write_tar(lying, files), "0 layers", "1 diff_ids")
        files["manifest.json"] = b"[" * 100_000
        self.assertRefused(write_tar(lying, files), "manifest.json", "JSON")
        files["manifest.json"] = b" " * (5 << 20)
        self.assertRefused(write_tar(lying, files), "manifest.json", "large")
        self.assertRefused(write_tar(self.directory / "none.tar", {"a": b"b"}), "holds no images")
        (self.directory / "text").write_text("no tar\n" * 1000)
        self.assertRefused(self.directory / "text", "text", "tar")

    def test_blobs_of_a_layout_that_are_others_are_refused(self):
        self.tool("skopeo", "copy", f"oci:{base_layout()}:latest", f"oci-archive:{self.directory}/base.tar:base:1")
        files = members(self.directory / "base.tar")
        layers = [name for name in files if name.startswith("blobs/sha256/")]
        for name in layers:
            with self.subTest(blob=name):
                changed = bytearray(files[name])
                changed[len(changed) // 2] ^= 1
                path = write_tar(self.directory / "bad.tar", {**files, name: bytes(changed)})
                failed = self.run_swbuild("load", "-i", path)
                self.assertClean(failed)
                self.assertEqual(self.names(), [])

    def test_a_link_out_of_an_archive_leads_nowhere(self):
        outside = self.directory / "outside"
        outside.write_text("secret\n")
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            link = tarfile.TarInfo("blobs")
            link.type, link.linkname = tarfile.SYMTYPE, str(self.directory)
            tar.addfile(link)
            file = tarfile.TarInfo("blobs/outside")
            file.size = 6
            tar.addfile(file, io.BytesIO(b"harmed"))
        path = self.directory / "link.tar"
        path.write_bytes(out.getvalue())
        self.assertRefused(path, "holds no images")
        self.assertEqual(outside.read_text(), "secret\n")
