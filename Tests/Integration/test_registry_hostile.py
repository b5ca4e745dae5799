"""Registries that lie, stop in the middle, or never stop: a clear error each, and nothing of it in the store."""
import hashlib
import http.server
import json
import tarfile
import threading

from support import base_layout, write_layout
from support.faults import Changed, flipped
from support.images import tar_of
from support.registry import Registry
from support.registry_case import RegistryCase


def when(kind: str, change):
    """A change of the bodies of one kind of answer, their length corrected."""
    def apply(found, status, headers, body):
        if found != kind or status != 200 or not body:
            return status, headers, body
        body = change(body)
        return status, {**headers, "Content-Length": str(len(body))}, body
    return apply


class Hostile(RegistryCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(self)
        self.seed(self.registry)

    def assertRefused(self, name: str, *words: str, flags: tuple = (), kept: int = 0):
        """Neither `pull` nor a build takes it, and the store has nothing of its layers."""
        failed = self.swbuild("pull", *flags, name, expect=None)
        self.assertMentions(failed, *words)
        built = self.make(f"FROM {name}\nRUN true\n", *flags, expect=None)
        self.assertMentions(built, "Buildfile:1:")
        self.assertEqual(self.swbuild("images", "-q").stdout, "")
        self.assertEqual(len(self.left_over()), kept, self.left_over())
        blobs = self.state / "images/blobs/sha256"
        for path in blobs.iterdir():
            self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), path.name)
            self.assertTrue(path.read_bytes().startswith(b"{"), "a layer was kept")
        self.assertEqual(list((self.state / "layers").iterdir()), [])

    def through(self, change) -> str:
        return f"{Changed(self, self.registry, change).host}/base:1"

    def test_other_content(self):
        for kind in ("blobs", "manifests"):
            with self.subTest(kind=kind):
                self.assertRefused(self.through(when(kind, flipped)), "in place of sha256:")

    def test_too_much_and_too_little(self):
        self.assertRefused(self.through(when("blobs", lambda body: body + b"more")), "bytes")
        self.assertRefused(self.through(when("blobs", lambda body: body[:-5])))

    def test_a_connection_that_always_breaks(self):
        def cut(kind, status, headers, body):
            if kind != "blobs" or len(body) < 5000:
                return status, headers, body
            return status, headers, body[:1000] if status == 200 else b""
        self.assertRefused(self.through(cut), "broke", kept=1)

    def test_what_is_no_manifest(self):
        def page(kind, status, headers, body):
            if kind != "manifests":
                return status, headers, body
            text = b"<html>log in here</html>"
            return 200, {"Content-Type": "text/html", "Content-Length": str(len(text))}, text
        self.assertRefused(self.through(page), "text/html")

    def test_a_manifest_without_end(self):
        self.assertRefused(self.through(when("manifests", lambda body: body + b" " * (5 << 20))), "4")

    def manifest_of(self, layout) -> tuple[dict, dict]:
        entry = json.loads((layout / "index.json").read_text())["manifests"][0]
        return entry, json.loads((layout / "blobs/sha256" / entry["digest"][7:]).read_text())

    def test_layers_that_are_others(self):
        lie = write_layout(self.directory / "lie", [tar_of([])], ["sha256:" + "1" * 64])
        name = self.seed(self.registry, "lie:1", source=f"oci:{lie}:latest")
        self.assertRefused(name, "1111", "unpacks to")

    def test_a_layer_that_is_none(self):
        layout = write_layout(self.directory / "none", [b"no tar" * 5000])
        name = self.seed(self.registry, "none:1", source=f"oci:{layout}:latest")
        self.assertRefused(name, "tar")

    def test_more_layers_than_the_configuration_has(self):
        layout = write_layout(self.directory / "more", [tar_of([]), tar_of([])], ["sha256:" + "1" * 64])
        name = self.seed(self.registry, "more:1", source=f"oci:{layout}:latest")
        self.assertRefused(name, "2 layers", "1 diff_ids")

    def test_indexes_that_nest(self):
        _, manifest = self.manifest_of(base_layout())
        entry = {"mediaType": manifest["mediaType"], "digest": "sha256:" + "0" * 64, "size": 10}
        documents = {}
        kind = "application/vnd.oci.image.index.v1+json"
        for _ in range(8):
            data = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": [entry]}).encode()
            digest = "sha256:" + hashlib.sha256(data).hexdigest()
            documents[digest] = data
            entry = {"mediaType": kind, "digest": digest, "size": len(data)}

        class Nested(Changed):
            def answer(proxy, handler):
                reference = handler.path.rpartition("/")[2]
                body = documents.get(reference, documents[entry["digest"]])
                if "/manifests/" not in handler.path:
                    body = b"{}"
                proxy.send(handler, 200, [("Content-Type", kind), ("Content-Length", str(len(body)))], body)
        name = f"{Nested(self, self.registry, None).host}/base:1"
        self.assertRefused(name, "nests its indexes too deeply")

    def test_a_login_that_is_never_good(self):
        def refuse(kind, status, headers, body):
            return 401, {"WWW-Authenticate": 'Basic realm="again"', "Content-Length": "0"}, b""
        proxy = Changed(self, self.registry, refuse)
        self.assertRefused(f"{proxy.host}/base:1", "swbuild login")
        self.assertLess(len(proxy.asked), 20)

    def test_redirects_in_a_circle(self):
        def circle(kind, status, headers, body):
            if kind != "blobs":
                return status, headers, body
            return 307, {"Location": "/v2/base/blobs/sha256:" + "0" * 64, "Content-Length": "0"}, b""
        proxy = Changed(self, self.registry, circle)
        self.assertRefused(f"{proxy.host}/base:1", "redirect")
        self.assertLess(len(proxy.asked), 60)

    def test_credentials_stay_with_their_registry(self):
        """Whoever a registry sends us to learns nothing, however it asks."""
        heard = []

        class Thief(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                heard.append((self.path, dict(self.headers.items())))
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="please"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass
        thief = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Thief)
        threading.Thread(target=thief.serve_forever, daemon=True).start()
        self.addCleanup(thief.server_close)
        self.addCleanup(thief.shutdown)

        def elsewhere(kind, status, headers, body):
            if kind != "blobs":
                return status, headers, body
            return 307, {"Location": f"http://127.0.0.1:{thief.server_port}/taken", "Content-Length": "0"}, b""
        proxy = Changed(self, self.registry, elsewhere)
        self.auth.write_text(json.dumps({"auths": {proxy.host: {"auth": "c29tZWJvZHk6c2VjcmV0"}}}))
        self.assertRefused(f"{proxy.host}/base:1")
        self.assertTrue(heard)
        for _, headers in heard:
            self.assertNotIn("Authorization", headers)

    def test_a_layer_that_unpacks_to_far_more_than_it_is(self):
        info = tarfile.TarInfo("zeros")
        bomb = write_layout(self.directory / "bomb", [tar_of([(info, bytes(200 << 20))])], ["sha256:" + "1" * 64])
        name = self.seed(self.registry, "bomb:1", source=f"oci:{bomb}:latest")
        self.assertRefused(name, "unpacks to")
