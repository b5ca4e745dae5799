"""Caches of RUN --mount=type=cache: shared between processes, listed, removed, packed up and brought back."""
import io
import json
import os
import subprocess
import tarfile
import time

from support import Case, wait_until

FILL = "echo {} > /c/f && dd if=/dev/zero of=/c/big bs=1k count=500 2> /dev/null"
USE = "FROM busybox\nRUN --mount=type=cache,id={},target=/c {}\n"


class CacheMounts(Case):
    def fill(self, *ids: str) -> None:
        for name in ids:
            self.build(USE.format(name, FILL.format(name)))

    def ask(self, *arguments, **options) -> str:
        done = self.run_swbuild(*arguments, **options)
        self.assertEqual(done.status, 0, done.stderr)
        return done.stdout

    def mounts(self) -> dict[str, dict]:
        return {mount["id"]: mount for mount in json.loads(self.ask("du", "--format", "json"))["cacheMounts"]}

    def age(self, name: str, hours: int) -> None:
        then = time.time() - hours * 3600
        os.utime(self.state / "cache-mounts" / self.mounts()[name]["key"], (then, then))

    def test_listed(self):
        self.assertNotIn("CACHE MOUNT", self.ask("du"))
        self.fill("one", "/root/.cache")
        lines = self.ask("du").partition("CACHE MOUNT")[2].splitlines()[1:]
        self.assertEqual([line.split()[0] for line in lines], ["/root/.cache", "one"])
        mounts = self.mounts()
        self.assertGreater(mounts["one"]["bytes"], 500_000)
        self.age("one", 100)
        before = self.mounts()["one"]["lastUsed"]
        self.build(USE.format("one", "true"))
        self.assertGreater(self.mounts()["one"]["lastUsed"], before)

    def test_pruned_by_age_id_and_size(self):
        self.fill("a", "b", "c")
        self.age("a", 30)
        self.age("b", 20)
        for arguments, left in (
                (("--keep-hours", "40"), "abc"), (("--filter", "type=regular", "--filter", "until=1h"), "abc"),
                (("--filter", "until=25h"), "bc"), (("--filter", "id=c"), "bc"),
                (("--filter", "type=exec.cachemount", "--cache-mount-space", "800k"), "c"),
                (("--filter", "until=1h", "--all"), "c"), (("--filter", "type=exec.cachemount", "--all"), "")):
            with self.subTest(arguments):
                self.assertIn("freed", self.ask("prune", *arguments))
                self.assertEqual(sorted(self.mounts()), list(left))
        # The steps' cache is as it was.
        self.assertEqual(self.build(USE.format("a", FILL.format("a"))).executed(), [])

    def test_malformed_filters(self):
        for value in ("type=other", "until=x", "until=5", "size=3", "id="):
            self.assertEqual(self.run_swbuild("prune", "--filter", value).status, 64, value)
        self.assertEqual(self.run_swbuild("prune", "--cache-mount-space", "much").status, 64)

    def test_filters_that_leave_nothing_to_look_at(self):
        for filters in (("id=a", "type=regular"), ("type=regular", "type=exec.cachemount")):
            done = self.run_swbuild("prune", *(word for value in filters for word in ("--filter", value)))
            self.assertEqual(done.status, 64, done.stdout)
            self.assertMentions(done, "--filter", *filters)

    def test_an_age_holds_for_all(self):
        self.fill("a")
        self.ask("prune", "--all", "--filter", "until=24h")
        self.assertEqual(list(self.mounts()), ["a"])
        self.assertEqual(self.build(USE.format("a", FILL.format("a"))).executed(), [])

    def test_trees_deeper_than_a_path_is_long(self):
        self.build(USE.format("deep", "cd /c; i=0; while test $i -lt 25; do d=$(printf '%0200d' $i); mkdir $d; cd $d; "
                                      "i=$((i + 1)); done; echo x > file"))
        self.assertGreater(self.mounts()["deep"]["bytes"], 4096)
        self.ask("du")
        self.ask("prune")
        self.assertIn("freed", self.ask("prune", "--all"))
        self.assertEqual(list((self.state / "cache-mounts").iterdir()), [])
        self.assertEqual(list((self.state / "tmp").iterdir()), [])

    def test_packed_up_and_brought_back(self):
        self.build(USE.format("deps", "mkdir /c/d && echo text > /c/d/f && chmod 4750 /c/d/f && chown 7:8 /c/d/f && "
                                      "ln -s /etc/passwd /c/l && ln /c/d/f /c/h && touch -d '2020-02-02 00:00' /c/d/f"))
        self.fill("other")
        look = "sh -c \"cd /c; stat -c '%n %a %u %g %h %Y %F' d/f l h d; cat h; readlink l\""
        before = self.build(USE.format("deps", f"{look} > /look")).layout.text("/look")
        for name in ("all.tar", "all.tar.gz", "all.tgz", "all.tar.zst"):
            archive = self.directory / name
            self.ask("cache", "export", "--id", "deps", archive)
            self.ask("prune", "--all")
            self.assertEqual(self.mounts(), {})
            done = self.run_swbuild("cache", "import", archive)
            self.assertEqual(done.status, 0, done.stderr)
            self.assertIn("deps", done.stderr)
            self.assertEqual(list(self.mounts()), ["deps"])
            after = self.build(USE.format("deps", f"{look} > /look"), "--no-cache").layout.text("/look")
            self.assertEqual(after, before, name)
        sizes = [(self.directory / name).read_bytes()[:4] for name in ("all.tar.gz", "all.tar.zst")]
        self.assertEqual([sizes[0][:2], sizes[1]], [b"\x1f\x8b", b"\x28\xb5\x2f\xfd"])

    def test_through_pipes(self):
        self.fill("a", "b")
        done = subprocess.run([os.environ["SWBUILD"], "cache", "export", "-"], capture_output=True, check=True,
                              env={**os.environ, "SWBUILD_ROOT": str(self.state)})
        self.assertEqual(len(tarfile.open(fileobj=io.BytesIO(done.stdout)).getnames()), 10)
        self.ask("prune", "--all")
        self.ask("cache", "import", "-", input=done.stdout)
        self.assertEqual(list(self.mounts()), ["a", "b"])

    def test_hostile_archives(self):
        outside = self.directory / "outside"
        outside.mkdir()
        self.fill("kept")
        key = "0a" * 32

        def member(name: str, kind=tarfile.REGTYPE, link: str = "", data: bytes = b"x"):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            info.size = len(data) if kind == tarfile.REGTYPE else 0
            return info, data
        good = [member(f"{key}/id"), member(f"{key}/data", tarfile.DIRTYPE)]
        cases = {
            "upwards": [*good, member(f"{key}/data/../../../../{outside}/x")],
            "through a link": [*good, member(f"{key}/data/l", tarfile.SYMTYPE, str(outside)),
                               member(f"{key}/data/l/x")],
            "a hard link upwards": [*good, member(f"{key}/data/h", tarfile.LNKTYPE, "../../../cache.sqlite")],
            "data is a link": [member(f"{key}/id"), member(f"{key}/data", tarfile.SYMTYPE, str(outside))],
            "the id is a link": [member(f"{key}/id", tarfile.SYMTYPE, "/etc/passwd"), good[1]],
            "no key": [member("../../x"), *good],
            "more than caches": [*good, member("passwd")],
            "a device": [*good, member(f"{key}/data/sda", tarfile.BLKTYPE)],
        }
        for name, members in cases.items():
            with self.subTest(name):
                path = self.directory / "hostile.tar"
                with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
                    for info, data in members:
                        tar.addfile(info, io.BytesIO(data))
                done = self.run_swbuild("cache", "import", path)
                if name != "through a link":
                    self.assertEqual(done.status, 1, done.stderr)
                    self.assertEqual(list(self.mounts()), ["kept"])
                self.assertEqual(list(outside.iterdir()), [])
        (self.directory / "junk").write_bytes(b"junk" * 1000)
        junk = self.run_swbuild("cache", "import", self.directory / "junk")
        self.assertEqual(junk.status, 1)
        self.assertMentions(junk, str(self.directory / "junk"), "is no archive that 'swbuild cache export' made")
        self.assertEqual(self.run_swbuild("cache", "import", self.directory / "missing").status, 1)
        self.assertMentions(self.run_swbuild("cache", "export", "--id", "nobody", "-"), "nobody")

    def test_locked_caches_exclude_other_processes(self):
        text = ("FROM busybox\nRUN --mount=type=cache,id=l,sharing={0},target=/c "
                "mkdir /c/lock && sleep 0.4 && rmdir /c/lock && echo {1}\n")
        both = [self.start(text.format("locked", number))[0] for number in range(3)]
        for process in both:
            self.assertEqual(process.wait(60), 0, process.stderr.read())

    def test_private_caches_are_apart_at_the_same_time(self):
        text = ("FROM busybox\nRUN --mount=type=cache,id=p,sharing=private,target=/c "
                "--mount=type=cache,id=meet,target=/m "
                "mkdir /c/mine && touch /m/{0} && while test ! -e /m/{1}; do sleep 0.05; done; rmdir /c/mine\n")
        both = [self.start(text.format(*pair))[0] for pair in (("a", "b"), ("b", "a"))]
        for process in both:
            self.assertEqual(process.wait(60), 0, process.stderr.read())
        self.assertEqual(len(list((self.state / "cache-mounts").iterdir())), 3)
        # Afterwards the first is free again.
        self.build("FROM busybox\nRUN --mount=type=cache,id=p,sharing=private,target=/c echo again\n")
        self.assertEqual(len(list((self.state / "cache-mounts").iterdir())), 3)

    def test_a_cache_in_use_is_not_removed(self):
        process, _, _ = self.start(USE.format("busy", "echo begun > /c/f; while test -e /c/f; do sleep 0.05; done; "
                                                      "echo still > /c/here"))
        wait_until(lambda: list(self.state.glob("cache-mounts/*/data/f")))
        pruning = subprocess.Popen([os.environ["SWBUILD"], "prune", "--all"], stdout=subprocess.DEVNULL,
                                   env={**os.environ, "SWBUILD_ROOT": str(self.state)})
        with self.assertRaises(subprocess.TimeoutExpired):
            pruning.wait(0.5)
        next(self.state.glob("cache-mounts/*/data/f")).unlink()
        self.assertEqual(process.wait(60), 0, process.stderr.read())
        self.assertEqual(pruning.wait(60), 0)
        self.assertEqual(self.mounts(), {})
