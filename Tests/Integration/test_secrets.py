"""Secrets and agents: where they come from, and how steps see them."""
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from support import Case, Layout, processes_with, wait_until
from support.case import SWBUILD

READ = "FROM busybox\nRUN --mount=type=secret,id=x{} "


class Secrets(Case):
    def test_an_id_alone_is_a_variable_or_a_file(self):
        text = ("FROM busybox\nRUN --mount=type=secret,id=SWBUILD_TOKEN md5sum < /run/secrets/SWBUILD_TOKEN > /sum\n")
        (self.directory / "SWBUILD_TOKEN").write_text("of the file")
        for env, value in (({"SWBUILD_TOKEN": "of the variable"}, b"of the variable"), ({}, b"of the file")):
            arguments, output, _ = self.arguments(text, "--secret", "id=SWBUILD_TOKEN", "--no-cache")
            done = self.run_swbuild(*arguments, env=env, cwd=self.directory)
            self.assertEqual(done.status, 0, done.stderr)
            self.assertEqual(Layout(output).text("/sum")[:32], hashlib.md5(value).hexdigest())

    def test_from_a_command(self):
        text = READ.format("") + "md5sum < /run/secrets/x > /sum\n"
        counter = self.directory / "count"
        script = self.directory / "give me"
        script.write_text(f"#!/bin/sh\necho run >> {counter}\nprintf 'a, %s\\n\\n' \"$1\"\n")
        script.chmod(0o755)
        built = self.build(text, "--secret", f"id=x,cmd='{script}' 'b  c'")
        self.assertEqual(built.layout.text("/sum")[:32], subprocess.run(
            ["md5sum"], input=b"a, b  c", capture_output=True).stdout.decode()[:32])
        self.assertEqual(counter.read_text(), "run\n", "once")

    def test_commands_that_fail(self):
        text = READ.format("") + "true\n"
        for command, word in (("false", "status 1"), ("/no/such/program", "no such program"), ("true", "wrote nothing"),
                              ("sh -c 'echo geheimnis; exit 3'", "status 3")):
            built = self.build(text, "--secret", f"id=x,type=command,cmd={command}", expect=1)
            self.assertMentions(built, "the secret `x`", word)
            self.assertNotIn("geheimnis", built.stderr)

    def test_commands_that_fail_show_no_line_of_the_secret(self):
        script = self.directory / "give"
        script.write_text("#!/bin/sh\nprintf 'first-line\\nmiddle-line\\nlast-line\\n'\n"
                          "echo \"cannot unlock $1\" >&2\nexit 3\n")
        script.chmod(0o755)
        for shown, is_hidden in (("middle-line", True), ("first-line", True), ("the-door", False)):
            built = self.build(READ.format("") + "true\n", "--secret", f"id=x,cmd={script} {shown}", expect=1)
            self.assertMentions(built, "status 3")
            self.assertEqual(shown not in built.stderr, is_hidden, built.stderr)

    def test_commands_end_with_the_build(self):
        script = self.directory / "wait"
        marker = f"9{os.getpid()}.71"
        script.write_text(f"#!/bin/sh\nsleep {marker}\n")
        script.chmod(0o755)
        process, _, _ = self.start(READ.format("") + "true\n", "--secret", f"id=x,cmd={script}")
        wait_until(lambda: processes_with(f"sleep\0{marker}"))
        process.send_signal(signal.SIGINT)
        self.assertGreater(process.wait(30), 0)
        wait_until(lambda: not processes_with(f"sleep\0{marker}"))

    def test_bytes_that_are_no_text(self):
        value = b"\xff\xfebinary"
        # Python cannot hand such a variable to a program by a dictionary of text.
        wrapper = self.directory / "wrapper"
        wrapper.write_bytes(b"#!/bin/sh\nX=$(printf '\\377\\376binary') exec \"$SWBUILD\" \"$@\"\n")
        wrapper.chmod(0o755)
        arguments, output, _ = self.arguments(READ.format("") + "cat /run/secrets/x | md5sum > /sum\n", "--secret",
                                              "id=x,env=X")
        self.tool(wrapper, *arguments, env={"SWBUILD_ROOT": str(self.state), "SWBUILD": SWBUILD})
        self.assertEqual(Layout(output).text("/sum")[:32], hashlib.md5(value).hexdigest())
        (self.directory / "x").write_bytes(value)
        built = self.build(READ.format(",env=X") + "true\n", "--secret", f"id=x,src={self.directory / 'x'}", expect=1)
        self.assertMentions(built, "not UTF-8", "mount it as a file")

    def test_a_secret_is_in_no_file_of_ours(self):
        value = "only-in-memory-8642"
        text = (READ.format("") + "test -s /run/secrets/x\n"
                + "RUN --mount=type=secret,id=x,env=X test -n \"$X\"\nRUN --mount=type=secret,id=x,env=X exit 7\n")
        trace = self.directory / "trace.json"
        built = self.build(text, "--secret", "id=x,env=XVALUE", "--debug", "--trace", trace, env={"XVALUE": value},
                           expect=7)
        self.assertNotIn(value, built.stderr + built.stdout + trace.read_text())
        found = subprocess.run(["grep", "-rl", value, self.state], capture_output=True, text=True)
        self.assertEqual(found.stdout, "")

    def test_mode_and_owner_and_a_path_of_one_s_own(self):
        text = READ.format(",mode=0440,uid=5,gid=6,target=/opt/a/b") + "stat -c '%a %u %g' /opt/a/b > /s\n"
        built = self.build(text, "--secret", "id=x,env=X", env={"X": "some value"})
        self.assertEqual(built.layout.text("/s"), "440 5 6\n")
        self.assertNotIn("/opt/a", built.layout.tree)

    def test_a_zero_byte_fits_into_no_variable(self):
        (self.directory / "x").write_bytes(b"one\0two and more")
        flags = ("--secret", f"id=x,src={self.directory / 'x'}")
        self.assertMentions(self.build(READ.format(",env=X") + "true\n", *flags, expect=1), "zero byte")
        self.build(READ.format("") + "test $(wc -c < /run/secrets/x) = 16\n", *flags)


class Agents(Case):
    """The base images have no ssh: the test's own program speaks to the agent from within the step."""

    def setUp(self):
        super().setUp()
        self.key = self.directory / "key"
        self.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", self.key)

    def stat(self, options: str, *flags, env=None):
        text = ("FROM busybox\nUSER 1000\nRUN --mount=type=ssh%s stat -c '%%a %%u %%g %%F' $SSH_AUTH_SOCK > /tmp/s\n"
                "RUN test ! -e /run/buildkit\n")
        return self.build(text % options, *flags, env=env)

    def test_the_socket_s_owner_and_mode(self):
        for options, expected in (("", "600 0 0 socket\n"), (",uid=1000,gid=7,mode=0660", "660 1000 7 socket\n")):
            self.assertEqual(self.stat(options, "--ssh", f"default={self.key}").layout.text("/tmp/s"), expected)

    def test_several_agents_have_places_of_their_own(self):
        built = self.build(
            "FROM busybox\nRUN --mount=type=ssh --mount=type=ssh,id=other ls /run/buildkit > /names && "
            "echo $SSH_AUTH_SOCK >> /names\n", "--ssh", f"default={self.key}", "--ssh", f"other={self.key}")
        self.assertEqual(built.layout.text("/names"), "ssh_agent.0\nssh_agent.1\n/run/buildkit/ssh_agent.0\n")

    def agent(self) -> pathlib.Path:
        directory = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory, True)
        process = subprocess.Popen(["ssh-agent", "-D", "-a", directory / "agent"], stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(lambda: (directory / "agent").exists())
        self.tool("ssh-add", "-q", self.key, env={"SSH_AUTH_SOCK": str(directory / "agent")})
        return directory / "agent"

    def speak(self, *flags, env=None) -> list[bytes]:
        """What an agent answers a step to: a list of its keys, the removal of all keys, an extension."""
        answers: list[bytes] = []
        # A step reaches a socket of the host by a mount only; the test's client waits behind a fifo of a cache.
        text = ("FROM busybox\nRUN --mount=type=ssh --mount=type=cache,id=c,target=/c "
                "mkfifo /c/wait; echo $SSH_AUTH_SOCK > /c/begun; cat /c/wait; rm /c/*\n")
        process, _, _ = self.start(text, *flags, "--no-cache", env=env)
        begun: list[pathlib.Path] = []

        def find() -> bool:
            begun[:] = self.state.glob("cache-mounts/*/data/begun")
            return bool(begun and begun[0].read_text()) or process.poll() is not None
        wait_until(find)
        self.assertIsNone(process.poll(), process.stderr.read() if process.poll() is not None else "")
        paths = list(self.state.glob("tmp/*/ssh-*/agent"))
        own = [path for path in paths if not path.parent.name.startswith("ssh-agent")]
        for request in (b"\0\0\0\1\x0b", b"\0\0\0\1\x13", b"\0\0\0\1\x0b"):
            with socket.socket(socket.AF_UNIX) as client:
                directory = os.open(own[0].parent, os.O_PATH)
                client.connect(f"/proc/self/fd/{directory}/agent")
                os.close(directory)
                client.sendall(request)
                answers.append(client.recv(4096))
        threading.Thread(target=(begun[0].parent / "wait").write_text, args=("go",)).start()
        self.assertEqual(process.wait(60), 0, process.stderr.read())
        return answers

    def test_a_step_cannot_change_the_agent(self):
        agent = self.agent()
        first, removed, again = self.speak("--ssh", f"default={agent}")
        self.assertIn(b"ssh-ed25519", first)
        self.assertEqual(removed, b"\0\0\0\1\x05")
        self.assertEqual(again, first)

    def test_keys_from_files(self):
        other = self.directory / "other key"
        self.tool("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", other)
        other.chmod(0o644)
        first, _, _ = self.speak("--ssh", f"default={self.key},{other}")
        self.assertIn(b"ssh-ed25519", first)
        self.assertIn(b"ecdsa", first)
        # As large as keys may be: what surrounds the key does not count.
        other.write_text(other.read_text() + "\n" * (31 << 10))
        self.assertIn(b"ecdsa", self.speak("--ssh", f"default={other}")[0])
        wait_until(lambda: not processes_with(str(self.state)))

    def test_keys_that_cannot_be_had(self):
        locked = self.directory / "locked"
        self.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", locked)
        text = "FROM busybox\nRUN --mount=type=ssh true\n"
        self.assertMentions(self.build(text, "--ssh", f"default={locked}", expect=1), "passphrase", str(locked))
        (self.directory / "none").write_text("no key")
        built = self.build(text, "--ssh", f"default={self.directory / 'none'}", expect=1)
        self.assertMentions(built, "no private ssh key")
        self.assertMentions(self.build(text, "--ssh", "default=/missing", expect=64), "/missing")
        self.assertMentions(self.build(text.replace("ssh ", "ssh,required ", 1), expect=1), "--ssh default=KEYFILE")
