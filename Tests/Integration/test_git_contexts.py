"""Git repositories as build contexts, and builds that are interrupted while they fetch."""
import json
import os
import pathlib
import signal
import socket
import subprocess

from support.git import GitCase


class Contexts(GitCase):
    FILES = {"Dockerfile": "FROM scratch\nCOPY . /\n", "in/Dockerfile": "FROM scratch\nCOPY . /in\n", "in/x": "x\n",
             ".dockerignore": "secret\n", "secret": "s\n", "other.Dockerfile": "FROM scratch\nCOPY in/x /\n"}

    def build_from(self, url: str, *flags, expect=0, **more):
        output = self.directory / f"context-out{self.count}"
        self.count += 1
        build = self.run_swbuild("build", "--progress", "plain", "-o", output, *flags, url, **more)
        self.assertEqual(build.status, expect, build.stderr)
        build.output = output
        return build

    def test_a_repository_is_a_context(self):
        self.repository(files=self.FILES)
        server = self.serve()
        tree = self.build_from(f"{server.base}/r.git").layout.tree
        self.assertIn("/in/x", tree)
        self.assertNotIn("/secret", tree)
        self.assertNotIn("/.git", tree)
        self.assertIn("/in/x", self.build_from(f"{server.base}/r.git#main:in").layout.tree)
        tree = self.build_from(f"{server.base}/r.git", "-f", "other.Dockerfile").layout.tree
        self.assertEqual(set(tree) - {"/"}, {"/x"})
        self.assertIn("/in/x", self.build_from(f"file://{self.repositories}/r.git").layout.tree)
        built = self.build_from(f"{server.base}/r.git", "-f", "-", input=b"FROM scratch\nCOPY in/x /y\n")
        self.assertIn("/y", built.layout.tree)
        self.assertMentions(self.build_from(f"{server.base}/r.git#main:in/absent", expect=1), "in/absent")
        self.assertMentions(self.build_from(f"{server.base}/r.git", "-f", "absent", expect=1), "absent")
        leftovers = [name for name in os.listdir(self.state / "tmp")]
        self.assertEqual(leftovers, [])

    def test_a_lock_holds_the_main_context_too(self):
        repository = self.repository(files=self.FILES)
        url = f"{self.serve().base}/r.git"
        lock = self.directory / "lock"
        self.build_from(url, "--lock", lock)
        entry, = json.loads(lock.read_text())["git"]
        self.assertEqual(entry["commit"], repository.git("rev-parse", "HEAD"))
        self.build_from(url, f"--locked={lock}")
        repository.commit({"new": "new\n"})
        failed = self.build_from(url, f"--locked={lock}", expect=1)
        self.assertMentions(failed, entry["commit"], repository.git("rev-parse", "HEAD"))

    def test_a_repository_is_checked(self):
        self.repository(files=self.FILES | {"Dockerfile": "FROM scratch as a\n"})
        url = f"{self.serve().base}/r.git"
        done = self.run_swbuild("check", url)
        self.assertEqual(done.status, 1)
        self.assertIn("Dockerfile:1:14: warning", done.stdout)
        self.assertEqual(self.run_swbuild("check", f"{url}#main:in").status, 0)
        done = self.run_swbuild("build", "--call", "targets", url)
        self.assertIn("a (default)", done.stdout)
        self.assertEqual(os.listdir(self.state / "tmp"), [])

    def test_a_repository_is_a_named_context(self):
        self.repository()
        server = self.serve()
        flags = ("--build-context", f"src={server.base}/r.git#main:dir")
        built = self.build("FROM busybox\nCOPY --from=src b.txt /\n"
                           "RUN --mount=from=src,target=/m cat /m/sub/c.txt > /c\n", *flags)
        self.assertEqual(built.layout.text("/b.txt"), "b\n")
        self.assertEqual(built.layout.text("/c"), "c\n")
        built = self.build("FROM src\nLABEL a=b\n", *flags)
        self.assertEqual(built.layout.text("/sub/c.txt"), "c\n")

    def test_links_of_a_context_lead_nowhere_else(self):
        outside = self.directory / "outside"
        outside.mkdir()
        (outside / "Dockerfile").write_text("FROM scratch\nCOPY . /stolen\n")
        repository = self.repository(files=None)
        os.symlink(outside / "Dockerfile", repository.path / "Dockerfile")
        os.symlink(outside, repository.path / "dir")
        os.symlink("../../../../../../../../.." + str(outside), repository.path / "up")
        os.symlink("/etc/passwd", repository.path / ".dockerignore")
        repository.commit({"real/Dockerfile": "FROM scratch\nCOPY . /\n"})
        server = self.serve()
        self.build_from(f"{server.base}/r.git", expect=1)
        self.assertMentions(self.build_from(f"{server.base}/r.git#main:dir", expect=1), "no directory `dir`")
        self.assertMentions(self.build_from(f"{server.base}/r.git#main:up", expect=1), "no directory `up`")
        self.build_from(f"{server.base}/r.git", "-f", "up/Dockerfile", expect=1)
        self.build_from(f"{server.base}/r.git#main:real/../../../..{outside}", expect=1)
        built = self.build_from(f"{server.base}/r.git", "-f", "real/Dockerfile")
        self.assertEqual(built.layout.tree["/dir"]["target"], str(outside))


class Interrupts(GitCase):
    """A server that takes connections and says nothing."""

    def setUp(self):
        super().setUp()
        self.server = socket.socket()
        self.addCleanup(self.server.close)
        self.server.bind(("127.0.0.1", 0))
        self.server.listen()
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/silent"

    def processes(self) -> list[str]:
        """The command lines of processes that name the server."""
        lines = [path.read_bytes().replace(b"\0", b" ").decode() for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")
                 if path.exists()]
        return [line for line in lines if self.url in line]

    def interrupt(self, process: subprocess.Popen) -> None:
        connection, _ = self.server.accept()
        self.addCleanup(connection.close)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(30), 130)
        self.assertEqual(self.processes(), [])
        self.run_swbuild("images")
        self.assertEqual(os.listdir(self.state / "tmp"), [])

    def test_of_a_step_that_fetches(self):
        for url in (f"{self.url}.git", f"{self.url}.txt"):
            with self.subTest(url=url):
                self.interrupt(self.start(f"FROM scratch\nADD {url} /x\n")[0])

    def test_of_a_context(self):
        for url in (f"{self.url}.git", f"{self.url}.tar"):
            with self.subTest(url=url):
                process = subprocess.Popen([os.environ["SWBUILD"], "build", "--progress", "plain", url],
                                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                           env={**os.environ, "SWBUILD_ROOT": str(self.state)})
                self.addCleanup(self._end, process)
                self.interrupt(process)
