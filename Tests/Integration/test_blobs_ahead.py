"""Large layers that are copied into a layout before it is known that they are needed."""
import hashlib
import json
import pathlib
import random
import shutil
import tempfile

from support import Case

BUILDFILE = "FROM scratch\nCOPY large /large\nCOPY small /small\n"


class BlobsAhead(Case):
    def setUp(self):
        super().setUp()
        # Enough files that looking at them takes longer than copying has to begin.
        self.files({f"small/{number}": f"{number}\n" for number in range(3000)})
        self.files({"large": random.Random(1).randbytes(12 << 20)})
        # Files are remembered when they are three seconds old, and only then it is known how many there are.
        self.settle()
        self.build(BUILDFILE)
        self.first = self.build(BUILDFILE, "-o", self.directory / "first")

    def blobs(self, layout: pathlib.Path) -> set[str]:
        """The digests of a layout's blobs, each checked; nothing else may lie beside them."""
        found = set()
        for blob in (layout / "blobs/sha256").iterdir():
            self.assertEqual(hashlib.sha256(blob.read_bytes()).hexdigest(), blob.name)
            found.add(blob.name)
        return found

    def assertNothingLeft(self):
        self.assertEqual(list((self.state / "tmp").iterdir()), [])

    def is_copied_ahead(self, number: int) -> bool:
        """Whether a blob was being copied before the output was begun."""
        trace = self.directory / f"trace{number}.json"
        self.build(BUILDFILE, "-o", self.directory / f"traced{number}", "--trace", trace)
        events = json.loads(trace.read_text())
        begin = {name: min(event["ts"] for event in events if event["name"] == name)
                 for name in ("copying a blob", "output")}
        return begin["copying a blob"] < begin["output"]

    def test_it_happens(self):
        # On a machine with much else to do a thread may begin late.
        self.assertTrue(any(self.is_copied_ahead(number) for number in range(5)))

    def test_an_unchanged_image_is_written_whole(self):
        again = self.build(BUILDFILE, "-o", self.directory / "again")
        self.assertEqual(again.digest, self.first.digest)
        self.assertEqual(self.blobs(self.directory / "again"), self.blobs(self.directory / "first"))
        self.assertNothingLeft()

    def test_two_layouts_and_one_on_another_file_system(self):
        elsewhere = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, elsewhere)
        self.build(BUILDFILE, "-o", elsewhere / "one", "-o", self.directory / "two", "-o", self.directory / "three")
        for layout in (elsewhere / "one", self.directory / "two", self.directory / "three"):
            self.assertEqual(self.blobs(layout), self.blobs(self.directory / "first"))
        self.assertNothingLeft()

    def test_what_turns_out_not_to_be_needed_is_not_there(self):
        before = self.blobs(self.directory / "first")
        self.files({"large": random.Random(2).randbytes(12 << 20)})
        self.build(BUILDFILE, "-o", self.directory / "changed")
        self.assertEqual(len(self.blobs(self.directory / "changed") & before), 1, "the small files' layer alone")
        self.assertEqual(len(self.blobs(self.directory / "changed")), len(before))
        self.assertNothingLeft()

    def test_a_build_that_fails_leaves_nothing(self):
        failed = self.build(BUILDFILE + "COPY missing /\n", "-o", self.directory / "failed", expect=None)
        self.assertNotEqual(failed.status, 0)
        self.assertFalse((self.directory / "failed").exists())
        self.assertNothingLeft()

    def test_a_damaged_blob_is_told_of(self):
        blobs = self.state / "images/blobs/sha256"
        large = max(blobs.iterdir(), key=lambda blob: blob.stat().st_size)
        damaged = bytearray(large.read_bytes())
        damaged[5000] ^= 1
        large.write_bytes(damaged)
        failed = self.build(BUILDFILE, "-o", self.directory / "damaged", expect=None)
        self.assertNotEqual(failed.status, 0)
        self.assertMentions(failed, "corrupt", large.name)
        self.assertNothingLeft()
        # It is gone, and made anew.
        self.build(BUILDFILE, "-o", self.directory / "mended")
        self.assertIn(large.name, self.blobs(self.directory / "mended"))
