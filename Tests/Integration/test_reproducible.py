"""The same input gives the same digest: from any state directory, context, number of jobs."""
import os

from support import Case, write_tree

BUILDFILE = """
FROM busybox AS work
COPY src /src
RUN for f in b a c; do cp /src/one /made-$f; done; ln /made-a /hard; mkdir -p /deep/er; date > /deep/er/.ignored; \
    rm /deep/er/.ignored
FROM busybox
WORKDIR /work/here
COPY --from=work /made-a /made-b /made-c /hard /work/
COPY src /src/
ADD src/one /added
RUN echo text > /text
LABEL b=2 a=1
"""
FILES = {"src/one": "1\n", "src/two": "2\n", "src/sub/three": "3\n"}
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}


class Reproducible(Case):
    def setUp(self):
        super().setUp()
        self.files(FILES)

    def digest(self, *flags, **options) -> str:
        return self.build(BUILDFILE, *flags, env=EPOCH, **options).digest

    def test_two_state_directories(self):
        self.assertEqual(self.digest(), self.digest("--root", self.directory / "other"))

    def test_any_number_of_jobs(self):
        self.assertEqual(self.digest("--jobs", "1"), self.digest("--root", self.directory / "other", "--jobs", "8"))

    def test_a_context_written_at_another_time_in_another_order(self):
        first = self.digest()
        other = write_tree(self.directory / "context2", dict(reversed(FILES.items())))
        for directory, names, files in os.walk(other):
            for name in names + files:
                os.utime(os.path.join(directory, name), (1_800_000_000, 1_800_000_000))
        self.assertEqual(self.digest("--root", self.directory / "other", context=other), first)

    def test_without_the_cache(self):
        self.assertEqual(self.digest(), self.digest("--no-cache"))

    def test_the_date_is_the_one_that_was_asked_for(self):
        built = self.build(BUILDFILE, env=EPOCH)
        config = built.layout.config
        self.assertTrue(config["created"].startswith("2023-11-14T22:13:20"))
        for entry in config["history"]:
            self.assertLessEqual(entry["created"], "2023-11-14T22:13:20Z")
        newest = max(entry["mtime"] for entry in built.layout.tree.values())
        self.assertLessEqual(newest, 1_700_000_000)

    def test_a_date_that_is_no_number_is_refused(self):
        built = self.build(BUILDFILE, env={"SOURCE_DATE_EPOCH": "yesterday"}, expect=None)
        self.assertMentions(built, "SOURCE_DATE_EPOCH", "yesterday")

    def test_another_file_gives_another_digest(self):
        first = self.digest()
        self.files({"src/one": "9\n"})
        self.assertNotEqual(self.digest(), first)
