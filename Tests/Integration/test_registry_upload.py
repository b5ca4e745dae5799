"""How blobs get to a registry: the requests, counted, and what is sent again after a failure."""
import random
import tarfile

from support import write_layout
from support.faults import UploadProxy
from support.images import tar_of
from support.registry import Registry
from support.registry_case import RegistryCase

LARGE = 80 << 20
PIECE = 32 << 20


class Uploads(RegistryCase):
    def setUp(self):
        super().setUp()
        self.registry = Registry(self)
        layer = tar_of([(tarfile.TarInfo("large"), random.Random(1).randbytes(LARGE))])
        layout = write_layout(self.directory / "large", [layer])
        self.swbuild("load", "-i", layout, "-t", "large:1")
        self.size = self.inspect("large:1")["manifest"]["layers"][0]["size"]

    def push(self, proxy) -> list[tuple[str, str, int]]:
        """What was asked for the layer; the registry has it afterwards."""
        name = f"{proxy.host}/large:1"
        self.swbuild("tag", "large:1", name)
        self.swbuild("push", name)
        layer = self.registry.manifest("large", "1")["layers"][0]["digest"]
        self.assertEqual(self.registry.blob_file(layer).stat().st_size, self.size)
        return [asked for asked in proxy.asked if asked[2] > PIECE // 2]

    def test_in_one(self):
        proxy = UploadProxy(self, self.registry, largest=1 << 30)
        self.assertEqual(self.push(proxy), [("PUT", "201", self.size)])
        # The layer and the configuration, side by side.
        self.assertEqual(sorted(asked[:2] for asked in proxy.asked if asked[0] != "PUT"),
                         [("HEAD", "404")] * 2 + [("POST", "202")] * 2)

    def test_in_pieces_where_one_is_too_large(self):
        proxy = UploadProxy(self, self.registry, largest=PIECE)
        self.assertEqual(self.push(proxy), [
            ("PUT", "413", self.size), ("PATCH", "202", PIECE), ("PATCH", "202", PIECE),
            ("PATCH", "202", self.size - 2 * PIECE)])
        methods = [asked[0] for asked in proxy.asked]
        self.assertEqual((methods.count("POST"), methods.count("PUT")), (3, 3))

    def test_a_piece_that_breaks_off_is_all_that_is_sent_again(self):
        proxy = UploadProxy(self, self.registry, largest=PIECE, breaks=4)
        asked = self.push(proxy)
        self.assertEqual(sum(1 for method, status, _ in asked if (method, status) == ("PATCH", "202")), 3)
        self.assertIn(("GET", "204", 0), proxy.asked)
        self.assertEqual(sum(1 for method, _, _ in proxy.asked if method == "POST"), 3)
