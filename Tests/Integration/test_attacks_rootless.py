"""What swbuild does for an ordinary user's steps in the kernel's place, and device nodes where nobody may make any."""
import os
import tarfile

from support import rootless
from support.attack import AttackCase, compile_c, content, member
from support.case import SWBUILD
from support.images import tar_of
from support.rootless_case import RootlessCase

# Changes a name between a directory and a link for as long as it runs.
SWAP = """
    #define _GNU_SOURCE
    #include <sys/syscall.h>
    #include <unistd.h>
    int main(int count, char **arguments) {
        if (chdir(arguments[1]) != 0) return 1;
        for (;;) syscall(SYS_renameat2, -100, "d", -100, "l", 2);
    }"""

# A set-user-ID program that tells who it is, and tries what root of the machine might do.
WHO = """
    #include <stdio.h>
    #include <string.h>
    #include <sys/mount.h>
    #include <unistd.h>
    int main(void) {
        char line[256];
        FILE *status = fopen("/proc/self/status", "r");
        printf("%d %d\\n", getuid(), geteuid());
        while (fgets(line, sizeof line, status) != NULL) if (strncmp(line, "CapBnd", 6) == 0) printf("%s", line);
        puts(setuid(0) == 0 && mount("none", "/tmp", "tmpfs", 0, "") == 0 ? "mounted" : "refused");
        return 0;
    }"""

NODES = [member("nodes/memory", type=tarfile.CHRTYPE, devmajor=1, devminor=1, mode=0o666),
         member("nodes/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
         member("nodes/disk", type=tarfile.BLKTYPE, devmajor=7, devminor=0, mode=0o666)]


class Rootless(AttackCase, RootlessCase):
    """The host's files are the user's own: nothing but the sandbox keeps a step from them."""

    def setUp(self):
        super().setUp()
        for path in [self.host, *self.host.rglob("*")]:
            os.chown(path, rootless.UID, rootless.GID)
        self.before = self.look()

    def check_host(self):
        super().check_host()
        for path in [self.host, *self.host.rglob("*")]:
            self.assertEqual(os.listxattr(path), [], path)

    def attack_as_user(self, buildfile: str, *flags, wrapper_flags=()):
        built = self.user_build(buildfile, *flags, wrapper_flags=wrapper_flags)
        self.assertNotIn("top secret", built.stdout + built.stderr)
        return built

    def test_nodes_of_an_archive_are_no_devices(self):
        (self.context / "nodes.tar").write_bytes(tar_of(NODES))
        (self.context / "nodes.tar").chmod(0o644)
        for flags in ([], ["--no-ids"]):
            with self.subTest(flags=flags):
                built = self.attack_as_user(
                    "FROM busybox\nADD nodes.tar /\nRUN mknod /nodes/made c 1 1; for n in memory null disk made; do "
                    "dd if=/nodes/$n bs=16 count=1 2>/dev/null | wc -c; echo x > /nodes/$n; cat /nodes/$n; done > /out\n",
                    "--root", self.directory / f"state{len(flags)}", wrapper_flags=flags)
                # Files: there is nothing in them, and what is written to them is.
                self.assertEqual(content(built.layout, "out").split(), ["0", "x"] * 4)

    def test_names_that_change_while_calls_are_answered(self):
        """What swbuild opens for a call is looked up from the caller's root, whatever becomes of the names."""
        (self.context / "swap").write_bytes(compile_c(SWAP))
        (self.context / "swap").chmod(0o755)
        for number, target in enumerate((str(self.host), "../" * 12 + str(self.host)[1:], f"/proc/1/root{self.host}",
                                         f"/proc/self/cwd/../../..{self.host}")):
            self.attack_as_user(
                f"FROM busybox\nCOPY swap /swap\nRUN mkdir -p /w/d/dir /w/d/sub && echo x > /w/d/secret && ln -s {target} /w/l "
                "&& (/swap /w & cd /w; for i in $(seq 60); do chown 5:6 d d/secret l; chown -h 7:8 l d; mknod d/n$i c 1 3; "
                "mknod l/m$i b 7 0; stat -L d/secret l/secret; d/secret; cat d/secret; done; kill $!) >/dev/null 2>&1; true\n",
                "--root", self.directory / f"state{number}", wrapper_flags=["--no-ids"])

    def test_a_pretended_root_has_no_more_rights(self):
        """A set-user-ID program changes what a process believes to be, and nothing of what it may."""
        (self.context / "who").write_bytes(compile_c(WHO))
        (self.context / "who").chmod(0o4755)
        built = self.attack_as_user(
            "FROM busybox\nCOPY who /who\nUSER build\nRUN (/who; mount -t tmpfs none /tmp || echo refused; "
            "unshare -U true || echo refused) > /tmp/out 2>/dev/null\n", wrapper_flags=["--no-ids"])
        lines = content(built.layout, "tmp/out").split()
        self.assertEqual(lines, ["1000", "0", "CapBnd:", "00000000a80425fb", "refused", "refused", "refused"])

    def test_the_callers_files_are_not_in_reach(self):
        """Files of the user outside of the root are the user's, and the step is that user."""
        for flags in ([], ["--no-ids"]):
            self.attack_as_user(
                f"FROM busybox\nRUN for n in 3 4 5 6 7 8 9 10; do cat /proc/self/fd/$n{self.host}/secret; "
                f"cat /proc/1/root{self.host}/secret /proc/1/cwd{self.host}/secret; done; ls -R /proc/*/root/tmp/; true\n",
                "--root", self.directory / f"state{len(flags)}", wrapper_flags=flags)

    def test_swbuild_is_not_the_steps_to_change(self):
        before = os.stat(SWBUILD)
        self.attack_as_user("FROM busybox\nRUN chown 5:6 /proc/1/exe /proc/self/exe; echo x > /proc/1/exe; true\n",
                            wrapper_flags=["--no-ids"])
        after = os.stat(SWBUILD)
        self.assertEqual((before.st_size, before.st_mtime_ns, before.st_uid), (after.st_size, after.st_mtime_ns, after.st_uid))
