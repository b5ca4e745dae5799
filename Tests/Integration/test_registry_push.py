"""Images to a registry: what is sent, what is not, and who can use it then."""
import json
import pathlib

from support import unmount_below
from support.registry import Registry, TokenServer
from support.registry_case import RegistryCase
from support.tls import Authority

BUILDFILE = "FROM busybox\nRUN echo some text > /text\nRUN echo more > /more\nLABEL word=here\n"


class Pushes(RegistryCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(self)
        self.name = f"{self.registry.host}/app:1"

    def test_skopeo_finds_what_a_build_has_pushed(self):
        built = self.make(BUILDFILE, "-t", self.name, "-t", f"{self.registry.host}/app:2", "-o",
                          f"type=registry,name={self.name}")
        seen = json.loads(self.skopeo("inspect", "--tls-verify=false", f"docker://{self.name}"))
        self.assertEqual((seen["Digest"], seen["Labels"]), (built.digest, {"word": "here"}))
        self.assertEqual(seen["RepoTags"], ["1"])
        self.skopeo("copy", "--src-tls-verify=false", f"docker://{self.name}", f"oci:{self.directory}/copy:1")

    def test_every_way_to_push(self):
        for number, flags in enumerate((["--push"], ["-o", "type=registry"], ["-o", "type=image,push=true"])):
            with self.subTest(flags=flags):
                name = f"{self.registry.host}/way{number}:1"
                built = self.swbuild("build", "-f", "-", "-t", name, *flags, self.context, input=b"FROM scratch\n")
                digest = built.stdout.split()[0]
                seen = json.loads(self.skopeo("inspect", "--tls-verify=false", f"docker://{name}"))
                self.assertEqual(seen["Digest"], digest)
        named = f"{self.registry.host}/only:1"
        self.swbuild("build", "-f", "-", "-o", f"type=image,name={named}", self.context, input=b"FROM scratch\n")
        self.assertIn(named, self.swbuild("images").stdout)
        failed = self.swbuild("build", "-f", "-", "--push", self.context, input=b"FROM scratch\n", expect=64)
        self.assertMentions(failed, "-t REGISTRY/NAME")

    def test_nothing_new_is_heads_and_the_manifest(self):
        self.make(BUILDFILE, "-t", self.name)
        self.registry.new_requests()
        first = self.swbuild("push", self.name)
        asked = self.registry.new_requests()
        blobs = len(self.inspect(self.name)["manifest"]["layers"]) + 1
        self.assertEqual(asked.count(("HEAD", "blobs", 404)), blobs)
        self.assertEqual(asked.count(("POST", "uploads", 202)), blobs)
        self.assertEqual(asked.count(("PUT", "uploads", 201)), blobs)
        self.assertEqual(asked[-1], ("PUT", "manifests", 201))
        self.assertEqual(len(asked), 3 * blobs + 1)
        self.assertIn(f"{blobs} new", first.stderr)
        again = self.swbuild("push", self.name)
        self.assertEqual(sorted(self.registry.new_requests()),
                         [("HEAD", "blobs", 200)] * blobs + [("PUT", "manifests", 201)])
        self.assertIn("nothing new", again.stderr)

    def test_a_damaged_blob_is_found_before_it_is_sent(self):
        self.make(BUILDFILE, "-t", self.name)
        layer = self.inspect(self.name)["manifest"]["layers"][-1]["digest"].partition(":")[2]
        path = self.state / "images/blobs/sha256" / layer
        damaged = bytearray(path.read_bytes())
        damaged[20] ^= 1
        path.write_bytes(damaged)
        self.registry.new_requests()
        failed = self.swbuild("push", self.name, expect=1)
        self.assertMentions(failed, "corrupt", layer)
        self.assertNotIn(("PUT", "manifests", 201), self.registry.new_requests())
        # It is gone, and made anew.
        self.make(BUILDFILE, "-t", self.name)
        self.swbuild("push", self.name)

    def test_layers_of_the_base_are_mounted(self):
        base = self.seed(self.registry)
        self.make(f"FROM {base}\nCOPY . /here\n", "-t", self.name)
        self.registry.new_requests()
        self.swbuild("push", self.name)
        asked = self.registry.new_requests()
        self.assertEqual(asked.count(("POST", "uploads", 201)), 1, "the base's layer was not mounted")
        self.assertEqual(asked.count(("PUT", "uploads", 201)), 2, "a layer and a configuration are new")

    def test_an_index_takes_its_images_along(self):
        for architecture in ("amd64", "arm64"):
            self.make(f"FROM scratch\nLABEL for={architecture}\n", "--platform", f"linux/{architecture}",
                      "-t", f"one:{architecture}")
        self.swbuild("index", "create", "-t", self.name, "one:amd64", "one:arm64")
        self.swbuild("push", self.name)
        for architecture in ("amd64", "arm64"):
            seen = json.loads(self.skopeo("inspect", "--tls-verify=false", "--override-arch", architecture,
                                          f"docker://{self.name}"))
            self.assertEqual(seen["Labels"], {"for": architecture})
        self.skopeo("copy", "--all", "--src-tls-verify=false", f"docker://{self.name}", f"oci:{self.directory}/all:1")

    def test_an_index_of_images_that_other_machines_pushed(self):
        """Each machine pushes its image; one that pulled them all makes the index."""
        for architecture in ("amd64", "arm64"):
            root = self.directory / architecture
            name = f"{self.registry.host}/app:{architecture}"
            self.swbuild("build", "-f", "-", "--platform", f"linux/{architecture}", "-t", name, "--push", self.context,
                         input=f"FROM scratch\nLABEL for={architecture}\n".encode(), root=root)
            self.swbuild("pull", "--platform", f"linux/{architecture}", name)
        self.swbuild("index", "create", "-t", self.name, f"{self.registry.host}/app:amd64",
                     f"{self.registry.host}/app:arm64")
        self.swbuild("push", self.name)
        self.assertEqual(len(self.registry.manifest("app", "1")["manifests"]), 2)

    def test_podman_runs_what_was_pushed(self):
        self.make(BUILDFILE, "-o", f"type=registry,name={self.name}")
        storage = self.directory / "storage"
        podman = ["podman", "--root", storage, "--runroot", self.directory / "run", "--storage-driver", "vfs",
                  "--cgroup-manager", "cgroupfs"]
        self.addCleanup(unmount_below, storage)
        self.tool(*podman, "pull", "--tls-verify=false", self.name)
        shown = self.tool(*podman, "run", "--rm", "--runtime=runc", "--network=none", "--ulimit=nofile=1024",
                          "--ulimit=nproc=1024", self.name, "cat", "/text")
        self.assertEqual(shown, "some text\n")

    def test_layers_compressed_in_other_ways_are_sent_as_they_are(self):
        for compression, ending in (("zstd", "+zstd"), ("uncompressed", ".tar"), ("gzip", "+gzip")):
            with self.subTest(compression=compression):
                name = f"{self.registry.host}/{compression}:1"
                self.make("FROM scratch\nCOPY . /here\n", "-o", f"type=registry,name={name},compression={compression}")
                layer, = self.registry.manifest(compression, "1")["layers"]
                self.assertTrue(layer["mediaType"].endswith(ending), layer)
                other = self.directory / f"other-{compression}"
                self.swbuild("pull", name, root=other)

    def test_what_the_store_lacks_is_not_pushed(self):
        failed = self.swbuild("push", f"{self.registry.host}/nothing:1", expect=1)
        self.assertMentions(failed, "there is no image")
        self.make(BUILDFILE, "-t", self.name)
        layer = self.inspect(self.name)["manifest"]["layers"][0]["digest"]
        (self.state / "images/blobs/sha256" / layer[7:]).unlink()
        failed = self.swbuild("push", self.name, expect=1)
        self.assertMentions(failed, layer, "missing")


class Access(RegistryCase):
    """Registries that want to know who asks."""
    USERS = {"somebody": "the password"}

    def log_in(self, registry: Registry, **options):
        return self.swbuild("login", "-u", "somebody", "--password-stdin", registry.host, input=b"the password\n",
                            **options)

    def assertNoSecret(self, *builds):
        for build in builds:
            self.assertNotIn("the password", build.stdout + build.stderr)

    def test_basic_authentication(self):
        registry = Registry(self, users=self.USERS)
        name = f"{registry.host}/private:1"
        self.make("FROM busybox\nLABEL a=b\n", "-t", name)
        refused = self.swbuild("push", name, expect=1)
        self.assertMentions(refused, f"swbuild login {registry.host}")
        wrong = self.swbuild("login", "-u", "somebody", "--password-stdin", registry.host, input=b"wrong", expect=1)
        self.assertFalse(self.auth.exists())
        self.log_in(registry)
        self.assertEqual(self.auth.stat().st_mode & 0o777, 0o600)
        self.swbuild("push", name)
        self.skopeo("inspect", "--tls-verify=false", "--authfile", self.auth, f"docker://{name}")
        other = self.directory / "other"
        self.swbuild("pull", name, root=other)
        self.swbuild("logout", registry.host)
        gone = self.swbuild("pull", name, root=self.directory / "third", expect=1)
        self.assertNoSecret(refused, wrong, gone)

    def test_skopeo_and_swbuild_share_their_credentials(self):
        registry = Registry(self, users=self.USERS)
        self.skopeo("login", "--tls-verify=false", "--authfile", self.auth, "-u", "somebody", "-p", "the password",
                    registry.host)
        name = f"{registry.host}/private:1"
        self.make("FROM scratch\n", "-o", f"type=registry,name={name}")
        self.swbuild("tag", "test", name)
        self.skopeo("logout", "--authfile", self.auth, registry.host)
        self.swbuild("push", name, expect=1)

    def test_tokens(self):
        tokens = TokenServer(self, self.USERS)
        registry = Registry(self, tokens=tokens)
        name = f"{registry.host}/private/app:1"
        self.make("FROM busybox\nRUN echo > /made\n", "-t", name)
        refused = self.swbuild("push", name, expect=1)
        self.log_in(registry)
        tokens.asked.clear()
        self.swbuild("push", name)
        self.assertLessEqual(len(tokens.asked), 2, "one token does for a repository")
        self.assertIn("repository:private/app:pull,push", {scope for _, scopes in tokens.asked for scope in scopes})
        self.swbuild("tag", name, f"{registry.host}/public/app:1")
        mounted = self.swbuild("push", f"{registry.host}/public/app:1")
        self.assertIn("taken from another repository", mounted.stderr)
        self.swbuild("logout", registry.host)
        self.swbuild("pull", f"{registry.host}/public/app:1", root=self.directory / "anybody")
        private = self.swbuild("pull", name, root=self.directory / "anybody", expect=1)
        self.assertNoSecret(refused, mounted, private)

    def test_tokens_that_end_during_a_push_are_renewed(self):
        tokens = TokenServer(self, self.USERS, lifetime=1)
        registry = Registry(self, tokens=tokens)
        self.log_in(registry)
        name = f"{registry.host}/private/app:1"
        self.make("FROM busybox\n" + "".join(f"RUN echo {n} > /{n}\n" for n in range(6)), "-t", name)
        self.swbuild("push", name)
        self.swbuild("pull", name, root=self.directory / "other")

    def test_tls(self):
        authority = Authority(self.directory)
        registry = Registry(self, tls=authority)
        name = f"{registry.host}/app:1"
        self.make("FROM busybox\nRUN echo > /made\n", "-t", name)
        refused = self.swbuild("push", name, expect=1)
        self.assertMentions(refused, "certs.d")
        certificates = self.directory / ".config/containers/certs.d" / registry.host
        certificates.mkdir(parents=True)
        (certificates / "ca.crt").write_bytes(authority.certificate.read_bytes())
        self.swbuild("push", name)
        self.swbuild("pull", name, root=self.directory / "other")
        (certificates / "ca.crt").unlink()
        self.swbuild("pull", "--insecure-registry", registry.host, name, root=self.directory / "third")

    def test_a_registry_beside_this_machine_needs_tls(self):
        """Plain HTTP is for loopback and what was named with --insecure-registry."""
        failed = self.swbuild("pull", "registry.invalid:5000/app:1", expect=1)
        self.assertMentions(failed, "registry.invalid:5000")


class Locks(RegistryCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(self)
        self.lock: pathlib.Path = self.directory / "swbuild.lock"

    def test_a_lock_holds_a_build_to_its_bases(self):
        base, other = self.seed(self.registry), self.seed(self.registry, "other:1")
        buildfile = f"FROM {base} AS a\nFROM {other}\nCOPY --from=a /bin /from\n"
        self.make(buildfile, "--lock", self.lock)
        lock = json.loads(self.lock.read_text())
        self.assertEqual([image["name"] for image in lock["images"]], sorted([base, other]))
        self.make(buildfile, f"--locked={self.lock}")
        self.make("FROM busybox\nLABEL new=1\n", "-o", f"type=registry,name={other}")
        failed = self.make(buildfile, f"--locked={self.lock}", "--pull", expect=1)
        self.assertMentions(failed, "Buildfile:2:6", other, "swbuild.lock")
        failed = self.make(f"FROM {other}\nFROM {self.seed(self.registry, 'third:1')}\nCOPY --from=0 / /\n",
                           f"--locked={self.lock}", expect=1)
        self.assertMentions(failed, "Buildfile:1:6")
        failed = self.make(f"FROM {self.registry.host}/third:1\n", f"--locked={self.lock}", expect=1)
        self.assertMentions(failed, "does not list", "third:1")

    def test_the_lock_file_is_the_same_each_time(self):
        buildfile = f"FROM {self.seed(self.registry)}\n"
        texts = set()
        for _ in range(2):
            self.make(buildfile, "--lock", self.lock)
            texts.add(self.lock.read_text())
        self.assertEqual(len(texts), 1)

    def test_contexts_and_layouts_are_in_it_too(self):
        self.make("FROM busybox\n", "--lock", self.lock)
        self.assertEqual([image["name"] for image in json.loads(self.lock.read_text())["images"]], ["context:busybox"])
        failed = self.swbuild("build", "-f", "-", "--locked", self.context, input=b"FROM scratch\n", cwd=self.directory)
        self.assertEqual(failed.status, 0)

    def test_no_lock_file_and_one_that_is_none(self):
        failed = self.make("FROM busybox\n", "--locked=nothing.lock", expect=1)
        self.assertMentions(failed, "nothing.lock")
        self.lock.write_text("{}")
        failed = self.make("FROM busybox\n", f"--locked={self.lock}", expect=1)
        self.assertMentions(failed, "version")
