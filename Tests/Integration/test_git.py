"""Sources from git: ADD, contexts, submodules, access, and repositories that mean harm."""
import base64
import os
import pathlib
import signal
import socket
import stat
import subprocess

from support import Case
from support.git import ENVIRONMENT, GitServer, Repository

FILES = {"a.txt": "a\n", "dir/b.txt": "b\n", "dir/sub/c.txt": "c\n"}


class GitCase(Case):
    def setUp(self):
        super().setUp()
        self.repositories = self.directory / "repositories"
        self.repositories.mkdir()

    def repository(self, name: str = "r.git", files: dict | None = FILES) -> Repository:
        return Repository(self.repositories / name, files)

    def serve(self, authorization: str | None = None) -> GitServer:
        server = GitServer(self.repositories, authorization)
        self.addCleanup(server.close)
        return server

    def add(self, url: str, *flags, expect=0, options: str = "", **more):
        return self.build(f"FROM scratch\nADD {options} {url} /src\n", *flags, expect=expect, **more)

    def names(self, build) -> set[str]:
        return {path for path in build.layout.tree if path.startswith("/src/")}


class Add(GitCase):
    def test_a_branch_a_tag_a_commit_a_directory(self):
        repository = self.repository()
        first = repository.git("rev-parse", "HEAD")
        repository.git("tag", "-a", "v1", "-m", "annotated")
        repository.git("update-ref", "refs/pull/7/head", first)
        repository.commit({"a.txt": "second\n"})
        repository.git("branch", "other", first)
        server = self.serve()
        base = f"{server.base}/r.git"
        for url, text in ((base, "second\n"), (f"{base}#main", "second\n"), (f"{base}#v1", "a\n"),
                          (f"{base}#other", "a\n"), (f"{base}#{first}", "a\n"), (f"{base}?tag=v1", "a\n"),
                          (f"{base}?branch=other", "a\n"), (f"{base}?ref=pull/7/head", "a\n"),
                          (f"{base}#refs/heads/other", "a\n"), (f"{base}?commit={first}", "a\n")):
            with self.subTest(url=url):
                self.assertEqual(self.add(url).layout.text("/src/a.txt"), text)
        built = self.add(f"{base}#main:dir")
        self.assertEqual(self.names(built), {"/src/b.txt", "/src/sub", "/src/sub/c.txt"})
        self.assertEqual(self.names(self.add(f"{base}?subdir=dir/sub&branch=main")), {"/src/c.txt"})

    def test_files_are_the_same_wherever_and_whenever(self):
        repository = self.repository(files=None)
        (repository.path / "run").write_text("#!/bin/sh\n")
        (repository.path / "run").chmod(0o755)
        os.symlink("run", repository.path / "link")
        repository.commit({"a.txt": "a\n", ".gitattributes": "hidden export-ignore\nsubst export-subst\n",
                           "hidden": "there\n", "subst": "$Format:%H$\n"})
        server = self.serve()
        first = self.add(f"{server.base}/r.git")
        tree = first.layout.tree
        self.assertEqual({tree[f"/src{name}"]["mtime"] for name in ("", "/run", "/a.txt", "/link")}, {1_700_000_000})
        self.assertEqual((tree["/src/run"]["mode"], tree["/src/a.txt"]["mode"]), ("0o755", "0o644"))
        self.assertEqual((tree["/src/hidden"]["text"], tree["/src/subst"]["text"]), ("there\n", "$Format:%H$\n"))
        self.assertNotIn("/src/.git", tree)
        layers = first.layout.manifest["layers"]
        self.state = self.directory / "other-state"
        umask = os.umask(0o077)
        self.addCleanup(os.umask, umask)
        self.assertEqual(self.add(f"{server.base}/r.git").layout.manifest["layers"], layers)

    def test_an_unchanged_commit_is_not_fetched_again(self):
        repository = self.repository()
        server = self.serve()
        self.add(f"{server.base}/r.git")
        server.requests.clear()
        self.assertEqual(self.add(f"{server.base}/r.git").executed(), [])
        # What is left is to ask where the branch is now.
        self.assertLessEqual(server.fetches(), 1)
        commit = repository.git("rev-parse", "HEAD")
        self.add(f"{server.base}/r.git#{commit}")
        server.close()
        self.assertEqual(self.add(f"{server.base}/r.git#{commit}").executed(), [])
        self.assertMentions(self.add(f"{server.base}/r.git", expect=1), f"{server.base}/r.git")

    def test_a_moved_branch_is_seen(self):
        repository = self.repository()
        server = self.serve()
        self.add(f"{server.base}/r.git#main")
        repository.commit({"a.txt": "moved\n"})
        built = self.add(f"{server.base}/r.git#main")
        self.assertEqual(built.layout.text("/src/a.txt"), "moved\n")

    def test_options(self):
        self.repository()
        server = self.serve()
        built = self.add(f"{server.base}/r.git", options="--chown=3:4 --chmod=0600 --exclude=dir/sub --link")
        entry = built.layout.tree["/src/a.txt"]
        self.assertEqual((entry["owner"], entry["mode"]), ("3:4", "0o600"))
        self.assertNotIn("/src/dir/sub", built.layout.tree)

    def test_a_checksum(self):
        repository = self.repository()
        commit = repository.git("rev-parse", "HEAD")
        server = self.serve()
        for checksum in (commit, commit[:8], commit.upper()):
            self.add(f"{server.base}/r.git", options=f"--checksum={checksum}")
        built = self.add(f"{server.base}/r.git", options=f"--checksum={'0' * 40}", expect=1)
        self.assertMentions(built, commit, "0" * 40)
        self.add(f"{server.base}/r.git?checksum={'0' * 40}&branch=main", expect=1)

    def test_the_git_directory_is_kept_on_demand(self):
        repository = self.repository()
        repository.git("tag", "-a", "v1", "-m", "annotated")
        commit = repository.git("rev-parse", "HEAD")
        server = self.serve()
        for name, (url, options) in enumerate(((f"{server.base}/r.git", "--keep-git-dir"),
                                               (f"{server.base}/r.git?keep-git-dir=true&tag=v1", ""),
                                               (f"{server.base}/r.git#{commit}", "--keep-git-dir=true"))):
            with self.subTest(url=url):
                output = self.directory / f"local{name}"
                built = self.build(f"FROM scratch\nADD {options} {url} /src\n", "-o", f"type=local,dest={output}")
                git = lambda *arguments: self.tool("git", "-c", "safe.directory=*", "-C", output / "src", *arguments,
                                                   env=ENVIRONMENT).strip()
                self.assertEqual(git("rev-parse", "HEAD"), commit)
                self.assertEqual(git("status", "--porcelain"), "")
                self.assertEqual(git("config", "remote.origin.url"), f"{server.base}/r.git")
                if "v1" in url:
                    self.assertEqual(git("describe"), "v1")
                self.assertTrue(built.digest)
                layers = self.add(url, options=options).layout.manifest["layers"]
                self.state = self.directory / f"other-state{name}"
                self.assertEqual(self.add(url, options=options).layout.manifest["layers"], layers)

    def test_what_is_not_there_is_named(self):
        repository = self.repository()
        server = self.serve()
        commit = repository.git("rev-parse", "HEAD")
        for url, words in ((f"{server.base}/r.git#absent", ("absent", "no branch or tag")),
                           (f"{server.base}/absent.git", ("absent.git",)),
                           (f"{server.base}/r.git#main:absent", ("no directory `absent`",)),
                           (f"{server.base}/r.git#main:a.txt", ("no directory `a.txt`",)),
                           (f"{server.base}/r.git#{'1' * 40}", ("1" * 40,)),
                           (f"{server.base}/r.git#{commit[:8]}", ("whole name",))):
            with self.subTest(url=url):
                self.assertMentions(self.add(url, expect=1), *words)

    def test_without_git_that_is_said(self):
        server = self.serve()
        built = self.add(f"{server.base}/r.git", expect=1, env={"PATH": str(self.directory)})
        self.assertMentions(built, "install git")


class Access(GitCase):
    def test_secrets_and_credentials(self):
        self.repository()
        token = "Basic " + base64.b64encode(b"x-access-token:geheim").decode()
        server = self.serve(token)
        url = f"{server.base}/r.git"
        refused = self.add(url, expect=1)
        self.assertMentions(refused, url, "GIT_AUTH_TOKEN")
        secret = self.directory / "token"
        secret.write_text("geheim\n")
        self.add(url, "--secret", f"id=GIT_AUTH_TOKEN,src={secret}")
        self.add(url, "--secret", f"id=GIT_AUTH_TOKEN.{server.host},src={secret}")
        self.add(url, "--secret", f"id=GIT_AUTH_TOKEN.elsewhere,src={secret}", "--no-cache", expect=1)
        header = self.directory / "header"
        header.write_text(token)
        self.add(url, "--secret", f"id=GIT_AUTH_HEADER,src={header}")
        built = self.add(url.replace("://", "://x-access-token:geheim@"))
        self.assertNotIn("geheim", str(built.layout.config) + built.stderr)
        wrong = self.add(url.replace("://", "://x-access-token:falsch@"), "--no-cache", expect=1)
        error = next(line for line in wrong.stderr.splitlines() if "error:" in line)
        self.assertNotIn("falsch", error)

    def test_the_users_configuration_does_not_count(self):
        self.repository()
        server = self.serve()
        home = self.directory / "home"
        home.mkdir()
        marker = self.directory / "ran"
        (home / ".gitconfig").write_text(
            f'[url "{server.base}/elsewhere"]\n\tinsteadOf = {server.base}/r.git\n'
            f"[core]\n\tsshCommand = touch {marker}\n\tfsmonitor = touch {marker}\n")
        self.add(f"{server.base}/r.git", env={"HOME": str(home), "XDG_CONFIG_HOME": str(home)})
        self.assertFalse(marker.exists())


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


class Submodules(GitCase):
    def test_they_are_fetched_with_theirs(self):
        inner = self.repository("inner.git", {"i": "inner\n"})
        outer = self.repository("outer.git", {"o": "outer\n"})
        server = self.serve()
        outer.link(inner.git("rev-parse", "HEAD"), "deep/inner")
        (outer.path / ".gitmodules").write_text(
            '[submodule "x"]\n\tpath = deep/inner\n\turl = ../inner.git\n')
        outer.git("add", ".gitmodules")
        outer.git("commit", "--quiet", "-m", "with a submodule")
        top = self.repository("top.git", {"t": "top\n"})
        top.link(outer.git("rev-parse", "HEAD"), "outer")
        (top.path / ".gitmodules").write_text(f'[submodule "o"]\n\tpath = outer\n\turl = {server.base}/outer.git\n')
        top.git("add", ".gitmodules")
        top.git("commit", "--quiet", "-m", "with a submodule")
        built = self.add(f"{server.base}/top.git")
        self.assertEqual(built.layout.text("/src/outer/deep/inner/i"), "inner\n")
        self.assertEqual(built.layout.text("/src/outer/o"), "outer\n")
        without = self.add(f"{server.base}/top.git?submodules=false")
        self.assertNotIn("/src/outer/o", without.layout.tree)
        self.assertIn("/src/outer", without.layout.tree)

    def hostile(self, url: str, path: str = "sub", **more) -> Repository:
        repository = self.repository(f"h{len(list(self.repositories.iterdir()))}.git", {"x": "x\n"})
        commit = repository.git("rev-parse", "HEAD")
        repository.link(commit, path)
        (repository.path / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = {path}\n\turl = "{url}"\n')
        repository.git("add", ".gitmodules")
        repository.git("commit", "--quiet", "-m", "hostile")
        return repository

    def test_they_name_nothing_of_this_machine(self):
        self.repository()
        server = self.serve()
        marker = self.directory / "ran"
        for url in (f"file://{self.repositories}/r.git", f"{self.repositories}/r.git", f"--upload-pack=touch {marker}",
                    f"-u./payload", f"ext::sh -c touch% {marker}", f"ssh://-oProxyCommand=touch%20{marker}/x",
                    "../../../../../../etc"):
            with self.subTest(url=url):
                repository = self.hostile(url)
                built = self.add(f"{server.base}/{repository.path.name}", expect=1)
                self.assertMentions(built, "submodule sub")
                self.assertFalse(marker.exists())

    def test_one_that_holds_itself_ends(self):
        repository = self.hostile("../loop.git")
        repository.path.rename(self.repositories / "loop.git")
        repository.path = self.repositories / "loop.git"
        # Each commit names the one before as its submodule's: a long chain in one repository.
        for _ in range(12):
            repository.link(repository.git("rev-parse", "HEAD"), "sub")
            repository.git("commit", "--quiet", "-m", "deeper")
        server = self.serve()
        self.assertMentions(self.add(f"{server.base}/loop.git", expect=1), "nested")


class Hostile(GitCase):
    def test_a_tree_with_gits_own_directory(self):
        for mode, name in (("100644", ".git"), ("120000", ".git"), ("100644", ".GIT")):
            with self.subTest(mode=mode, name=name):
                repository = self.repository(f"{mode}{name}x.git")
                repository.hostile_tree((mode, name, "/etc"), ("100644", "x", "x\n"))
                server = self.serve()
                built = self.add(f"{server.base}/{repository.path.name}", options="--keep-git-dir", expect=1)
                self.assertMentions(built, name, "git keeps for itself")

    def test_refs_that_look_like_options(self):
        self.repository()
        server = self.serve()
        marker = self.directory / "ran"
        for url in (f"{server.base}/r.git#--upload-pack=touch${{IFS}}{marker}", f"{server.base}/r.git?ref=-x",
                    f"ssh://-oProxyCommand=touch{marker}/x", "git@-oX:y"):
            with self.subTest(url=url):
                self.assertMentions(self.add(url, expect=1), "git url")
                self.assertFalse(marker.exists())

    def test_the_build_file_names_no_repository_of_this_machine(self):
        repository = self.repository()
        self.add(f"file://{repository.path}", expect=1)
        self.add(f"ext::sh%20-c%20true", expect=1)

    def test_filters_and_hooks_do_not_run(self):
        repository = self.repository(files={".gitattributes": "* filter=evil diff=evil\n", "x": "x\n"})
        marker = self.directory / "ran"
        repository.git("config", "filter.evil.smudge", f"touch {marker}")
        hook = repository.path / ".git" / "hooks" / "post-checkout"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
        server = self.serve()
        self.add(f"{server.base}/r.git", options="--keep-git-dir")
        self.assertFalse(marker.exists())


class Keeping(GitCase):
    def test_repositories_are_kept_shown_and_pruned(self):
        self.repository()
        server = self.serve()
        self.add(f"{server.base}/r.git")
        self.assertEqual(len(os.listdir(self.state / "git")), 1)
        self.assertIn("git", self.run_swbuild("du").stdout)
        self.run_swbuild("prune")
        self.assertEqual(len(os.listdir(self.state / "git")), 1)
        self.run_swbuild("prune", "--all")
        self.assertEqual(os.listdir(self.state / "git"), [])

    def test_what_was_half_made_is_made_anew(self):
        self.repository()
        server = self.serve()
        self.add(f"{server.base}/r.git")
        [kept] = (self.state / "git").iterdir()
        (kept / "swbuild-complete").unlink()
        subprocess.run(["rm", "-rf", kept / "objects"], check=True)
        self.assertEqual(self.add(f"{server.base}/r.git", "--no-cache").layout.text("/src/a.txt"), "a\n")

    def test_a_server_that_refuses_commits_by_name(self):
        repository = self.repository()
        first = repository.git("rev-parse", "HEAD")
        repository.commit({"a.txt": "second\n"})
        port = self.daemon()
        url = f"git://127.0.0.1:{port}/r.git"
        self.assertEqual(self.add(f"{url}#{first}").layout.text("/src/a.txt"), "a\n")
        self.assertEqual(self.add(f"{url}#main").layout.text("/src/a.txt"), "second\n")

    def daemon(self) -> int:
        """A server of git's own protocol, of a version in which commits cannot be asked for."""
        import time
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            ["git", "-c", "protocol.version=0", "-c", "safe.directory=*", "daemon", "--export-all",
             f"--base-path={self.repositories}", "--listen=127.0.0.1", f"--port={port}", str(self.repositories)],
            env={**os.environ, **ENVIRONMENT}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.terminate(), process.wait()))
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port
            time.sleep(0.02)
        raise AssertionError("git daemon does not listen")


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
