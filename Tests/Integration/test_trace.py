"""Where a build's time goes: the trace file and the times at the end."""
import json
import re

from support import Case

BUILDFILE = "FROM busybox\nRUN head -c 3000000 /dev/urandom > /random\nCOPY file /copied\nRUN echo \"a 'b'\" \\\\ > /end\n"


class Trace(Case):
    def setUp(self):
        super().setUp()
        self.files({"file": "content\n"})
        self.path = self.directory / "trace.json"

    def trace(self, buildfile: str, *flags, **options):
        """The complete events of a build's trace, and the names of its lanes by their numbers."""
        built = self.build(buildfile, "--trace", self.path, *flags, **options)
        events = json.loads(self.path.read_text())
        lanes = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
        return built, [event for event in events if event["ph"] == "X"], lanes

    def named(self, events, name):
        return [event for event in events if event["name"] == name]

    def test_every_step_and_its_parts_are_in_the_trace(self):
        built, events, lanes = self.trace(BUILDFILE)
        steps = {lanes[event["tid"]].split(" ", 1)[1] for event in self.named(events, "step")}
        self.assertEqual(steps, {step["name"] for step in built.metadata["swbuild.steps"]})
        self.assertEqual(len(self.named(events, "command")), 2)
        self.assertEqual(len(self.named(events, "compressing")), 3)
        self.assertEqual({lanes[event["tid"]] for event in self.named(events, "compressing")}, {"compression"})
        for name in ("planning", "importing a layer", "waiting for other steps to end", "computing the key",
                     "looking into the cache", "preparing root and mounts", "unpacking layers", "reading what changed",
                     "writing and hashing the tar", "publishing", "waiting for the disk", "output", "copying a blob"):
            self.assertTrue(self.named(events, name), name)

    def test_times_add_up(self):
        _, events, _ = self.trace(BUILDFILE)
        # The file has microseconds with three decimals, and binary fractions need not be exact.
        grain = 0.01
        build, = self.named(events, "build")
        for event in events:
            self.assertGreaterEqual(event["ts"], 0)
            self.assertLessEqual(event["ts"] + event["dur"], build["ts"] + build["dur"] + grain, event)
        lanes = {}
        for event in events:
            lanes.setdefault(event["tid"], []).append(event)
        for lane in lanes.values():
            open_spans = []
            for event in lane:
                while open_spans and open_spans[-1] <= event["ts"] + grain:
                    open_spans.pop()
                end = event["ts"] + event["dur"]
                if open_spans:
                    self.assertLessEqual(end, open_spans[-1] + grain, f"crosses the span around it: {event}")
                open_spans.append(end)
        for step in self.named(events, "step"):
            parts = [event["dur"] for event in lanes[step["tid"]] if event["name"] in
                     ("computing the key", "preparing root and mounts", "command", "reading what changed",
                      "writing and hashing the tar")]
            self.assertLessEqual(sum(parts), step["dur"] + grain)

    def test_steps_from_the_cache_say_so(self):
        self.build(BUILDFILE)
        built, events, _ = self.trace(BUILDFILE)
        self.assertTrue(all(event["args"].get("cached") for event in self.named(events, "step")))
        self.assertEqual(self.named(events, "command"), [])
        self.assertNotIn("times:", built.stderr)

    def test_a_failed_build_leaves_what_there_was(self):
        _, events, _ = self.trace("FROM busybox\nRUN true\nRUN exit 3\nRUN true\n", expect=3)
        self.assertEqual(len(self.named(events, "command")), 2)
        self.assertEqual(sum(1 for event in self.named(events, "step") if event["args"].get("failed")), 1)
        _, events, _ = self.trace("FROM busybox\nRUNN true\n", expect=1)
        self.assertEqual(self.named(events, "command"), [])
        self.assertTrue(self.named(events, "build"))

    def test_the_file_is_replaced_as_a_whole(self):
        self.path.write_text("old")
        self.trace("FROM busybox\nRUN true\n")
        self.assertEqual([path.name for path in self.directory.glob("trace.json*")], ["trace.json"])

    def test_a_file_that_cannot_be_written_fails_the_build(self):
        built = self.build("FROM busybox\nRUN true\n", "--trace", self.directory / "none" / "trace.json", expect=1)
        self.assertMentions(built, "trace.json")
        built = self.build("FROM busybox\nRUN exit 3\n", "--trace", self.directory / "none" / "trace.json", expect=3)
        self.assertMentions(built, "trace.json")

    def test_without_progress_there_is_a_trace_all_the_same(self):
        built, events, _ = self.trace(BUILDFILE, "--progress", "quiet")
        self.assertEqual(built.stderr, "")
        self.assertEqual(len(self.named(events, "command")), 2)


class Times(Case):
    def setUp(self):
        super().setUp()
        self.files({"file": "content\n"})

    def test_plain_ends_with_the_times_of_the_steps_that_ran(self):
        shown = self.build(BUILDFILE).stderr
        table = shown[shown.index("times:\n"):]
        self.assertIn("command", table)
        for words in ("RUN head", "COPY file", "RUN echo"):
            self.assertRegex(table, rf"(?m)^  .*#\d+ .*{words}")
        self.assertRegex(table, r"(?m)^  total \S+: planning \S+, steps ")
        self.assertNotRegex(table, r"(?m)^#")
        again = self.build(BUILDFILE.replace("/end", "/other")).stderr
        table = again[again.index("times:\n"):]
        self.assertIn("RUN echo", table)
        self.assertNotIn("RUN head", table)

    def test_rawjson_tells_them_as_an_event(self):
        lines = self.build(BUILDFILE, "--progress", "rawjson").stderr.splitlines()
        times, = [event for event in map(json.loads, lines) if event["event"] == "times"]
        ran = [step for step in times["steps"] if re.search("RUN", step["name"])]
        self.assertEqual(len(ran), 2)
        for step in ran:
            self.assertGreater(step["command"], 0)
        parts = ("planning", "running", "compression_wait", "image", "disk_wait", "outputs")
        self.assertLessEqual(sum(times[part] for part in parts), times["total"] + 0.001)

    def test_quiet_tells_nothing(self):
        self.assertEqual(self.build(BUILDFILE, "--progress", "quiet").stderr, "")
