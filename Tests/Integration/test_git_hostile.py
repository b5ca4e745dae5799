"""Submodules, and repositories that mean harm."""
import os
import stat

from support.git import GitCase, Repository


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
