"""Images from a registry: Debian's docker-registry, filled by skopeo."""
import hashlib
import json
import os
import random
import signal
import subprocess
import tarfile

from support import write_layout
from support.faults import FileServer, SlowProxy
from support.images import tar_of
from support.registry import Registry
from support.registry_case import RegistryCase


class Pulls(RegistryCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(self)

    def test_a_base_is_pulled_once_and_runs(self):
        base = self.seed(self.registry)
        first = self.make(f"FROM {base}\nRUN echo made > /made\n")
        self.assertEqual(first.layout.text("/made"), "made\n")
        self.assertIn(f"pulled {base}", first.stderr)
        self.registry.new_requests()
        again = self.make(f"FROM {base}\nRUN echo made > /made\n")
        self.assertEqual((again.executed(), again.digest), ([], first.digest))
        self.assertEqual(self.registry.new_requests(), [])
        self.assertEqual(self.left_over(), [])

    def test_no_needless_request(self):
        base = self.seed(self.registry)
        self.registry.new_requests()
        self.swbuild("pull", base)
        asked = self.registry.new_requests()
        self.assertEqual(sorted(asked), [("GET", "blobs", 200)] * 2 + [("GET", "manifests", 200)])
        self.swbuild("pull", base)
        self.assertEqual(self.registry.new_requests(), [("GET", "manifests", 200)])
        self.make(f"FROM {base}\n", "--pull")
        self.assertEqual(self.registry.new_requests(), [("HEAD", "manifests", 200)])

    def test_what_pull_says(self):
        base = self.seed(self.registry)
        digest = json.loads(self.skopeo("inspect", "--tls-verify=false", f"docker://{base}"))["Digest"]
        self.assertEqual(self.swbuild("pull", base).stdout, f"{digest} {base}\n")
        quiet = self.swbuild("pull", "-q", base)
        self.assertEqual((quiet.stdout, quiet.stderr), (f"{digest}\n", ""))
        self.assertEqual(self.swbuild("run", base, "echo", "here").stdout, "here\n")
        by_digest = f"{self.registry.host}/base@{digest}"
        self.assertEqual(self.make(f"FROM {by_digest}\nRUN true\n").layout.layers, 2)

    def test_when_a_registry_is_asked(self):
        base = self.seed(self.registry)
        self.make(f"FROM {base}\n")
        other = write_layout(self.directory / "other", [tar_of([])])
        self.seed(self.registry, source=f"oci:{other}:latest")
        kept = self.make(f"FROM {base}\n")
        self.assertEqual(self.make(f"FROM {base}\n", "--pull=missing").digest, kept.digest)
        self.assertEqual(self.make(f"FROM {base}\n", "--pull=never").digest, kept.digest)
        self.assertNotEqual(self.make(f"FROM {base}\n", "--pull").digest, kept.digest)
        missing = f"{self.registry.host}/nothing:1"
        failed = self.make(f"FROM {missing}\n", "--pull=never", expect=1)
        self.assertMentions(failed, f"{missing} is not in the store", "--pull=never", "Buildfile:1:6")
        for policy in ("missing", "always"):
            with self.subTest(policy=policy):
                failed = self.make(f"FROM {missing}\n", f"--pull={policy}", expect=1)
                self.assertMentions(failed, missing, "Buildfile:1:6")

    def test_every_form_of_an_image(self):
        for name, flags in {
                "v2s2": ["--format", "v2s2"], "oci": ["--format", "oci"],
                "gzip": ["--dest-compress-format", "gzip"],
                "zstd": ["--format", "oci", "--dest-compress-format", "zstd"],
                "plain": ["--dest-decompress"]}.items():
            with self.subTest(form=name):
                base = self.seed(self.registry, f"{name}:1", *flags)
                built = self.make(f"FROM {base}\nRUN echo {name} > /made\n")
                self.assertEqual(built.layout.text("/made"), f"{name}\n")

    def test_an_index_gives_the_image_of_each_platform(self):
        names = []
        for platform in ("linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7"):
            name = f"one:{platform.replace('/', '-')}"
            self.make(f"FROM scratch\nLABEL for={platform}\n", "--platform", platform, "-t", name)
            names.append(name)
        index = f"{self.registry.host}/all:1"
        self.swbuild("index", "create", "-t", index, *names)
        self.swbuild("push", index)
        other = self.directory / "other"
        for platform in ("linux/amd64", "linux/arm/v7", "linux/arm/v6"):
            self.swbuild("pull", "--platform", platform, index, root=other)
        found = self.inspect(index, root=other)
        self.assertEqual(found["config"]["config"]["Labels"], {"for": "linux/amd64"})
        self.assertEqual(len(found["index"]["manifests"]), 4)
        listed = self.swbuild("images", root=other).stdout.splitlines()[1].split()
        self.assertEqual(listed[2], "linux/amd64,linux/arm/v6,linux/arm/v7")
        built = self.make(f"FROM --platform=linux/arm64 {index}\n", "--root", other)
        self.assertEqual(built.layout.config["config"]["Labels"], {"for": "linux/arm64"})
        failed = self.make(f"FROM --platform=linux/s390x {index}\n", expect=1)
        self.assertMentions(failed, "linux/s390x", "linux/arm/v7")

    def test_what_swbuild_does_not_know_survives(self):
        layout = write_layout(self.directory / "odd", [tar_of([])])
        config = self.change(layout, lambda config: {**config, "x-odd": {"a": [1, None]},
                                                     "config": {**config["config"], "Odd": "kept"}})
        base = self.seed(self.registry, "odd:1", source=f"oci:{layout}:latest")
        self.swbuild("pull", base)
        self.assertEqual(self.inspect(base)["config"], {**config, "history": []})
        built = self.make(f"FROM {base}\nLABEL a=b\n").layout.config
        self.assertEqual((built["x-odd"], built["config"]["Odd"]), ({"a": [1, None]}, "kept"))
        digest = self.swbuild("pull", "-q", base).stdout.strip()
        self.swbuild("tag", base, f"{self.registry.host}/again:1")
        self.assertEqual(self.swbuild("push", "-q", f"{self.registry.host}/again:1").stdout.strip(), digest)

    def manifest_of(self, layout) -> dict:
        entry, = json.loads((layout / "index.json").read_text())["manifests"]
        return json.loads((layout / "blobs/sha256" / entry["digest"][7:]).read_text())

    def put(self, layout, document: dict) -> dict:
        data = json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        (layout / "blobs/sha256" / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def change_manifest(self, layout, change) -> None:
        """Changes the manifest of a layout's only image."""
        index = json.loads((layout / "index.json").read_text())
        index["manifests"][0] |= self.put(layout, change(self.manifest_of(layout)))
        (layout / "index.json").write_text(json.dumps(index))

    def change(self, layout, change) -> dict:
        """Changes its configuration, which is returned."""
        manifest = self.manifest_of(layout)
        config = change(json.loads((layout / "blobs/sha256" / manifest["config"]["digest"][7:]).read_text()))
        manifest["config"] |= self.put(layout, config)
        self.change_manifest(layout, lambda _: manifest)
        return config

    def test_equal_and_empty_layers(self):
        one = tar_of([])
        layout = write_layout(self.directory / "same", [one, one, tar_of([]), one])
        base = self.seed(self.registry, "same:1", source=f"oci:{layout}:latest")
        self.swbuild("pull", base)
        built = self.make(f"FROM {base}\nCOPY . /there\n")
        self.assertEqual(built.layout.layers, 5)

    def test_a_layer_that_only_its_own_url_gives_away(self):
        layout = write_layout(self.directory / "foreign", [tar_of([(tarfile.TarInfo("theirs"), b"not to be copied\n")])])
        manifest = self.manifest_of(layout)
        blob = (layout / "blobs/sha256" / manifest["layers"][0]["digest"][7:]).read_bytes()
        elsewhere = FileServer(self, {"/layer": blob})

        def change(manifest: dict) -> dict:
            manifest["layers"][0] |= {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                                      "urls": [f"http://127.0.0.1:{elsewhere.port}/layer"]}
            return manifest
        self.change_manifest(layout, change)
        base = self.seed(self.registry, "foreign:1", source=f"oci:{layout}:latest")
        self.assertFalse(self.registry.blob_file(manifest["layers"][0]["digest"]).exists())
        built = self.make(f"FROM {base}\nCOPY . /here\n")
        self.assertEqual(built.layout.text("/theirs"), "not to be copied\n")
        self.swbuild("pull", base)
        self.swbuild("tag", base, f"{self.registry.host}/other:1")
        self.swbuild("push", f"{self.registry.host}/other:1")
        self.assertFalse(self.registry.blob_file(manifest["layers"][0]["digest"]).exists(), "it was given away")
        elsewhere.files["/layer"] = b"something else"
        self.swbuild("pull", base, root=self.directory / "other", expect=1)

    def test_two_builds_fetch_a_base_once(self):
        base = self.seed(self.registry)
        self.registry.new_requests()
        started = [self.start(f"FROM {base}\nRUN echo {number} > /made\n", env=self.environment)
                   for number in range(2)]
        for process, _, _ in started:
            _, errors = process.communicate()
            self.assertEqual(process.returncode, 0, errors)
        blobs = [asked for asked in self.registry.new_requests() if asked[1] == "blobs"]
        # The configuration is small enough to come twice.
        self.assertLessEqual(len(blobs), 3)

    def test_a_killed_pull_goes_on_where_it_was(self):
        info = tarfile.TarInfo("large")
        data = random.Random(1).randbytes(20_000_000)
        layout = write_layout(self.directory / "large", [tar_of([(info, data)])])
        self.seed(self.registry, "large:1", source=f"oci:{layout}:latest")
        proxy = SlowProxy(self, self.registry, stop_after=5_000_000)
        base = f"127.0.0.1:{proxy.port}/large:1"
        process = subprocess.Popen(
            [os.environ["SWBUILD"], "pull", base], env={**os.environ, **self.environment,
                                                        "SWBUILD_ROOT": str(self.state)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        incoming = self.state / "incoming"
        self.wait_for(lambda: proxy.is_stopped and incoming.is_dir()
                      and any(path.stat().st_size > 4_000_000 for path in incoming.iterdir()))
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.assertEqual(len(self.left_over()), 1)
        proxy.go_on()
        self.swbuild("pull", base)
        self.assertTrue(any(first > 4_000_000 for first in proxy.ranges), proxy.ranges)
        self.assertEqual(self.left_over(), [])
        built = self.make(f"FROM {base}\nCOPY . /there\n")
        self.assertEqual(built.layout.tree["/large"]["size"], len(data))
