"""Builds by an ordinary user: what they leave, what they refuse, what they clean up."""
import os
import socket
import tarfile
import unittest

from support import rootless
from support.case import SWBUILD
from support.rootless_case import RootlessCase

EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}
SETCAP_V2 = "0x0100000200040000000000000000000000000000"  # cap_net_bind_service+ep, as vfs_cap_data

# A bit of everything that a layer can say of a file, in steps that stand on each other.
EVERYTHING = """\
FROM busybox AS all
WORKDIR /work
COPY --chown=1000:1001 . /src/
RUN mkdir -p /own/a /own/b && chown 1:2 /own && chown 1000:1001 /own/a && chown 65534:65534 /own/b \\
 && echo x > /own/file && chown 69999:69999 /own/file && ln -s file /own/link && chown -h 7:8 /own/link \\
 && cp /bin/busybox /own/tool && chown 5:5 /own/tool && chmod 6755 /own/tool \\
 && ln /own/file /own/hard && mkfifo /own/fifo && chown 3:4 /own/fifo && chmod 1777 /own/b
RUN rm -rf /home /src/gone && mkdir /home && echo new > /home/new && chown -R 9:9 /home && mv /own/a /own/c
USER build
RUN mkdir /tmp/mine && echo y > /tmp/mine/y && chmod 600 /tmp/mine/y
USER 0
RUN chmod 4711 /own/tool; rm /own/hard; chown 10:10 /own/b; rm /bin/vi
FROM all
COPY --from=all /own /copy
RUN find /copy /own /home /tmp -exec stat -c '%n %F %u:%g %a' {} + | sort > /stat.txt
"""


class DigestTests(RootlessCase):
    def test_the_digests_are_those_of_root(self):
        self.files({"a": "a", "gone": "x", "dir/b": "b"})
        (self.context / "run").write_text("#!/bin/sh\n")
        (self.context / "run").chmod(0o755)
        # Steps see their own files' times alone: nothing here depends on the clock.
        by_root = self.build(EVERYTHING, env=EPOCH)
        by_user = self.user_build(EVERYTHING, env=EPOCH)
        self.assertEqual(by_user.layout.tree, by_root.layout.tree)
        self.assertEqual(by_user.digest, by_root.digest)
        text = by_user.layout.tree["/own/file"]
        self.assertEqual(text["owner"], "69999:69999")

    def test_attributes_and_file_capabilities_are_those_of_root(self):
        layer = self.directory / "layer.tar"
        with tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, attributes in (("cap", {"security.capability": bytes.fromhex(SETCAP_V2[2:])}),
                                     ("user", {"user.comment": b"text"})):
                info = tarfile.TarInfo(name)
                info.mode, info.uid, info.gid = 0o755, 33, 33
                info.pax_headers = {f"SCHILY.xattr.{key}": value.decode("utf-8", "surrogateescape")
                                    for key, value in attributes.items()}
                tar.addfile(info)
        os.rename(layer, self.context / "layer.tar")
        # Copied up as a whole, attributes included, by a change of owner and by a rename.
        text = ("FROM busybox AS all\nADD layer.tar /\nRUN mv /user /renamed && chmod 700 /renamed && mv /cap /capable\n"
                "FROM all\nCOPY --from=all /capable /again\n")
        by_root = self.build(text, env=EPOCH)
        by_user = self.user_build(text, env=EPOCH)
        self.assertIn("xattrs", by_root.layout.tree["/capable"])
        self.assertEqual(by_user.layout.tree, by_root.layout.tree)
        self.assertEqual(by_user.digest, by_root.digest)

    def test_device_nodes_of_an_image_stay_in_it(self):
        with tarfile.open(self.context / "nodes.tar", "w") as tar:
            for name, kind, numbers in (("nodes/c", tarfile.CHRTYPE, (1, 3)), ("nodes/b", tarfile.BLKTYPE, (7, 200)),
                                        ("nodes/gone", tarfile.CHRTYPE, (1, 5))):
                info = tarfile.TarInfo(name)
                info.type, info.mode, (info.devmajor, info.devminor) = kind, 0o640, numbers
                tar.addfile(info)
        text = ("FROM busybox AS all\nADD nodes.tar /\n"
                "RUN mv /nodes/c /nodes/moved && chown 1:2 /nodes/b && rm /nodes/gone\n"
                "FROM all\nCOPY --from=all /nodes /copy\n")
        by_root = self.build(text, env=EPOCH)
        by_user = self.user_build(text, env=EPOCH)
        self.assertEqual(by_root.layout.tree["/nodes/moved"]["type"], "char")
        self.assertEqual(by_user.layout.tree, by_root.layout.tree)
        self.assertEqual(by_user.digest, by_root.digest)


class RefusalTests(RootlessCase):
    def test_a_user_without_subordinate_ids_is_told_the_command(self):
        build = self.user_build("FROM busybox\nRUN true\n", expect=None, wrapper_flags=["--no-ids"])
        self.assertMentions(build, "/etc/subuid", f"usermod --add-subuids 100000-165535 {rootless.NAME}")

    def test_a_user_without_subordinate_ids_may_copy(self):
        self.files({"a": "a"})
        self.user_build("FROM busybox\nCOPY a /\n", wrapper_flags=["--no-ids"])

    def test_without_newuidmap_its_package_is_named(self):
        arguments, _, _ = self.arguments("FROM busybox\nRUN true\n")
        build = self.as_user(SWBUILD, *arguments, flags=["--hide", "/usr/bin/newuidmap"])
        self.assertClean(build)
        self.assertMentions(build, "newuidmap", "uidmap")

    def test_an_owner_beyond_the_map_is_named_with_the_remedy(self):
        with tarfile.open(self.context / "far.tar", "w") as tar:
            info = tarfile.TarInfo("far")
            info.uid = info.gid = 70001
            tar.addfile(info)
        build = self.user_build("FROM busybox\nADD far.tar /\nRUN true\n", expect=None)
        self.assertMentions(build, "70001", "/etc/subuid")

    def test_a_user_beyond_the_map_is_named_with_the_remedy(self):
        build = self.user_build("FROM busybox\nUSER 70001\nRUN true\n", expect=None)
        self.assertMentions(build, "70001", "/etc/subuid", "USER 70001")

    def test_the_state_directory_of_others_is_refused(self):
        self.user_build("FROM busybox\nRUN true\n")
        build = self.run_swbuild("images", "--root", self.user_state)
        self.assertClean(build)
        self.assertMentions(build, "made by another user")

    def test_more_subordinate_ids_are_no_other_ones(self):
        self.user_build("FROM busybox\nRUN true\n")
        self.user_build("FROM busybox\nRUN echo again\n", wrapper_flags=["--more-ids"])
        build = self.user_build("FROM busybox\nRUN echo again\n", expect=None)
        self.assertMentions(build, "subordinate ids")


class FileTests(RootlessCase):
    def test_a_local_output_belongs_to_the_user(self):
        out = self.directory / "tree"
        self.user_build("FROM busybox\nRUN echo x > /x && chown 33:33 /x\n", "-o", f"type=local,dest={out}")
        owners = {path.lstat().st_uid for path in [out, *out.rglob("*")]}
        self.assertEqual(owners, {rootless.UID})
        self.assertEqual((out / "x").read_text(), "x\n")

    def test_pruning_removes_files_of_subordinate_ids(self):
        self.user_build("FROM busybox\nRUN --mount=type=cache,target=/c mkdir -m 700 /d /c/e && touch /d/f /c/e/f "
                        "&& chown -R 33:33 /d /c/e\n")
        left = [path for path in self.user_state.rglob("*") if path.lstat().st_uid == rootless.FIRST + 32]
        self.assertTrue(left)
        self.assertEqual(self.as_user(SWBUILD, "rm", "test:latest").status, 0)
        self.assertEqual(self.as_user(SWBUILD, "prune", "--all").status, 0)
        left = [path for path in self.user_state.rglob("*") if path.lstat().st_uid != rootless.UID]
        self.assertEqual(left, [])
        self.assertEqual(self.as_user("rm", "-r", self.user_state).status, 0)

    def test_what_a_killed_build_left_is_removed(self):
        script = (f"{SWBUILD} \"$@\" & while ! ls $SWBUILD_ROOT/tmp/*/upper-*/d/e >/dev/null 2>&1; do sleep 0.05; done; "
                  "kill -9 $!; wait $!; ls $SWBUILD_ROOT/tmp")
        arguments, _, _ = self.arguments(
            "FROM busybox\nRUN mkdir -m 700 /d && touch /d/f && chown -R 33:33 /d/f && mkdir /d/e && sleep 100\n")
        killed = self.as_user("sh", "-c", script, "sh", *arguments)
        self.assertIn(".lock", killed.stdout)
        self.assertEqual(self.as_user(SWBUILD, "images").status, 0)
        self.assertEqual(list((self.user_state / "tmp").iterdir()), [])

    def test_a_context_below_which_something_is_mounted(self):
        self.files({"a": "a", "mounted/": ""})
        build = self.user_build("FROM busybox\nRUN --mount=type=bind,target=/ctx cat /ctx/a && ls /ctx/mounted\n",
                                wrapper_flags=["--mount", str(self.context / "mounted")])
        self.assertEqual(len(build.executed()), 1)

    def test_secrets_and_agents_reach_a_step(self):
        secret = self.directory / "secret"
        secret.write_text("hidden")
        os.chown(secret, rootless.UID, rootless.GID)
        secret.chmod(0o600)
        agent = socket.socket(socket.AF_UNIX)
        self.addCleanup(agent.close)
        agent.bind(str(self.directory / "agent"))
        agent.listen()
        os.chown(self.directory / "agent", rootless.UID, rootless.GID)
        self.user_build(
            "FROM busybox\n"
            "RUN --mount=type=secret,id=s --mount=type=ssh test \"$(cat /run/secrets/s)\" = hidden "
            "&& test -S $SSH_AUTH_SOCK && ls -ln $SSH_AUTH_SOCK\n",
            "--secret", f"id=s,src={secret}", "--ssh", f"default={self.directory / 'agent'}")


class SandboxTests(RootlessCase):
    def test_what_a_step_sees(self):
        out = self.user_build(
            "FROM busybox\n"
            "RUN id -u; cat /proc/self/uid_map; for d in null zero full random urandom tty; do stat -c '%F %n' /dev/$d; "
            "done; echo gone > /dev/null && head -c 4 /dev/zero | wc -c; mount | grep -c ' /sys '; "
            "ls -d /dev/shm /dev/mqueue /dev/pts; cat /proc/sys/kernel/hostname\n"
            "RUN --network=none ls /sys/class/net; hostname\n").stderr
        for line in ("character special file /dev/null", "| 4", "| lo", "/dev/mqueue"):
            self.assertIn(line, out)

    def test_the_network_of_the_host(self):
        out = self.user_build("FROM busybox\nRUN --network=host ls /sys/class/net && cat /proc/net/dev\n",
                              "--allow", "network.host").stderr
        for name in os.listdir("/sys/class/net"):
            self.assertIn(name, out)

    def test_the_host_stays_out_of_reach(self):
        marker = self.directory / "root-only"
        marker.write_text("x")
        marker.chmod(0o600)
        self.user_build(
            "FROM busybox\n"
            "RUN --mount=type=bind,source=.,target=/c ! mknod /n c 1 3 && ! mount -t tmpfs none /tmp "
            "&& ! cat /proc/1/environ && ! echo 1 > /proc/sys/kernel/panic && test \"$(id -u)\" = 0\n")
        self.assertEqual(marker.read_text(), "x")


class RootOfAnotherNamespaceTests(RootlessCase):
    def test_root_of_a_namespace_that_somebody_else_made(self):
        text = "FROM busybox\nRUN mkdir /d && chown 33:33 /d && rm -r /home && mkdir /home && touch /home/x\n"
        arguments, output, _ = self.arguments(text)
        build = self.as_user("unshare", "--user", "--map-root-user", "--map-auto", SWBUILD, *arguments)
        self.assertEqual(build.status, 0, build.stderr)
        build.output = output
        self.assertEqual(build.layout.tree["/d"]["owner"], "33:33")

    def test_a_namespace_with_one_id(self):
        arguments, _, _ = self.arguments("FROM busybox\nRUN chown 33:33 /tmp\n")
        build = self.as_user("unshare", "--user", "--map-root-user", SWBUILD, *arguments)
        self.assertClean(build)


if __name__ == "__main__":
    unittest.main()
