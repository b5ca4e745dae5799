"""COPY and ADD: where things go, whose they are, and what is in the way."""
import io
import os
import tarfile

from support import Case
from test_bad_input import member


class Copying(Case):
    def copied(self, lines: str, expect: int = 0) -> dict[str, str]:
        """What a build makes of `lines` on the base image: `MODE OWNER WHAT` by path."""
        built = self.build(f"FROM busybox\n{lines}", expect=expect)
        if expect:
            return {}
        return {path: self.line(entry) for path, entry in built.layout.tree.items()
                if not path.startswith(("/bin", "/etc", "/usr"))}

    @staticmethod
    def line(entry: dict) -> str:
        what = entry.get("target") or entry.get("text", "")
        return " ".join(filter(None, [entry.get("mode", "").removeprefix("0o"), entry["owner"], entry["type"], what]))

    def paths(self, lines: str, prefix: str) -> list[str]:
        return sorted(path for path in self.copied(lines) if path.startswith(prefix))


class Destinations(Copying):
    def test_relative_ones_dots_and_slashes(self):
        self.files({"a.txt": "a", "dir/b": "b"})
        tree = self.copied("WORKDIR /w\nCOPY a.txt .\nCOPY a.txt ./sub/\nCOPY a.txt ../x/y\nCOPY a.txt /new/file\n"
                           "COPY a.txt /tmp\nCOPY dir /tmp/dd\nCOPY dir/. /ff/\nCOPY /a.txt /g/\n"
                           "COPY ../../a.txt /h/\nCOPY ./dir/../a.txt i\nCOPY a.txt ..\nCOPY a.txt /w/z/.\n"
                           "WORKDIR /none\nCOPY a.txt $NONE\n")
        for path in ("/w/a.txt", "/w/sub/a.txt", "/x/y", "/new/file", "/tmp/a.txt", "/tmp/dd/b", "/ff/b", "/g/a.txt",
                     "/h/a.txt", "/w/i", "/a.txt", "/w/z/a.txt", "/none/a.txt"):
            self.assertIn(path, tree)

    def test_of_two_directories_that_a_link_brings_together_the_later_wins(self):
        self.files({"base/b-c/": "", "src/b/f": "1", "src/b-c/f": "2"})
        os.symlink("b-c", self.context / "base/b")
        for flags in ("", "--exclude=none "):
            with self.subTest(flags=flags):
                self.assertTrue(self.copied(f"COPY base/ /x/\nCOPY {flags}src/ /x/\n")["/x/b-c/f"].endswith(" 2"))

    def test_links_are_followed_but_not_by_link(self):
        self.files({"a.txt": "a", "dir/b": "b"})
        base = "RUN mkdir -p /real/d && ln -s real /ln && ln -s /real/d /abs && echo x > /file && ln -s file /fl\n"
        tree = self.copied(base + "COPY a.txt /ln/\nCOPY a.txt /abs/z\nCOPY a.txt /fl\nCOPY dir /ln\n")
        for path in ("/real/a.txt", "/real/d/z", "/real/b"):
            self.assertIn(path, tree)
        self.assertEqual(tree["/file"], "644 0:0 file a")
        tree = self.copied(base + "WORKDIR /ln/w\nCOPY --link a.txt .\nCOPY --link a.txt /fl\nCOPY --link dir /file\n")
        self.assertEqual([tree["/ln"], tree["/fl"], tree["/ln/w/a.txt"]],
                         ["755 0:0 dir", "644 0:0 file a", "644 0:0 file a"])
        self.assertEqual([tree["/file"], tree["/file/b"]], ["755 0:0 dir", "644 0:0 file b"])

    def test_what_is_in_the_way(self):
        self.files({"t/f": "file", "a": "a"})
        base = "RUN mkdir -p /d/f && echo f > /file\n"
        for line in ("COPY t /d", "COPY t /file", "COPY a /file/x", "COPY a /file/", "COPY a t /new"):
            with self.subTest(line):
                self.copied(base + line, expect=1)

    def test_working_directories_of_users(self):
        self.files({"a": "a"})
        tree = self.copied("USER build\nWORKDIR /one/two\nUSER 77:88\nWORKDIR three\nWORKDIR ../four\nCOPY a five/\n")
        self.assertEqual([tree[path].split()[1] for path in ("/one", "/one/two", "/one/two/three", "/one/two/four")],
                         ["1000:1001", "1000:1001", "77:88", "77:88"])
        self.assertEqual(tree["/one/two/four/five/a"], "644 0:0 file a")


class Sources(Copying):
    def test_wildcards(self):
        self.files({"f1.txt": "1", "f2.txt": "2", "a.md": "a", "b.md": "b", "d1/x": "x1", "d2/y": "y2", "s p": "s",
                    "[x]": "x"})
        tree = self.copied('COPY f?.txt /t/q/\nCOPY [^a].md /t/r/\nCOPY d*/x /t/s/\nCOPY ["s p", "/t/u/"]\n'
                           "COPY d* /t/v/\nCOPY none* /t/n/\nCOPY [a-b].m[d] /t/w\nCOPY [[]x] /t/one\n")
        self.assertEqual(sorted(path for path in tree if path.startswith("/t/") and " file" in tree[path]),
                         ["/t/one", "/t/q/f1.txt", "/t/q/f2.txt", "/t/r/b.md", "/t/s/x", "/t/u/s p", "/t/v/x",
                          "/t/v/y", "/t/w/a.md", "/t/w/b.md"])

    def test_parents_pivots_and_exclusions(self):
        self.files({"a/b/c.txt": "c", "a/b/d.txt": "d", "a/z/e.txt": "e", "x.c": "0", "s/x.c": "1", "s/t/x.c": "2"})
        tree = self.copied("COPY --parents a/./b/./c.txt /t/1/\nCOPY --parents **/x.c /t/2/\n"
                           "COPY --parents --exclude=a/b a /t/3/\nCOPY --parents --exclude=b/d* a/./b /t/4/\n"
                           "COPY --parents ./a/b/../b/c.txt /t/5\nCOPY --parents --chown=5:6 --chmod=u=rwx,go= a/b/c.txt /t/6/\n"
                           "COPY --exclude=*.c --exclude=a/z . /t/7/\nCOPY --exclude=x.c x.c /t/8/\n")
        self.assertEqual(sorted(path for path in tree if path.startswith("/t/") and " file" in tree[path]),
                         ["/t/1/b/c.txt", "/t/2/s/t/x.c", "/t/2/s/x.c", "/t/2/x.c", "/t/3/a/z/e.txt", "/t/4/b/c.txt",
                          "/t/5/a/b/c.txt", "/t/6/a/b/c.txt", "/t/7/a/b/c.txt", "/t/7/a/b/d.txt", "/t/7/s/t/x.c",
                          "/t/7/s/x.c"])
        self.assertEqual([tree[path] for path in ("/t/6", "/t/6/a", "/t/6/a/b/c.txt")],
                         ["755 5:6 dir", "700 5:6 dir", "700 5:6 file c"])

    def test_links_and_special_files(self):
        self.files({"st/w": ""})
        os.chmod(self.context / "st", 0o1777)
        os.mkfifo(self.context / "fifo")
        os.symlink("nowhere", self.context / "st/dangling")
        os.symlink("st", self.context / "ld")
        os.symlink("st/w", self.context / "lf")
        tree = self.copied("COPY st /t/b\nCOPY . /t/c/\nCOPY ld /t/d\nCOPY lf /t/e/\nCOPY ld/w /t/f/\n")
        self.assertEqual(tree["/t/b/dangling"], "0:0 symlink nowhere")
        self.assertEqual([tree["/t/c/ld"], tree["/t/c/st"]], ["0:0 symlink st", "1777 0:0 dir"])
        self.assertTrue(tree["/t/c/fifo"].endswith("fifo"))
        for path in ("/t/d/w", "/t/e/lf", "/t/f/w"):
            self.assertIn(" file", tree[path])


class Attributes(Copying):
    def test_owners(self):
        self.files({"f": "f"})
        owners = {"1000": "1000:1000", "build": "1000:1001", ":staff": "0:50", "build:staff": "1000:50",
                  "nobody:": "65534:65534", "5:staff": "5:50", "$U:6": "4:6", "": "0:0"}
        lines = "".join(f"COPY --chown={owner} f /t/{number}\n" for number, owner in enumerate(owners))
        tree = self.copied("ARG U=4\n" + lines)
        self.assertEqual([tree[f"/t/{number}"].split()[1] for number in range(len(owners))], list(owners.values()))

    def test_modes_of_new_parents(self):
        self.files({"f": "f", "d/f": "f"})
        tree = self.copied("COPY --chmod=750 f /t/a/b/f\nCOPY --chmod=u=rw,go= f /t2/a/f\nCOPY --chmod=700 d /t3/d\n"
                           "COPY --link --chmod=711 f /tmp/f\nADD --chmod=710 <<X /t4/f\nX\n")
        expected = {"/t": "750", "/t/a/b": "750", "/t2/a": "755", "/t3": "700", "/t3/d": "700", "/tmp": "711",
                    "/t4": "710"}
        self.assertEqual({path: tree[path].split()[0] for path in expected}, expected)

    def test_modes(self):
        self.files({"f": "f"})
        os.chmod(self.context / "f", 0o640)
        modes = {"4711": "4711", "0": "0", "u+s,g-r": "4600", "+x": "751", "o=t": "1640", "g=u": "660", "a=": "0",
                 "u+x-r": "340", "ug=rwX,o=": "660", "=r": "444", "g+s": "2640"}
        lines = "".join(f"COPY --chmod={mode} f /t/{number}\n" for number, mode in enumerate(modes))
        tree = self.copied(lines)
        self.assertEqual([tree[f"/t/{number}"].split()[0] for number in range(len(modes))], list(modes.values()))


class Archives(Copying):
    def archive(self, name: str, members: list) -> None:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for path, kind, content in members:
                info = member(path, kind, content if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else "", 0o640)
                info.uid, info.gid = 7, 8
                info.size = len(content) if kind == tarfile.REGTYPE else 0
                tar.addfile(info, io.BytesIO(content.encode()))
        self.files({name: out.getvalue()})

    def test_what_is_one_and_what_is_not(self):
        self.archive("a.tar", [("f", tarfile.REGTYPE, "x")])
        self.files({"empty.tar": "", "zeros.tar": b"\0" * 1024, "text.tar.gz": "no archive"})
        self.assertEqual(
            self.paths("ADD empty.tar zeros.tar text.tar.gz /t/\nADD --unpack=false a.tar /t/k/\nCOPY a.tar /t/c/\n"
                       "ADD a.tar /t/new\nADD a.t* /t/w/\n", "/t/"),
            ["/t/c", "/t/c/a.tar", "/t/empty.tar", "/t/k", "/t/k/a.tar", "/t/new", "/t/new/f", "/t/text.tar.gz",
             "/t/w", "/t/w/f", "/t/zeros.tar"])

    def test_members_of_every_kind(self):
        self.archive("a.tar", [("/abs/f", tarfile.REGTYPE, "x"), ("./dot", tarfile.REGTYPE, "y"),
                               ("d", tarfile.DIRTYPE, ""), ("d/h", tarfile.LNKTYPE, "abs/f"),
                               ("l", tarfile.SYMTYPE, "d"), ("p", tarfile.FIFOTYPE, ""),
                               ("../../up", tarfile.REGTYPE, "z")])
        tree = self.copied("ADD a.tar /x/\nADD --chown=1:2 --chmod=600 a.tar /y\n")
        self.assertEqual([tree[f"/x/{name}"] for name in ("abs", "abs/f", "dot", "d", "d/h", "l", "up")],
                         ["755 0:0 dir", "640 7:8 file x", "640 7:8 file y", "640 7:8 dir", "640 7:8 file x",
                          "7:8 symlink d", "640 7:8 file z"])
        self.assertEqual([tree[f"/y/{name}"] for name in ("abs", "abs/f", "d/h", "l", "p")],
                         ["755 1:2 dir", "600 1:2 file x", "600 1:2 file x", "1:2 symlink d", "600 1:2 fifo"])

    def test_members_replace_what_is_there(self):
        self.archive("a.tar", [("d", tarfile.REGTYPE, "file"), ("f", tarfile.DIRTYPE, "")])
        tree = self.copied("RUN mkdir -p /t/d/below && echo f > /t/f\nADD a.tar /t\n")
        self.assertEqual([tree["/t/d"], tree["/t/f"]], ["640 7:8 file file", "640 7:8 dir"])
        self.assertNotIn("/t/d/below", tree)
