"""The command line: exit statuses, what goes to which stream, files that it writes, verbs."""
import io
import json
import os
import pty
import tarfile

from support import Case
from support.case import SWBUILD

SMALL = "FROM scratch\nCOPY file.txt /file.txt\n"


class ExitStatus(Case):
    def test_usage_errors_are_64(self):
        for arguments in (["--no-such-flag"], ["build", "--no-such-flag", "."], ["build", "--jobs", "none", "."],
                          ["build", "-o", "type=bogus,dest=x", "."], ["build", "one", "two"]):
            with self.subTest(arguments=arguments):
                done = self.run_swbuild(*arguments, cwd=self.context)
                self.assertEqual(done.status, 64, done.stderr)
                self.assertTrue(done.stderr.strip())
                self.assertEqual(done.stdout, "")

    def test_the_state_directory_may_come_before_the_verb(self):
        self.files({"file.txt": "text", "Dockerfile": SMALL})
        root = self.directory / "other"
        for options in (["--root", root], [f"--root={root}"]):
            with self.subTest(options=options):
                done = self.run_swbuild(*options, "build", "-t", "a:1", self.context)
                self.assertEqual(done.status, 0, done.stderr)
                self.assertIn("a:1", self.run_swbuild(*options, "images").stdout)
        self.assertFalse(self.state.exists())

    def test_a_context_of_elsewhere_is_not_listed(self):
        for context in ("https://user:geheim@example.com/c.tar", "git@example.com:a/b", "-", "https://example.com/r.git"):
            with self.subTest(context=context):
                done = self.run_swbuild("context", "ls", context, cwd=self.context)
                self.assertEqual(done.status, 64, done.stderr)
                self.assertMentions(done, "directory of this machine")
                self.assertNotIn("geheim", done.stderr)

    def test_a_platform_that_is_nearly_known_is_asked_about(self):
        done = self.run_swbuild("build", "--platform", "linux/amd46", self.context)
        self.assertEqual(done.status, 64, done.stderr)
        self.assertMentions(done, "did you mean `linux/amd64`?")

    def test_warnings_are_seen_even_where_nothing_else_is(self):
        for flags in (["--quiet"], ["--progress", "quiet"], ["--progress", "plain"]):
            with self.subTest(flags=flags):
                built = self.build("FROM scratch\n", "--build-arg", "A=b", "--no-cache-filter", "x", *flags)
                self.assertMentions(built, "warning: --build-arg A", "warning: --no-cache-filter x")
        built = self.build("FROM scratch\n", "--build-arg", "A=b", "--progress", "rawjson")
        events = [json.loads(line) for line in built.stderr.splitlines()]
        [warning] = [event for event in events if event["event"] == "warning"]
        self.assertEqual(warning["message"], "--build-arg A is not used: no ARG declares it")

    def test_an_unknown_flag_is_named(self):
        self.assertMentions(self.run_swbuild("build", "--frobnicate", "."), "frobnicate")

    def test_a_failing_step_gives_its_own_status(self):
        for status in (1, 3, 42, 127, 255):
            with self.subTest(status=status):
                built = self.build(f"FROM busybox\nRUN exit {status}\n", expect=status)
                self.assertMentions(built, f"exit {status}")

    def test_a_command_that_is_not_there_is_127_or_1_and_named(self):
        built = self.build('FROM busybox\nRUN ["/no/such/program"]\n', expect=None)
        self.assertMentions(built, "/no/such/program")
        built = self.build("FROM busybox\nRUN no-such-program\n", expect=127)
        self.assertMentions(built, "no-such-program")

    def test_everything_else_is_1(self):
        self.files({"file.txt": "text"})
        for name, buildfile, words in (
            ("syntax", "FROM scratch\nCOPPY a b\n", ("COPPY", "COPY")),
            ("no FROM", "RUN true\n", ("FROM",)),
            ("missing source", "FROM scratch\nCOPY absent /\n", ("absent",)),
            ("unknown stage", "FROM scratch\nCOPY --from=nowhere /x /x\n", ("nowhere",)),
            ("empty", "\n\n", ()),
        ):
            with self.subTest(name):
                self.assertMentions(self.build(buildfile, expect=1), *words)

    def test_an_error_names_file_and_line(self):
        built = self.build("FROM scratch\n\n# comment\nCOPPY a b\n", expect=1)
        self.assertMentions(built, "Buildfile:4")

    def test_a_missing_context_is_named(self):
        built = self.build(SMALL, context=self.directory / "absent", expect=1)
        self.assertMentions(built, str(self.directory / "absent"))

    def test_a_missing_build_file_is_named(self):
        done = self.run_swbuild("build", "-f", self.directory / "absent", self.context)
        self.assertEqual(done.status, 1)
        self.assertMentions(done, str(self.directory / "absent"))

    def test_an_unknown_target_is_named_with_those_there_are(self):
        built = self.build("FROM scratch AS first\nFROM scratch AS second\n", "--target", "third", expect=1)
        self.assertMentions(built, "third", "first", "second")


class Streams(Case):
    def test_quiet_prints_the_digest_alone(self):
        self.files({"file.txt": "text"})
        built = self.build(SMALL, "-q")
        self.assertDigest(built.stdout.removesuffix("\n"))
        self.assertEqual(built.stdout.strip(), built.digest)
        self.assertEqual(built.stderr, "")

    def test_quiet_still_says_why_it_failed(self):
        built = self.build("FROM busybox\nRUN echo the reason >&2; exit 3\n", "-q", expect=3)
        self.assertEqual(built.stdout, "")
        self.assertMentions(built, "the reason")

    def test_progress_is_on_standard_error(self):
        built = self.build("FROM busybox\nRUN echo said-by-step\n")
        self.assertNotIn("said-by-step", built.stdout)
        self.assertIn("said-by-step", built.stderr)

    def test_version(self):
        done = self.run_swbuild("version")
        self.assertEqual(done.status, 0)
        self.assertRegex(done.stdout, r"\d+\.\d+")

    def test_help_is_no_error_and_on_standard_output(self):
        for arguments in (["--help"], ["build", "--help"], ["images", "--help"]):
            with self.subTest(arguments=arguments):
                done = self.run_swbuild(*arguments)
                self.assertEqual(done.status, 0)
                self.assertIn("USAGE", done.stdout.upper())


class FilesWritten(Case):
    def test_iidfile_holds_the_image_s_id(self):
        """An image's ID is the digest of its configuration."""
        self.files({"file.txt": "text"})
        built = self.build(SMALL, "--iidfile", self.directory / "iid")
        self.assertEqual((self.directory / "iid").read_text().strip(), built.metadata["containerimage.config.digest"])

    def test_metadata_names_the_image_and_its_steps(self):
        self.files({"file.txt": "text"})
        built = self.build("FROM busybox\nCOPY file.txt /\nRUN cat /file.txt\n")
        metadata = built.metadata
        self.assertDigest(metadata["containerimage.digest"])
        self.assertEqual(metadata["containerimage.config.digest"], built.layout.manifest["config"]["digest"])
        self.assertIn("test", metadata["image.name"])
        steps = metadata["swbuild.steps"]
        self.assertEqual([step["cached"] for step in steps if step["instruction"].startswith(("RUN", "COPY"))],
                         [False, False])
        self.assertTrue(all(step["seconds"] >= 0 for step in steps))

    def test_nothing_is_written_by_a_failing_build(self):
        built = self.build("FROM busybox\nRUN false\n", "--iidfile", self.directory / "iid", expect=1)
        self.assertFalse((self.directory / "iid").exists())
        self.assertFalse(built.metadata_file.exists())
        self.assertFalse((built.output / "index.json").exists())


class Input(Case):
    def test_the_build_file_from_standard_input(self):
        self.files({"file.txt": "text"})
        output = self.directory / "layout"
        done = self.run_swbuild("build", "-f", "-", "-o", output, self.context, input=SMALL.encode())
        self.assertEqual(done.status, 0, done.stderr)
        self.assertTrue((output / "index.json").exists())

    def test_the_context_as_a_tar_from_standard_input(self):
        for mode in ("w", "w:gz"):
            with self.subTest(mode=mode):
                archive = io.BytesIO()
                with tarfile.open(fileobj=archive, mode=mode) as tar:
                    for name, text in (("Dockerfile", SMALL), ("file.txt", "from the tar\n")):
                        info = tarfile.TarInfo(name)
                        info.size = len(text)
                        tar.addfile(info, io.BytesIO(text.encode()))
                output = self.directory / f"layout-{len(mode)}"
                done = self.run_swbuild("build", "-o", f"type=local,dest={output}", "-", input=archive.getvalue())
                self.assertEqual(done.status, 0, done.stderr)
                self.assertEqual((output / "file.txt").read_text(), "from the tar\n")

    def test_the_build_file_is_found_in_the_context(self):
        for name in ("Dockerfile", "Buildfile"):
            with self.subTest(name):
                context = self.directory / name
                context.mkdir()
                (context / name).write_text(SMALL)
                (context / "file.txt").write_text(name)
                done = self.run_swbuild("build", "-o", self.directory / f"out-{name}", context)
                self.assertEqual(done.status, 0, done.stderr)

    def test_build_is_the_verb_when_none_is_named(self):
        self.files({"file.txt": "text", "Dockerfile": SMALL})
        done = self.run_swbuild("-q", ".", cwd=self.context)
        self.assertEqual(done.status, 0, done.stderr)
        self.assertDigest(done.stdout.strip())

    def test_the_root_flag_wins_over_the_environment(self):
        self.files({"file.txt": "text"})
        self.build(SMALL, "--root", self.directory / "elsewhere")
        self.assertTrue((self.directory / "elsewhere/images/index.json").exists())
        self.assertFalse((self.state / "images/index.json").exists())


class Flags(Case):
    def test_labels_annotations_and_arguments(self):
        built = self.build("FROM busybox\nARG WHO=nobody\nRUN echo $WHO > /who\n", "--build-arg", "WHO=me",
                           "--label", "a=b=c", "--annotation", "org.example.note=here")
        layout = built.layout
        self.assertEqual(layout.text("/who"), "me\n")
        self.assertEqual(layout.config["config"]["Labels"], {"a": "b=c"})
        self.assertEqual(layout.manifest["annotations"]["org.example.note"], "here")

    def test_an_argument_without_a_value_is_the_environment_s(self):
        built = self.build("FROM busybox\nARG WHO\nRUN echo $WHO > /who\n", "--build-arg", "WHO", env={"WHO": "env"})
        self.assertEqual(built.layout.text("/who"), "env\n")

    def test_platform(self):
        self.files({"file.txt": "text"})
        built = self.build(SMALL, "--platform", "linux/arm64")
        self.assertEqual(built.layout.config["architecture"], "arm64")

    def test_secrets_are_seen_by_the_step_alone(self):
        (self.directory / "secret").write_text("from-a-file-7531")
        built = self.build(
            "FROM busybox\n"
            "RUN --mount=type=secret,id=one --mount=type=secret,id=two,env=TWO "
            "test $(wc -c < /run/secrets/one) = 16 && test ${#TWO} = 17\n",
            "--secret", f"id=one,src={self.directory / 'secret'}", "--secret", "id=two,env=SECRET_TWO",
            env={"SECRET_TWO": "from-the-env-8642"})
        for root in (built.output, self.state):
            for directory, _, names in os.walk(root):
                for name in names:
                    data = open(os.path.join(directory, name), "rb").read()
                    self.assertNotIn(b"from-a-file-7531", data, f"{directory}/{name}")
                    self.assertNotIn(b"from-the-env-8642", data, f"{directory}/{name}")

    def test_a_secret_that_is_required_and_missing_is_named(self):
        built = self.build("FROM busybox\nRUN --mount=type=secret,id=token,required true\n", expect=1)
        self.assertMentions(built, "token")

    def test_no_network(self):
        built = self.build("FROM busybox\nRUN ip -o link | grep -vc ' lo:' > /others || true\n", "--network", "none")
        self.assertEqual(built.layout.text("/others"), "0\n")


class Streams(Case):
    def test_closed_streams_are_nobody_else_s(self):
        """The first file that is opened would get the number of a closed stream, and what is printed."""
        self.files({"file.txt": "text", "Dockerfile": SMALL})
        for closed in (">&-", "<&- >&-", "2>&-", "<&- >&- 2>&-"):
            with self.subTest(closed):
                self.tool("sh", "-c", f'exec "$@" {closed}', "sh", SWBUILD, "build", "-t", "closed:1", self.context,
                          env={"SWBUILD_ROOT": str(self.state)})
                self.tool("sh", "-c", f'exec "$@" {closed}', "sh", SWBUILD, "du", env={"SWBUILD_ROOT": str(self.state)})
        self.assertIn("closed", self.run_swbuild("images").stdout)
        database = (self.state / "cache.sqlite").read_bytes()
        self.assertEqual(database[:15], b"SQLite format 3")
        self.assertNotIn(b"cache-mounts", database)

    def on_a_terminal(self, *arguments) -> bytes:
        """What a command writes to a terminal."""
        pid, master = pty.fork()
        if pid == 0:
            os.environ["SWBUILD_ROOT"] = str(self.state)
            os.execv(SWBUILD, [SWBUILD, *arguments])
        self.addCleanup(os.close, master)
        shown = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            shown += piece
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, shown)
        return shown

    def test_a_terminal_does_nothing_for_what_comes_from_elsewhere(self):
        escape = "\x1b]0;title\x07"
        self.build(f"FROM busybox\nLABEL a=\"x{escape}y\"\nRUN --mount=type=cache,id=c{escape},target=/c true\n",
                   "-t", "odd:1")
        self.files({f"name{escape}": "", "seen": ""})
        for arguments in (("history", "odd:1"), ("du",), ("context", "ls", str(self.context))):
            with self.subTest(arguments[0]):
                shown = self.on_a_terminal(*arguments)
                self.assertNotIn(b"\x1b]", shown)
                self.assertIn(b"title", shown)
                self.assertNotIn(b"\x07", shown)
        # Elsewhere bytes are bytes.
        self.assertIn("\x1b]0;title", self.run_swbuild("history", "odd:1").stdout)


class Verbs(Case):
    def setUp(self):
        super().setUp()
        self.files({"file.txt": "text"})
        self.built = self.build("FROM busybox\nCOPY file.txt /file.txt\nRUN echo one > /one\nENV KEY=value\n",
                                "-t", "app:v1")

    def ask(self, *arguments, expect=0) -> str:
        done = self.run_swbuild(*arguments)
        self.assertEqual(done.status, expect, done.stderr)
        return done.stdout

    def test_images_lists_the_tags(self):
        listing = self.ask("images")
        self.assertIn("app", listing)
        self.assertIn("v1", listing)

    def test_inspect_is_json(self):
        text = self.ask("inspect", "app:v1")
        json.loads(text)
        self.assertIn(self.built.digest, text)
        self.assertIn("KEY=value", text)

    def test_history_shows_the_steps(self):
        text = self.ask("history", "app:v1")
        self.assertIn("echo one", text)
        self.assertIn("COPY", text)

    def test_du_counts(self):
        self.assertRegex(self.ask("du"), r"\d")

    def test_rm_forgets_the_tag(self):
        self.ask("rm", "app:v1")
        self.assertNotIn("v1", self.ask("images"))

    def test_an_unknown_image_is_named(self):
        for verb in ("inspect", "history", "rm"):
            with self.subTest(verb):
                done = self.run_swbuild(verb, "absent:v9")
                self.assertEqual(done.status, 1)
                self.assertMentions(done, "absent")

    def test_after_prune_a_build_works(self):
        self.ask("prune")
        again = self.build("FROM busybox\nCOPY file.txt /file.txt\nRUN echo one > /one\nENV KEY=value\n")
        self.assertEqual(again.layout.text("/one"), "one\n")
