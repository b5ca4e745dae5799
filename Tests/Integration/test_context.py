"""`swbuild context ls`: what a context would contain, and which line drops the rest."""
import json
import os
import pathlib
import socket
import subprocess

from support import Case, write_tree


class ContextList(Case):
    def listing(self, *flags, context=None, expect=0):
        done = self.run_swbuild("context", "ls", *flags, context or self.context, cwd=self.directory)
        self.assertEqual(done.status, expect, done.stderr)
        return done

    def objects(self, *flags) -> tuple[list[dict], dict]:
        lines = [json.loads(line) for line in self.listing("--format", "json", *flags).stdout.splitlines()]
        return lines[:-1], lines[-1]["totals"]

    def paths(self, *flags) -> list[str]:
        return [entry["path"] for entry in self.objects(*flags)[0]]

    def example(self):
        self.files({"a.log": "12345", "src/main.c": "abc", "src/main.o": "x", "vendor/one/keep/f": "x",
                    "vendor/two/g": "x", "empty/": "",
                    ".dockerignore": "# what is made\n*.log\n**/*.o\nvendor\n!vendor/one/keep\n"})
        os.symlink("main.c", self.context / "src/link")

    def test_shows_what_steps_see(self):
        self.example()
        self.assertEqual(self.paths(), [
            ".dockerignore", "empty", "src", "src/link", "src/main.c", "vendor", "vendor/one", "vendor/one/keep",
            "vendor/one/keep/f"])
        build = self.build("FROM scratch\nCOPY . /\n")
        self.assertEqual(sorted(name.strip("/") for name in build.layout.tree if name.strip("/.")), self.paths())

    def test_an_ignore_file_that_is_no_file_at_all(self):
        self.files({"f": "x"})
        os.symlink("/dev/null", self.context / ".dockerignore")
        self.assertIn("f", self.paths())

    def test_names_the_line_that_drops_something(self):
        self.example()
        entries, totals = self.objects("--dropped")
        self.assertEqual([(entry["path"], entry["dropped"]["line"], entry["dropped"]["pattern"]) for entry in entries],
                         [("a.log", 2, "*.log"), ("src/main.o", 3, "**/*.o"), ("vendor/two", 4, "vendor")])
        self.assertEqual({entry["dropped"]["file"] for entry in entries}, {".dockerignore"})
        self.assertEqual(totals["dropped"], 3)
        self.assertEqual(totals["kept"], 9)
        self.assertEqual(len(self.paths("--all")), 12)

    def test_text(self):
        self.example()
        done = self.listing("--dropped")
        self.assertIn("a.log  dropped by .dockerignore:2: *.log\n", done.stdout)
        self.assertIn("vendor/two/  dropped by .dockerignore:4: vendor\n", done.stdout)
        self.assertRegex(done.stderr, r"^9 entries, \d+ B; 3 dropped\n$")

    def test_names_cannot_command_the_terminal(self):
        self.files({"evil\x1b[31m": "x"})
        self.assertNotIn("\x1b", self.listing().stdout)

    def test_the_build_files_own_ignore_file_comes_first(self):
        self.files({"a": "x", "b": "x", ".dockerignore": "a\n", "Buildfile.dockerignore": "b\n"})
        self.assertIn("b", self.paths())
        self.files({"Buildfile": "FROM scratch\n"})
        self.assertNotIn("b", self.paths())
        self.files({"Buildfile.containerignore": "a\n"})
        self.assertIn("b", self.paths())
        write_tree(self.directory / "other", {"My.dockerignore": "*\n!a\n"})
        self.assertEqual(self.paths("-f", self.directory / "other/My"), ["a"])

    def test_needs_no_privilege_and_says_what_cannot_be_read(self):
        self.files({"open": "x", "closed": "x", "hidden/f": "x"})
        for path in (self.directory, self.context):
            path.chmod(0o755)
        (self.context / "closed").chmod(0)
        (self.context / "hidden").chmod(0)
        program = pathlib.Path(os.environ["SWBUILD"])
        copy = self.directory / "swbuild"
        copy.write_bytes(program.read_bytes())
        copy.chmod(0o755)
        done = subprocess.run([copy, "context", "ls", "--format", "json", self.context], capture_output=True, text=True,
                              user=65534, group=65534, extra_groups=[], cwd="/", env={"PATH": os.environ["PATH"]})
        self.assertEqual(done.returncode, 0, done.stderr)
        entries = {entry.get("path"): entry for entry in map(json.loads, done.stdout.splitlines())}
        self.assertTrue(entries["open"]["kept"])
        self.assertIn("unusable", entries["closed"])
        self.assertIn("unusable", entries["hidden"])

    def test_sockets_are_not_copied(self):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.context / "s"))
            self.assertIn("unusable", self.objects()[0][0])

    def test_what_is_no_context(self):
        self.assertMentions(self.listing(context="https://example.org/x", expect=64), "directory")
        self.assertMentions(self.listing(context="absent", expect=1), "absent")
        self.files({".dockerignore": "ok\n[a-\n"})
        done = self.listing(expect=1)
        self.assertIn(".dockerignore:2:1: error: the pattern", done.stderr)
