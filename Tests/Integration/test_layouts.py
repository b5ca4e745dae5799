"""Image layouts as other tools read them."""
import json

from support import Case, Layout, base_layout

BUILDFILE = r"""
FROM busybox
LABEL org.example.word="some words"
ENV KEY=value
RUN mkdir -p /data/deep && echo one > /data/deep/file && ln -s deep/file /data/link && ln /data/deep/file /data/hard \
    && chmod 4711 /data/deep/file
RUN chown 1000:1001 /data && rm /etc/group
COPY --chmod=600 text.txt /text.txt
WORKDIR /data
ENTRYPOINT ["/bin/cat"]
CMD ["/text.txt"]
"""


class Layouts(Case):
    def setUp(self):
        super().setUp()
        self.files({"text.txt": "the text\n"})
        self.built = self.build(BUILDFILE)
        self.layout = self.built.layout

    def storage(self) -> list[str]:
        return ["--root", self.directory / "storage", "--runroot", self.directory / "run", "--storage-driver", "vfs"]

    def test_the_layout_is_whole_and_says_what_was_built(self):
        layout = self.layout
        self.assertEqual(layout.digest, self.built.digest)
        self.assertEqual(layout.config["config"]["Labels"]["org.example.word"], "some words")
        self.assertEqual(layout.tree["/data/deep/file"]["mode"], "0o4711")
        self.assertEqual(layout.tree["/data/hard"]["hardlink"], "/data/deep/file")
        self.assertEqual(layout.tree["/data"]["owner"], "1000:1001")
        self.assertNotIn("/etc/group", layout.tree)
        self.assertEqual(len(layout.config["rootfs"]["diff_ids"]), layout.layers)
        filled = [entry for entry in layout.config["history"] if not entry.get("empty_layer")]
        self.assertEqual(len(filled), layout.layers)

    def test_media_types_are_those_of_the_specification(self):
        manifest = self.layout.manifest
        self.assertEqual(manifest["schemaVersion"], 2)
        self.assertEqual(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json")
        self.assertEqual(manifest["config"]["mediaType"], "application/vnd.oci.image.config.v1+json")
        for layer in manifest["layers"]:
            self.assertEqual(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip")

    def test_the_layout_holds_nothing_else(self):
        wanted = {self.layout.digest, self.layout.manifest["config"]["digest"],
                  *(layer["digest"] for layer in self.layout.manifest["layers"])}
        there = {f"sha256:{path.name}" for path in (self.layout.directory / "blobs/sha256").iterdir()}
        self.assertEqual(there, wanted)
        self.assertEqual({path.name for path in self.layout.directory.iterdir()}, {"oci-layout", "index.json", "blobs"})

    def test_skopeo_inspects_it(self):
        seen = json.loads(self.tool("skopeo", "inspect", f"oci:{self.built.output}"))
        self.assertEqual(seen["Digest"], self.built.digest)
        self.assertEqual(seen["Architecture"], "amd64")
        self.assertEqual(seen["Labels"], {"org.example.word": "some words"})
        self.assertIn("KEY=value", seen["Env"])
        self.assertEqual(len(seen["Layers"]), self.layout.layers)

    def test_skopeo_finds_it_by_its_tag(self):
        seen = json.loads(self.tool("skopeo", "inspect", f"oci:{self.built.output}:{self.layout.tag}"))
        self.assertEqual(seen["Digest"], self.built.digest)

    def test_skopeo_copies_it_there_and_back(self):
        self.tool("skopeo", "copy", f"oci:{self.built.output}", f"dir:{self.directory / 'dir'}")
        self.tool("skopeo", "copy", f"dir:{self.directory / 'dir'}", f"oci:{self.directory / 'back'}:copy")
        back = Layout(self.directory / "back")
        self.assertEqual(back.digest, self.built.digest)
        self.assertEqual(back.tree, self.layout.tree)

    def test_umoci_unpacks_it(self):
        bundle = self.directory / "bundle"
        self.tool("umoci", "unpack", "--image", f"{self.built.output}:{self.layout.tag}", bundle)
        root = bundle / "rootfs"
        self.assertEqual((root / "text.txt").read_text(), "the text\n")
        self.assertEqual((root / "text.txt").stat().st_mode & 0o7777, 0o600)
        self.assertEqual((root / "data/deep/file").stat().st_mode & 0o7777, 0o4711)
        self.assertEqual((root / "data/deep/file").stat().st_nlink, 2)
        self.assertEqual((root / "data").stat().st_uid, 1000)
        self.assertFalse((root / "etc/group").exists())
        process = json.loads((bundle / "config.json").read_text())["process"]
        self.assertEqual(process["args"], ["/bin/cat", "/text.txt"])
        self.assertEqual(process["cwd"], "/data")

    def test_buildah_runs_it(self):
        container = self.tool("buildah", *self.storage(), "from", f"oci:{self.built.output}").strip()
        said = self.tool("buildah", *self.storage(), "run", "--isolation", "chroot", container, "--",
                         "/bin/sh", "-c", "pwd; echo $KEY; cat /text.txt /data/link")
        self.assertEqual(said.split("\n"), ["/data", "value", "the text", "one", ""])

    def test_swbuild_builds_on_it(self):
        again = self.build("FROM mine\nRUN cat /data/link > /copy\n", "--build-context",
                           f"mine=oci-layout://{self.built.output}:{self.layout.tag}")
        layout = again.layout
        self.assertEqual(layout.text("/copy"), "one\n")
        self.assertEqual(layout.config["config"]["Env"], self.layout.config["config"]["Env"])
        below = [layer["digest"] for layer in self.layout.manifest["layers"]]
        self.assertEqual([layer["digest"] for layer in layout.manifest["layers"]][:len(below)], below)

    def test_the_state_directory_is_a_layout_too(self):
        images = self.state / "images"
        entries = json.loads((images / "index.json").read_text())["manifests"]
        names = [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries
                 if entry["digest"] == self.built.digest]
        self.assertEqual(len(names), 1)
        seen = json.loads(self.tool("skopeo", "inspect", f"oci:{images}:{names[0]}"))
        self.assertEqual(seen["Digest"], self.built.digest)

    def test_a_base_of_skopeo_is_read(self):
        self.tool("skopeo", "copy", f"oci:{base_layout()}:latest", f"oci:{self.directory / 'made'}:v1")
        built = self.build("FROM made\nRUN echo here > /here\n", "--build-context",
                           f"made=oci-layout://{self.directory / 'made'}:v1")
        self.assertEqual(built.layout.text("/here"), "here\n")
