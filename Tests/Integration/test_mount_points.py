"""Mount points: whatever a step does around them, the layer shows no trace of what was mounted, and the host none."""
import os
import pathlib
import stat

from support import Case

SECRET = ("--secret", "id=s,env=S")
ENV = {"S": "a value of a secret"}


class MountPoints(Case):
    def tree(self, run: str, mounts: str = "--mount=type=secret,id=s,target=/m/n/s", before: str = "") -> dict:
        """What a step adds to the tree."""
        base = self.build(f"FROM busybox\n{before}RUN true\n").layout.tree
        built = self.build(f"FROM busybox\n{before}RUN {mounts} {run}\n", *SECRET, env=ENV).layout.tree
        return {path: node for path, node in built.items() if path not in base}

    def test_nothing_is_left(self):
        for target in ("/m", "/m/n/s", "/etc/s", "/run/secrets/s", "/bin/../x/y"):
            for kind in ("secret,id=s", "tmpfs", "cache", "bind"):
                self.assertEqual(self.tree("true", f"--mount=type={kind},target={target}"), {}, (kind, target))
        self.assertEqual(self.tree("true", "--mount=type=ssh"), {})

    def test_files_beside_a_mount_point_stay_and_it_goes(self):
        self.assertEqual(sorted(self.tree("touch /m/n/own /m/own2")), ["/m", "/m/n", "/m/n/own", "/m/own2"])
        self.assertEqual(sorted(self.tree("sh -c 'touch /run/secrets/own'", "--mount=type=secret,id=s")),
                         ["/run", "/run/secrets", "/run/secrets/own"])

    def test_a_mount_point_cannot_be_moved_replaced_or_removed(self):
        for attempt in ("mv /m/n/s /m/n/t", "rm /m/n/s", "rm -rf /m", "umount /m/n/s", "ln -sfn /etc /m/n/s",
                        "mount --bind /etc /m/n"):
            added = self.tree(f"sh -c '{attempt}' 2> /dev/null || true; cat /m/n/s > /dev/null && echo there > /ok")
            self.assertIn("/ok", added, attempt)
            for path, node in added.items():
                self.assertNotIn(ENV["S"], str(node.get("text")), f"{attempt}: {path}")
                self.assertFalse(path.endswith("/s"), f"{attempt}: {path}")

    def test_a_step_that_copies_the_parent_away(self):
        # The kernel cannot rename it, so `mv` copies, with the secret: a leak like any other.
        failed = self.build("FROM busybox\nRUN --mount=type=secret,id=s,target=/m/n/s mv /m /moved || true\n", *SECRET,
                            env=ENV, expect=1)
        self.assertMentions(failed, "the secret `s`", "/moved/n/s")
        added = self.tree("mv /m /moved 2> /dev/null; rm -rf /moved; true")
        self.assertEqual(added, {})

    def test_links_in_the_way_lead_inside_the_root(self):
        before = "RUN ln -s /elsewhere /run; ln -s ../../../../../../etc /up; ln -s /up/more /chain\n"
        for target, place in (("/run/secrets/s", "/elsewhere/secrets/s"), ("/up/s", "/etc/s"), ("/chain", "/etc/more")):
            added = self.tree(f"sh -c 'cmp {target} {place} && test -s {place} && echo yes > /ok'",
                              f"--mount=type=secret,id=s,target={target}", before)
            self.assertEqual(sorted(added), ["/ok"], target)
        self.assertFalse(pathlib.Path("/elsewhere").exists())
        self.assertFalse(pathlib.Path("/etc/more").exists())

    def test_below_other_mounts(self):
        for outer in ("tmpfs,target=/o", "cache,id=o,target=/o", "bind,rw,target=/o"):
            added = self.tree("test -s /o/in/s", f"--mount=type={outer} --mount=type=secret,id=s,target=/o/in/s")
            self.assertEqual(added, {}, outer)
        for path in self.state.glob("cache-mounts/*/data/in/s"):
            self.assertEqual(path.stat().st_size, 0, "the place alone is in the cache")
        self.assertEqual(list(self.context.iterdir()), [])
        failed = self.build("FROM busybox\nRUN --mount=type=bind,target=/o --mount=type=secret,id=s,target=/o/s true\n",
                            *SECRET, env=ENV, expect=1)
        self.assertMentions(failed, "/o/s", "read-only")

    def test_targets_of_the_wrong_type(self):
        for mount, target in (("tmpfs", "/etc/passwd"), ("secret,id=s", "/etc"), ("cache", "/bin/busybox")):
            failed = self.build(f"FROM busybox\nRUN --mount=type={mount},target={target} true\n", *SECRET, env=ENV,
                                expect=1)
            self.assertMentions(failed, target, "directory")
        failed = self.build("FROM busybox\nRUN --mount=type=tmpfs,target=/etc/passwd/x true\n", expect=1)
        self.assertMentions(failed, "/etc/passwd")

    def test_existing_targets_are_as_they_were(self):
        before = "RUN mkdir /d && echo old > /d/f && chmod 700 /d\n"
        for mounts in ("--mount=type=tmpfs,target=/d", "--mount=type=secret,id=s,target=/d/f",
                       "--mount=type=cache,target=/d"):
            text = f"FROM busybox\n{before}RUN {mounts} sh -c 'echo new > /d/g; chmod 755 /d/f /d; true' 2> /dev/null\n"
            tree = self.build(text, *SECRET, env=ENV).layout.tree
            self.assertEqual(tree["/d/f"]["text"], "old\n", mounts)
            if "target=/d/f" not in mounts:
                self.assertEqual(tree["/d"]["mode"] & 0o777 if isinstance(tree["/d"]["mode"], int) else
                                 int(str(tree["/d"]["mode"]), 8) & 0o777, 0o700)
                self.assertNotIn("/d/g", tree)


class StateInTheContext(Case):
    def test_it_is_mounted_and_the_price_is_told(self):
        self.state = self.context / "state"
        self.files({"src/f": "text\n"})
        built = self.build("FROM busybox\nRUN --mount=type=bind,source=src,target=/src cp /src/f /copy\n")
        self.assertEqual(built.layout.text("/copy"), "text\n")
        self.assertMentions(built, "sockets and pipes of the context")


class Devices(Case):
    def test_a_device_of_the_host(self):
        text = "FROM busybox\nRUN {} > /o; stat -c '%F %t:%T' {} >> /o\n"
        for option, path in (("/dev/null:/dev/my-null", "/dev/my-null"), ("/dev/zero:/opt/zero:rw", "/opt/zero"),
                             ("/dev/full", "/dev/full")):
            built = self.build(text.format(f"head -c 3 {path} | wc -c", path), "--device", option)
            number = os.stat(option.split(":")[0]).st_rdev
            self.assertEqual(built.layout.text("/o").splitlines()[1],
                             f"character special file {os.major(number):x}:{os.minor(number):x}")
            self.assertNotIn("/opt", built.layout.tree)

    def test_the_node_is_not_the_step_s_to_change(self):
        before = os.stat("/dev/zero")
        built = self.build("FROM busybox\nRUN chmod 600 /dev/z 2> /o || chown 1 /dev/z 2>> /o || echo no > /n\n",
                           "--device", "/dev/zero:/dev/z")
        self.assertEqual(built.layout.text("/n"), "no\n")
        after = os.stat("/dev/zero")
        self.assertEqual((before.st_mode, before.st_uid), (after.st_mode, after.st_uid))
        self.assertTrue(stat.S_ISCHR(after.st_mode))

    def test_it_is_in_the_key(self):
        text = "FROM busybox\nRUN test ! -e /dev/z || head -c 1 /dev/z\n"
        self.build(text)
        self.assertEqual(len(self.build(text, "--device", "/dev/zero:/dev/z").executed()), 1)
        self.assertEqual(self.build(text, "--device", "/dev/zero:/dev/z").executed(), [])
        self.assertEqual(self.build(text).executed(), [])

    def test_what_is_no_device(self):
        for value, word in (("/etc/passwd", "device node"), ("/dev/nothing-here", "exists"), ("/dev", "device node"),
                            ("vendor.com/gpu=all", "Container Device Interface"), ("/dev/null:/dev/x:r", "rw"),
                            ("/dev/null:x", "rw"), ("/dev/null:x:rw", "absolute"), ("", "HOSTPATH")):
            self.assertMentions(self.build("FROM busybox\n", "--device", value, expect=64), "--device", word)
        self.assertMentions(self.build("FROM busybox\nRUN --device=vendor.com/gpu=all true\n", expect=1),
                            "Container Device Interface")
