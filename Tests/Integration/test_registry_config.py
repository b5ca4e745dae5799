"""What registries.conf makes of names: mirrors, aliases, registries that need no certificate."""
import json

from support.faults import Changed, flipped
from support.registry import Registry, TokenServer
from support.registry_case import RegistryCase
from support.tls import Authority


class Mirrors(RegistryCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(self)
        self.base = self.seed(self.registry)

    def test_a_mirror_whose_layers_are_wrong(self):
        """The registry itself is asked for them, and the mirror is named."""
        def change(kind, status, headers, body):
            # Documents are right, and layers are not.
            is_layer = kind == "blobs" and status == 200 and not body.startswith(b"{")
            return status, headers, flipped(body) if is_layer else body
        mirror = Changed(self, self.registry, change)
        self.configure(f'[[registry]]\nprefix = "{self.registry.host}"\n'
                       f'[[registry.mirror]]\nlocation = "{mirror.host}"\n')
        for words in (("pull", self.base), ("build", "-f", "-", self.context)):
            with self.subTest(command=words[0]):
                root = self.directory / words[0]
                self.registry.new_requests()
                done = self.swbuild(*words, root=root, input=f"FROM {self.base}\nRUN true\n".encode())
                self.assertMentions(done, "warning", f"the mirror {mirror.host} is not asked any more", "other content")
                self.assertEqual(done.stderr.count("is not asked any more"), 1)
                asked = self.registry.new_requests()
                self.assertEqual(asked.count(("GET", "blobs", 200)), 3, "the mirror's two and the registry's own")
                self.assertEqual(self.left_over(root), [])

    def test_a_beginning_that_somebody_else_left(self):
        """Nobody is blamed for it."""
        self.configure(f'[[registry]]\nprefix = "{self.registry.host}"\n'
                       f'[[registry.mirror]]\nlocation = "{self.registry.host}/none"\n')
        layer = self.registry.manifest("base", "1")["layers"][0]["digest"]
        self.swbuild("images")
        (self.state / "incoming" / layer[7:]).write_bytes(bytes(100))
        done = self.swbuild("pull", self.base)
        self.assertNotIn("warning", done.stderr)
        self.assertEqual(self.left_over(), [])


class Names(RegistryCase):
    def test_an_alias_stands_for_a_short_name(self):
        registry = Registry(self)
        base = self.seed(registry, "real/tool:1")
        self.configure(f'[aliases]\n"tool" = "{registry.host}/real/tool"\n')
        lock = self.directory / "lock"
        built = self.make("FROM tool:1\nRUN true\n", "--lock", lock)
        self.assertIn(f"pulled {base}", built.stderr)
        self.assertEqual([image["name"] for image in json.loads(lock.read_text())["images"]], [base])
        again = self.make("FROM tool:1\nRUN true\n", f"--locked={lock}")
        self.assertEqual((again.digest, again.executed()), (built.digest, []))
        self.assertEqual(self.swbuild("pull", "tool:1", root=self.directory / "other").stdout.split()[1], base)
        # What the store calls so comes first.
        self.make("FROM scratch\nLABEL own=1\n", "-t", "tool:1")
        self.assertEqual(self.make("FROM tool:1\n").layout.config["config"]["Labels"], {"own": "1"})


class Insecure(RegistryCase):
    def test_the_token_server_beside_an_insecure_registry(self):
        authority = Authority(self.directory)
        tokens = TokenServer(self, {"somebody": "the password"}, tls=authority)
        registry = Registry(self, tls=authority, tokens=tokens)
        name = f"{registry.host}/private/app:1"
        self.make("FROM scratch\nLABEL a=b\n", "-t", name)
        refused = self.swbuild("push", name, expect=1)
        self.assertMentions(refused, "certs.d")
        self.configure(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
        self.swbuild("login", "-u", "somebody", "--password-stdin", registry.host, input=b"the password")
        self.swbuild("push", name)
        self.swbuild("pull", name, root=self.directory / "other")

    def test_a_token_server_that_is_not_trusted_is_named(self):
        authority = Authority(self.directory)
        tokens = TokenServer(self, {}, tls=authority)
        registry = Registry(self, tokens=tokens)
        failed = self.swbuild("pull", f"{registry.host}/private/app:1", expect=1)
        server = tokens.realm.split("/")[2]
        self.assertMentions(failed, f"the certificate of {server}", f"certs.d/{server}/ca.crt")
