"""Sources from git: what ADD takes of repositories, who may have it, and what is kept."""
import base64
import os
import socket
import subprocess

from support.git import ENVIRONMENT, GitCase


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
