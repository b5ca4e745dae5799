"""The cache: what runs again after which change, and what does not."""
import os
import shutil
import subprocess

from support import Case, Layout

BUILDFILE = """
FROM busybox AS tool
COPY tool.txt /tool.txt
RUN cat /tool.txt > /made

FROM busybox
ARG WORD=one
RUN echo first > /first
COPY a.txt /a.txt
RUN cat /a.txt > /second
COPY dir /dir
RUN --mount=type=bind,source=mounted.txt,target=/mounted cat /mounted > /third
COPY --from=tool /made /made
ENV SETTING=on
RUN echo fourth > /fourth
"""

TOOL = ["COPY tool.txt /tool.txt", "RUN cat /tool.txt > /made"]
MAIN = ["RUN echo first > /first", "COPY a.txt /a.txt", "RUN cat /a.txt > /second", "COPY dir /dir",
        "RUN --mount=type=bind,source=mounted.txt,target=/mounted cat /mounted > /third",
        "COPY --from=tool /made /made", "RUN echo fourth > /fourth"]
FILES = {"a.txt": "a\n", "dir/one": "1\n", "dir/two": "2\n", "dir/sub/three": "3\n", "mounted.txt": "m\n",
         "tool.txt": "t\n", "unused.txt": "u\n", ".dockerignore": "ignored\n"}


class Changes(Case):
    """After a first build, one input changes: exactly the steps from the one that uses it run again."""

    def setUp(self):
        super().setUp()
        self.files(FILES)
        self.assertEqual(sorted(self.build(BUILDFILE).executed()), sorted(TOOL + MAIN))

    def check(self, expected: list[str], buildfile: str = BUILDFILE, *flags, env=None):
        built = self.build(buildfile, *flags, env=env)
        self.assertEqual(sorted(built.executed()), sorted(expected))
        built.layout  # verifies every digest
        return built

    def path(self, name: str) -> str:
        return str(self.context / name)

    def test_nothing(self):
        built = self.check([])
        self.assertIn("CACHED", built.stderr)

    def test_times_alone(self):
        for name in FILES:
            os.utime(self.path(name), (1, 1))
        os.utime(self.path("dir"), (1, 1))
        self.check([])

    def test_files_that_no_step_uses(self):
        self.files({"unused.txt": "other", "new.txt": "new"})
        self.check([])

    def test_an_ignored_file_in_a_copied_directory(self):
        self.files({".dockerignore": "dir/scratch\n"})
        self.check([])
        self.files({"dir/scratch": "work"})
        self.check([])

    def test_content(self):
        self.files({"a.txt": "b\n"})
        self.check(MAIN[1:])

    def test_content_of_the_same_size_and_time(self):
        before = os.stat(self.path("a.txt"))
        self.files({"a.txt": "b\n"})
        os.utime(self.path("a.txt"), ns=(before.st_atime_ns, before.st_mtime_ns))
        built = self.check(MAIN[1:])
        self.assertEqual(built.layout.text("/a.txt"), "b\n")

    def test_another_file_renamed_over_it_with_the_same_size_and_time(self):
        before = os.stat(self.path("a.txt"))
        self.files({"new": "b\n"})
        os.utime(self.path("new"), ns=(before.st_atime_ns, before.st_mtime_ns))
        os.rename(self.path("new"), self.path("a.txt"))
        self.check(MAIN[1:])

    def test_permissions(self):
        os.chmod(self.path("a.txt"), 0o600)
        self.check(MAIN[1:])

    def test_a_file_deep_in_a_directory(self):
        self.files({"dir/sub/three": "4\n"})
        self.check(MAIN[3:])

    def test_a_file_added(self):
        self.files({"dir/sub/four": "4\n"})
        self.check(MAIN[3:])

    def test_a_file_removed(self):
        os.unlink(self.path("dir/two"))
        self.check(MAIN[3:])

    def test_a_file_renamed(self):
        os.rename(self.path("dir/two"), self.path("dir/zwei"))
        self.check(MAIN[3:])

    def test_two_files_exchanged(self):
        self.files({"dir/one": "2\n", "dir/two": "1\n"})
        self.check(MAIN[3:])

    def test_a_file_that_becomes_a_link_to_the_same_content(self):
        os.rename(self.path("dir/two"), self.path("unused.txt"))
        os.symlink("../unused.txt", self.path("dir/two"))
        self.check(MAIN[3:])

    def test_an_empty_directory_added(self):
        os.mkdir(self.path("dir/empty"))
        self.check(MAIN[3:])

    def test_a_bound_file(self):
        self.files({"mounted.txt": "n\n"})
        self.check(MAIN[4:])

    def test_a_file_of_another_stage(self):
        self.files({"tool.txt": "u\n"})
        self.check(TOOL + MAIN[5:])

    def test_a_change_that_does_not_reach_what_is_copied(self):
        """The other stage's step runs, makes the same file, and what copies that has nothing to do."""
        self.check([TOOL[1].replace("cat", "cat <")],
                   BUILDFILE.replace("RUN cat /tool.txt", "RUN cat < /tool.txt"))

    def test_a_command(self):
        self.check([step.replace("echo first", "echo 1st") for step in MAIN],
                   BUILDFILE.replace("echo first", "echo 1st"))

    def test_an_argument_that_is_declared(self):
        changed = self.check(MAIN_RUNS_AFTER_ARG, BUILDFILE, "--build-arg", "WORD=two")
        self.assertEqual(changed.layout.text("/fourth"), "fourth\n")

    def test_an_argument_that_is_not_declared(self):
        self.check([], BUILDFILE, "--build-arg", "OTHER=two")

    def test_a_setting(self):
        self.check(MAIN[6:], BUILDFILE.replace("SETTING=on", "SETTING=off"))

    def test_labels_and_comments(self):
        self.check([], BUILDFILE.replace("FROM busybox\n", "# words\nFROM busybox\nLABEL a=b\n") + "CMD [\"x\"]\n")

    def test_a_step_appended(self):
        self.check(["RUN echo fifth"], BUILDFILE + "RUN echo fifth\n")

    def test_back_to_what_was_built_before(self):
        self.files({"a.txt": "b\n"})
        self.check(MAIN[1:])
        self.files({"a.txt": "a\n"})
        self.check([])

    def test_a_stage_that_the_target_does_not_need(self):
        self.files({"a.txt": "b\n", "dir/one": "b\n"})
        self.check([], BUILDFILE, "--target", "tool")

    def test_no_cache(self):
        self.check(TOOL + MAIN, BUILDFILE, "--no-cache")
        self.check([])

    def test_no_cache_for_a_stage(self):
        built = self.build(BUILDFILE, "--no-cache-filter", "tool")
        self.assertEqual(built.executed(), TOOL)

    def test_the_output_removed(self):
        shutil.rmtree(self.directory / "out1")
        self.check([])

    def test_another_context_with_the_same_files(self):
        copy = self.directory / "copy"
        shutil.copytree(self.context, copy, symlinks=True)
        built = self.build(BUILDFILE, context=copy)
        self.assertEqual(built.executed(), [])


# ARG stands before the first RUN of its stage, and every RUN after it gets its value; what they leave is the same as
# before, so that COPY takes its layer from the cache.
MAIN_RUNS_AFTER_ARG = [step for step in MAIN if step.startswith("RUN")]


class Secrets(Case):
    def test_a_secret_s_value_is_in_no_key(self):
        buildfile = "FROM busybox\nRUN --mount=type=secret,id=token test -s /run/secrets/token\n"
        secret = self.directory / "secret"
        secret.write_text("one")
        self.build(buildfile, "--secret", f"id=token,src={secret}")
        secret.write_text("two")
        built = self.build(buildfile, "--secret", f"id=token,src={secret}")
        self.assertEqual(built.executed(), [])


class CutOff(Case):
    def test_a_step_that_leaves_the_same_tree_lets_its_children_hit(self):
        self.files({"list.txt": "a\nb\n# old comment\n"})
        buildfile = ("FROM busybox AS make\nCOPY list.txt /list\nRUN grep -v '#' /list > /out\n"
                     "FROM busybox\nCOPY --from=make /out /out\nRUN sort /out > /sorted\n")
        self.build(buildfile)
        self.files({"list.txt": "a\nb\n# new comment\n"})
        built = self.build(buildfile)
        self.assertEqual(built.executed(), ["COPY list.txt /list", "RUN grep -v '#' /list > /out"])

    def test_an_identical_rebuild_has_the_identical_digest(self):
        buildfile = "FROM busybox\nRUN date > /dev/null; echo same > /same\nRUN cat /same > /copy\n"
        first = self.build(buildfile)
        self.assertEqual(self.build(buildfile).digest, first.digest)


class AtOnce(Case):
    """Several processes on one state directory."""

    def finish(self, process: subprocess.Popen, output) -> Layout:
        _, stderr = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, stderr.decode()[-2000:])
        return Layout(output)

    def test_a_step_that_two_builds_need_is_done_once(self):
        # Random content: two runs of it would leave two different layers.
        buildfile = "FROM busybox\nRUN head -c 64 /dev/urandom | sha256sum > /random; sleep 1\nRUN cat /random > /copy\n"
        started = [self.start(buildfile) for _ in range(3)]
        layouts = [self.finish(process, output) for process, output, _ in started]
        self.assertEqual(len({layout.text("/random") for layout in layouts}), 1)

    def test_different_builds_do_not_disturb_each_other(self):
        started = [self.start(f"FROM busybox\nRUN echo {number} > /number\nRUN cat /number > /copy\n")
                   for number in range(6)]
        for number, (process, output, _) in enumerate(started):
            self.assertEqual(self.finish(process, output).text("/copy"), f"{number}\n")

    def test_prune_beside_a_build(self):
        """It either frees what nobody uses, or says that it has to wait: the build goes on all the same."""
        buildfile = "FROM busybox\n" + "".join(f"RUN echo {n} > /{n}\n" for n in range(12))
        process, output, _ = self.start(buildfile)
        while process.poll() is None:
            pruned = self.run_swbuild("prune")
            if pruned.status != 0:
                self.assertMentions(pruned, "running")
        self.assertEqual(self.finish(process, output).text("/11"), "11\n")
