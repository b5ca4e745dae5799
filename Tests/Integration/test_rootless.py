"""Builds by an ordinary user: what they leave, what they refuse, what they clean up."""
import io
import json
import os
import socket
import tarfile
import unittest

from support import Layout, base_layout, rootless
from support.attack import compile_c
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


class SingleIDTests(RootlessCase):
    """Users without subordinate ids: one id is mapped, and all else is written beside the files."""

    def assertSame(self, text: str):
        by_root = self.build(text, env=EPOCH)
        by_user = self.user_build(text, env=EPOCH, wrapper_flags=["--no-ids"])
        self.assertEqual(by_user.layout.tree, by_root.layout.tree)
        self.assertEqual(by_user.digest, by_root.digest)

    def test_owners_are_those_of_root(self):
        self.files({"a": "a", "gone": "x", "dir/b": "b"})
        # Among it a directory of a lower layer that is moved, by copying it with its owner, and what stat(2) says.
        self.assertSame(EVERYTHING)

    def test_owners_outlast_steps(self):
        self.assertSame(
            "FROM busybox AS all\n"
            "RUN mkdir /d && touch /d/a /d/b && chown -R 33:34 /d && chown 0:0 /d/b && ln -s a /d/l && chown -h 5:6 /d/l\n"
            "RUN chmod 700 /d/a && mv /d/b /d/c && touch /d/new && chown 33:7 /d/a && touch -h -d @1 /d/l\n"
            "RUN chown :8 /d/new && mv /d/new /d/moved && chmod 4755 /d/a && chown 9:7 /d/a\n"
            "USER build\nRUN touch /tmp/mine && mkdir /tmp/dir\n"
            "USER 0\nRUN chmod 600 /tmp/mine && touch /tmp/dir/roots\n"
            "FROM all\nCOPY --from=all /d /f\n")

    def test_a_package_manager_drops_its_rights(self):
        # What apt-get does for its downloads, and dpkg for the files it unpacks.
        self.assertSame(
            "FROM busybox\n"
            "RUN echo worker:x:100:1002::/:/bin/sh >> /etc/passwd && mkdir -p /var/cache/p && chown worker /var/cache/p && "
            "test \"$(su worker -c 'id -u; id -g' | tr '\\n' ' ')\" = '100 1002 ' && test \"$(id -u)\" = 0 && "
            "! su worker -c 'su build -c true' 2>/dev/null </dev/null && "
            "cp /bin/busybox /usr/bin/tool.new && chown worker:staff /usr/bin/tool.new && chmod 2755 /usr/bin/tool.new && "
            "mv /usr/bin/tool.new /usr/bin/tool && chown 0:50 /var/lib && chmod g+s /var/lib\n")

    def test_owners_are_seen(self):
        """By programs that copy, archive or look for files by their owners, as root and as another user."""
        self.assertSame(
            "FROM busybox\n"
            "RUN mkdir /s && touch /s/a /s/b && ln -s a /s/l && mkfifo /s/p && chown 5:6 /s/a && chown -h 7:8 /s/l && "
            "chown 3:4 /s/p && chown 0:9 /s && chmod 4755 /s/b && stat -c '%n %u:%g %a' /s /s/* > /first\n"
            "RUN cp -a /s /copy && tar -c -C / s | tar -x -C /tmp && find /s -user 5 > /found && "
            "stat -c '%n %u:%g %a' /copy /copy/* /tmp/s /tmp/s/* > /second\n"
            "USER build\n"
            "RUN touch /tmp/mine && mkdir /tmp/dir && test -O /tmp/mine && ! test -O /s/a && "
            "stat -c '%n %u:%g' /tmp/mine /tmp/dir /s/a /etc/passwd > /tmp/third\n")

    def test_new_files_have_the_group_of_their_directory_where_that_says_so(self):
        self.assertSame("FROM busybox\nRUN mkdir /d && chgrp 50 /d && chmod 2775 /d\n"
                        "RUN touch /d/f && mkdir /d/sub && touch /d/sub/g && ln -s f /d/l && touch /d/own && chgrp 7 /d/own\n")

    def test_set_user_id_programs(self):
        (self.context / "who").write_bytes(compile_c(
            "#include <stdio.h>\n#include <unistd.h>\n"
            "int main(void) { printf(\"%d %d %d %d\\n\", getuid(), geteuid(), getgid(), getegid()); return 0; }"))
        text = ("FROM busybox\nCOPY --chmod=4755 who /roots\nCOPY --chmod=6755 --chown=33:34 who /other\n"
                "COPY --chmod=2745 --chown=0:34 who /plain\n"
                "RUN printf '#!/bin/sh\\n/who\\n' > /script && chmod 4755 /script\nCOPY --chmod=755 who /who\nUSER build\n"
                "RUN cd /; (/roots; /other; /plain; /script; /who; ./other; /missing; /who) > /tmp/ids 2>/dev/null; true\n")
        self.assertSame(text)
        flags = ["--security-opt", "no-new-privileges"]
        plain = self.user_build(text, *flags, wrapper_flags=["--no-ids"]).layout.text("/tmp/ids").splitlines()
        self.assertEqual(set(plain), {"1000 1000 1001 1001"})

    def test_owners_of_what_a_step_has_open(self):
        tree = self.user_build(
            "FROM busybox\nRUN chown 5:6 /proc/self/fd/3 3>/a && chown 7 /dev/fd/4 4>/b && chown 8 /dev/stdout > /c && "
            "! chown 9 /dev/fd/77 2>/dev/null\n", wrapper_flags=["--no-ids"]).layout.tree
        self.assertEqual([tree[name]["owner"] for name in ("/a", "/b", "/c")], ["5:6", "7:0", "8:0"])

    def test_a_step_of_another_user(self):
        build = self.user_build("FROM busybox\nUSER build\nRUN id && touch /tmp/x && ! chown 0 /tmp/x\n",
                                wrapper_flags=["--no-ids"])
        self.assertIn("uid=1000(build) gid=1001(build) groups=", build.stderr)
        self.assertEqual(build.layout.tree["/tmp/x"]["owner"], "1000:1001")


class DeviceTests(RootlessCase):
    def test_steps_make_device_nodes(self):
        text = ("FROM busybox\n"
                "RUN cd /tmp && umask 027 && mknod a c 1 3 && mknod -m 600 /b b 7 200 && chown 5:6 a && ! mknod a c 1 5 && "
                "! mknod /none/a c 1 3 && ln a hard && ln -s /tmp/a link && mkfifo p\n"
                "RUN stat -c '%F %a %t:%T' /tmp/a /b /tmp/hard && stat -L -c %F /tmp/link && test -c /tmp/link && "
                "test -b /b && ls -l /b && mv /b /moved && ! cat /tmp/missing && test -f /bin/busybox\n")
        for flags in ([], ["--no-ids"]):
            with self.subTest(flags=flags):
                by_root = self.build(text, env=EPOCH)
                by_user = self.user_build(text, "--root", self.directory / f"state{len(flags)}", env=EPOCH,
                                          wrapper_flags=flags)
                self.assertEqual(by_user.layout.tree, by_root.layout.tree)
                self.assertEqual(by_user.digest, by_root.digest)

    def test_insecure_steps_do_without_devices_that_the_machine_lacks(self):
        text = "FROM busybox\nRUN --security=insecure test -c /dev/null && mount -t tmpfs none /tmp && test -w /proc/sys\n"
        for flags in ([], ["--no-ids"]):
            with self.subTest(flags=flags):
                self.user_build(text, "--allow", "security.insecure", "--root", self.directory / f"state{len(flags)}",
                                wrapper_flags=flags)

    def test_no_node_without_the_capability(self):
        self.user_build("FROM busybox\nRUN ! mknod /a c 1 3 && test ! -e /a\n", "--cap-drop", "MKNOD")
        self.user_build("FROM busybox\nUSER build\nRUN ! mknod /tmp/a c 1 3\n")
        self.user_build("FROM busybox\nRUN su build -c '! mknod /tmp/a c 1 3' && test ! -e /tmp/a\n".replace(
            "su build", "chmod 777 /tmp && su -s /bin/sh build"))

    def test_paths_stay_within_the_root(self):
        outside = self.directory / "outside"
        outside.mkdir(mode=0o777)
        outside.chmod(0o777)
        self.user_build(f"FROM busybox\nRUN ln -s / /up && mkdir -p /j && mknod /up/a c 1 3; mknod ../../../b c 1 3; "
                        f"mknod {outside}/c c 1 3; ln -s {outside} /out; mknod /out/d c 1 3; "
                        "mkdir -p /j/dev && cp /bin/busybox /j && cd /j && chroot /j /busybox mknod /dev/e c 1 3 && "
                        "chroot /j /busybox mknod ../../f c 1 3 && ls /a /b /j/dev/e /j/f\n")
        self.assertEqual(list(outside.iterdir()), [])


class RefusalTests(RootlessCase):
    def test_a_user_without_subordinate_ids_is_told_the_command(self):
        build = self.user_build("FROM busybox\nRUN true\n", wrapper_flags=["--no-ids"])
        self.assertMentions(build, "/etc/subuid", f"usermod --add-subuids 100000-165535 {rootless.NAME}")

    def test_without_newuidmap_its_package_is_named(self):
        arguments, _, _ = self.arguments("FROM busybox\nRUN true\n")
        build = self.as_user(SWBUILD, *arguments, flags=["--hide", "/usr/bin/newuidmap"])
        self.assertEqual(build.status, 0)
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

    def test_a_state_directory_that_cannot_be_entered_is_somebody_else_s(self):
        self.state.mkdir(mode=0o700)
        build = self.as_user(SWBUILD, "images", "--root", self.state)
        self.assertClean(build)
        self.assertMentions(build, "made by another user")

    def test_more_subordinate_ids_are_no_other_ones(self):
        self.user_build("FROM busybox\nRUN true\n")
        self.user_build("FROM busybox\nRUN echo again\n", wrapper_flags=["--more-ids"])
        build = self.user_build("FROM busybox\nRUN echo again\n", expect=None)
        self.assertMentions(build, "subordinate ids")


class CommandLineTests(RootlessCase):
    """The process moves into its namespace before the command line is parsed."""

    def test_a_container_s_flags_are_its_own(self):
        self.user_build("FROM busybox\nRUN true\n")
        for flag in ("-h", "--help", "--version"):
            done = self.as_user(SWBUILD, "run", "test:latest", "echo", "is", flag)
            self.assertEqual((done.status, done.stdout), (0, f"is {flag}\n"), done.stderr)
        for words in (("run", "--help"), ("run", "-h"), ("--root", self.user_state, "run", "--help")):
            self.assertIn("USAGE", self.as_user(SWBUILD, *words).stdout)

    def test_the_verb_may_come_behind_the_state_directory(self):
        # In a namespace there would be no user other than root.
        done = self.as_user(SWBUILD, "--root", self.user_state, "doctor")
        self.assertIn(f"{rootless.NAME} can", done.stdout)

    def test_doctor_finds_what_builds_find(self):
        done = self.as_user(SWBUILD, "doctor", "--format", "json", env={"PATH": "/nowhere"})
        found = {finding["subject"]: finding for finding in json.loads(done.stdout)["findings"]}
        self.assertEqual(found["subordinate ids"]["state"], "ok", found["subordinate ids"])
        self.assertIn(f"{rootless.IDS}", found["subordinate ids"]["fact"])


class FileTests(RootlessCase):
    def test_a_context_with_device_nodes(self):
        with tarfile.open(self.directory / "context.tar", "w") as tar:
            node = tarfile.TarInfo("node")
            node.type, node.devmajor, node.devminor = tarfile.CHRTYPE, 1, 3
            tar.addfile(node)
            text = b"FROM busybox\nCOPY Buildfile /file\nRUN true\n"
            info = tarfile.TarInfo("Buildfile")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
        output = self.directory / "out"
        arguments = ["build", "--build-context", f"busybox=oci-layout://{base_layout()}:latest", "-o", output, "-"]
        done = self.as_user("sh", "-c", f"exec \"$@\" < {self.directory}/context.tar", "sh", SWBUILD, *arguments)
        self.assertEqual(done.status, 0, done.stderr)
        self.assertIn("/file", Layout(output).tree)

    def test_caches_with_one_id_are_packed_up_and_brought_back(self):
        use = "FROM busybox\nRUN --mount=type=cache,id=c,uid=5,gid=6,mode=0750,target=/c {}\n"
        flags = ["--no-ids"]
        self.user_build(use.format("touch /c/f && chown 7:8 /c/f && chmod 640 /c/f"), wrapper_flags=flags)
        archive = self.directory / "c.tar"
        done = self.as_user(SWBUILD, "cache", "export", archive, flags=flags)
        self.assertEqual(done.status, 0, done.stderr)
        with tarfile.open(archive) as tar:
            members = {info.name.partition("/")[2]: info for info in tar}
        self.assertEqual([(members[name].uid, members[name].gid) for name in ("data", "data/f")], [(5, 6), (7, 8)])
        for info in members.values():
            self.assertFalse([key for key in info.pax_headers if "swbuild" in key], info.pax_headers)
        self.assertEqual(self.as_user(SWBUILD, "prune", "--all", flags=flags).status, 0)
        done = self.as_user(SWBUILD, "cache", "import", archive, flags=flags)
        self.assertEqual(done.status, 0, done.stderr)
        again = self.directory / "again.tar"
        self.assertEqual(self.as_user(SWBUILD, "cache", "export", again, flags=flags).status, 0)
        with tarfile.open(again) as tar:
            owners = {info.name.partition("/")[2]: (info.uid, info.gid) for info in tar}
        self.assertEqual((owners["data"], owners["data/f"]), ((5, 6), (7, 8)))
        self.user_build(use.format("test \"$(stat -c %a /c /c/f | tr '\\n' ' ')\" = '750 640 '"), wrapper_flags=flags)

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

    def test_ssh_runs_as_the_caller(self):
        programs = self.directory / "bin"
        programs.mkdir()
        (programs / "ssh").write_text(f"#!/bin/sh\n(id -u; id -g; echo $*) > {self.directory}/ssh.txt\nexit 1\n")
        (programs / "ssh").chmod(0o755)
        self.user_build("FROM scratch\nADD git@localhost:repo.git /\n", expect=None,
                        env={"PATH": f"{programs}:{os.environ['PATH']}"})
        words = (self.directory / "ssh.txt").read_text().split("\n")
        self.assertEqual(words[:2], [str(rootless.UID), str(rootless.GID)])
        self.assertIn("git@localhost", words[2])

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
            "RUN --mount=type=bind,source=.,target=/c ! mount -t tmpfs none /tmp "
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
        arguments, output, _ = self.arguments("FROM busybox\nRUN chown 33:33 /tmp\n")
        build = self.as_user("unshare", "--user", "--map-root-user", SWBUILD, *arguments)
        self.assertEqual(build.status, 0, build.stderr)
        build.output = output
        self.assertEqual(build.layout.tree["/tmp"]["owner"], "33:33")


if __name__ == "__main__":
    unittest.main()
