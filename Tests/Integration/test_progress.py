"""What a build shows while it runs."""
import json
import os
import pty
import re
import subprocess

from support import Case

BUILDFILE = "FROM busybox\nRUN echo said-first; echo said-second >&2\nRUN echo end > /end\n"


class Progress(Case):
    def cached(self, shown: str) -> list[str]:
        """The RUN steps that are shown as taken from the cache."""
        titles = dict(re.findall(r"^(#\d+) (.*RUN .*)$", shown, re.MULTILINE))
        return [number for number in re.findall(r"^(#\d+) CACHED$", shown, re.MULTILINE) if number in titles]

    def test_plain_shows_steps_and_what_they_say(self):
        shown = self.build(BUILDFILE).stderr
        for words in ("echo end > /end", "said-first", "said-second"):
            self.assertIn(words, shown)
        self.assertNotIn("\x1b", shown)
        self.assertEqual(self.cached(shown), [])

    def test_plain_marks_what_the_cache_had(self):
        self.build(BUILDFILE)
        shown = self.build(BUILDFILE).stderr
        self.assertEqual(len(self.cached(shown)), 2)
        self.assertNotIn("said-first\n", shown.replace("RUN echo said-first", ""))

    def test_a_failing_step_is_shown_with_its_output_and_place(self):
        built = self.build("FROM busybox\n\nRUN echo the-last-words; exit 7\n", expect=7)
        self.assertMentions(built, "the-last-words", "Buildfile:3", "exit 7")

    def test_a_failing_step_s_output_is_shown_without_progress_too(self):
        built = self.build("FROM busybox\nRUN echo the-last-words; exit 7\n", "--progress", "quiet", expect=7)
        self.assertMentions(built, "the-last-words")

    def test_rawjson_is_a_json_document_a_line(self):
        lines = self.build(BUILDFILE, "--progress", "rawjson").stderr.splitlines()
        self.assertTrue(lines)
        for line in lines:
            json.loads(line)
        self.assertIn("said-first", "".join(lines))

    def test_quiet_says_nothing(self):
        self.assertEqual(self.build(BUILDFILE, "--progress", "quiet").stderr, "")

    def test_auto_without_a_terminal_is_plain(self):
        shown = self.build(BUILDFILE, "--progress", "auto").stderr
        self.assertNotIn("\x1b", shown)
        self.assertIn("said-first", shown)

    def test_output_of_any_kind_comes_through(self):
        built = self.build("FROM busybox\nRUN printf 'no-newline-at-the-end'\n"
                           "RUN printf 'bad \\377\\376 bytes\\n'\nRUN printf 'one\\rtwo\\r\\n\\033[31mred\\033[0m\\n'\n")
        self.assertIn("no-newline-at-the-end", built.stderr)
        self.assertIn("bytes", built.stderr)

    def test_much_output_neither_blocks_nor_is_kept_in_memory(self):
        built = self.build("FROM busybox\nRUN yes 'a line of some length, again and again' | head -n 200000\n"
                           "RUN head -c 8000000 /dev/zero | tr '\\0' x\n")
        self.assertEqual(built.status, 0)

    def test_the_complete_output_is_kept_in_a_log(self):
        self.build("FROM busybox\nRUN seq 1 5000\n")
        logs = [path for path in (self.state / "logs").rglob("*") if path.is_file()]
        self.assertTrue(any(b"\n4321\n" in path.read_bytes() or b"4321" in path.read_bytes() for path in logs))

    def test_a_reader_that_goes_away_does_not_hang_the_build(self):
        arguments, output, _ = self.arguments("FROM busybox\nRUN seq 1 100000\nRUN echo end > /end\n")
        process = subprocess.Popen([os.environ["SWBUILD"], *map(str, arguments)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env={**os.environ, "SWBUILD_ROOT": str(self.state)})
        self.addCleanup(self._end, process)
        process.stderr.read(10)
        process.stderr.close()
        process.wait(timeout=60)
        process.stderr = None

    def test_on_a_terminal(self):
        arguments, output, metadata = self.arguments(BUILDFILE, "--progress", "auto")
        master, slave = pty.openpty()
        process = subprocess.Popen([os.environ["SWBUILD"], *map(str, arguments)], stdin=slave, stdout=slave,
                                   stderr=slave, env={**os.environ, "SWBUILD_ROOT": str(self.state), "TERM": "xterm"})
        self.addCleanup(self._end, process)
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # the terminal's other side is closed
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        self.assertEqual(process.wait(timeout=60), 0, shown[-2000:])
        self.assertIn(b"echo end", shown)
