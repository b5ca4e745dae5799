"""Secrets that would become part of an image: the build fails and says where, without the value."""
import base64
import subprocess

from support import Case

VALUE = "tr0ub4dor&3-and-more"


class Leaks(Case):
    def setUp(self):
        super().setUp()
        self.secret = self.directory / "secret"
        self.secret.write_text(VALUE + "\n")
        self.flags = ("--secret", f"id=token,src={self.secret}")

    def leak(self, buildfile: str, *words: str, flags: tuple = (), **options) -> None:
        """The build fails, names the secret and `words`, keeps the value to itself and publishes nothing."""
        before = self.published()
        built = self.build(buildfile, *self.flags, *flags, expect=1, **options)
        self.assertMentions(built, "the secret `token`", *words)
        everything = built.stderr + built.stdout
        self.assertNotIn(VALUE, everything)
        self.assertNotIn(base64.b64encode(VALUE.encode()).decode()[:12], everything)
        self.assertFalse(built.output.exists() and any(built.output.iterdir()), "no output")
        self.assertEqual(self.published(), before, "no tag")

    def published(self) -> str:
        return self.run_swbuild("images").stdout

    def test_a_file_that_a_step_leaves(self):
        mount = "FROM busybox\n\nRUN --mount=type=secret,id=token "
        self.leak(mount + "cp /run/secrets/token /etc/copied", "Buildfile:3", "/etc/copied")
        self.leak(mount + "(head -c 300000 /dev/zero; cat /run/secrets/token; echo x) > /large", "/large")
        self.leak(mount + "tr -d '\\n' < /run/secrets/token | base64 > /b", "base64", "/b")
        self.leak(mount + "(printf user:; cat /run/secrets/token) | base64 -w0 > /b", "base64", "/b")
        self.leak(mount + 'touch "/tmp/$(cat /run/secrets/token)"', "the name of a file")
        self.leak(mount + 'ln -s "$(cat /run/secrets/token)" /link', "the link /link")

    def test_a_step_that_uses_it_only(self):
        text = "FROM busybox\nRUN --mount=type=secret,id=token wc -c < /run/secrets/token > /count\n"
        self.assertEqual(self.build(text, *self.flags).layout.text("/count"), f"{len(VALUE) + 1}\n")

    def test_no_layer_of_the_step_is_kept(self):
        text = "FROM busybox\nRUN --mount=type=secret,id=token cp /run/secrets/token /x\n"
        self.leak(text, "/x")
        self.leak(text, "/x")
        kept = [self.state / name for name in ("layers", "logs", "images")]
        found = subprocess.run(["grep", "-rl", VALUE, *kept], capture_output=True, text=True)
        self.assertEqual(found.stdout, "")

    def test_files_of_the_context(self):
        self.files({"app/.env": f"TOKEN={VALUE}\n", "app/main": "x"})
        self.leak("FROM busybox\nCOPY app /app\n", "Buildfile:2", "/app/.env")
        self.leak("FROM busybox\nADD app /app\n", "/app/.env")
        self.leak(f"FROM busybox\nCOPY <<E /here\n{VALUE}\nE\n", "Buildfile:2", "/here")

    def test_stages_that_are_not_the_target_count(self):
        self.leak("FROM busybox AS a\nRUN --mount=type=secret,id=token cp /run/secrets/token /x\n"
                  "FROM busybox\nCOPY --from=a /bin/sh /sh2\n", "Buildfile:2", "/x")

    def test_the_configuration(self):
        argument = ("--build-arg", f"T={VALUE}")
        self.leak("FROM busybox\nARG T\nENV TOKEN=$T\n", "Buildfile:2", "ARG", flags=argument)
        self.leak(f"FROM busybox\n\nENV A=x{VALUE}\n", "Buildfile:3", "ENV")
        self.leak(f"FROM busybox\nLABEL a.b=x{VALUE}\n", "Buildfile:2", "LABEL")
        self.leak("ARG T\nFROM busybox AS a\nFROM busybox\nARG T\nRUN true\n", "Buildfile:4", "ARG", flags=argument)
        self.leak(f'FROM busybox\nCMD ["run", "--token={VALUE}"]\n', "Buildfile:2", "CMD")
        self.leak("FROM busybox\nRUN true\n", "Labels.a", flags=("--label", f"a={VALUE}"))
        self.leak("FROM busybox\nRUN true\n", "annotation a", flags=("--annotation", f"a={VALUE}"))
        # An argument that no instruction can see is in no history.
        self.build("FROM busybox\nRUN true\n", *self.flags, *argument)

    def test_layers_of_earlier_builds(self):
        self.files({"f": VALUE})
        self.build("FROM busybox\nCOPY f /f\nRUN true\n")
        self.leak("FROM busybox\nCOPY f /f\nRUN true\n", "/f", "earlier build")
        # As it was, it was no secret.
        self.build("FROM busybox\nCOPY f /f\nRUN true\n")

    def test_a_layer_is_looked_through_once_for_the_same_values(self):
        text = "FROM busybox\nRUN echo 1 > /x\n"
        self.build(text)
        for _ in range(2):
            self.assertEqual(self.build(text, *self.flags).executed(), [])
        self.secret.write_text("another value\n")
        self.assertEqual(self.build(text, *self.flags).executed(), [])
        state = (self.state / "cache.sqlite").read_bytes() + (self.state / "cache.sqlite-wal").read_bytes() \
            if (self.state / "cache.sqlite-wal").exists() else (self.state / "cache.sqlite").read_bytes()
        self.assertNotIn(VALUE.encode(), state)

    def test_without_the_check(self):
        text = "FROM busybox\nRUN --mount=type=secret,id=token cat /run/secrets/token > /x\n"
        self.assertEqual(self.build(text, *self.flags, "--no-leak-check").layout.text("/x"), VALUE + "\n")
        self.leak(text, "/x", "earlier build", "--no-leak-check")

    def test_values_that_cannot_be_looked_for(self):
        self.secret.write_text("short\n")
        built = self.build("FROM busybox\nRUN echo short > /x\n", *self.flags)
        self.assertEqual(built.stderr.count("is not looked for"), 1)
        self.assertMentions(built, "the secret `token`")

    def test_keys_of_agents(self):
        key = self.directory / "key"
        self.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        self.files({"id": key.read_text(), "pub": (self.directory / "key.pub").read_text()})
        self.build("FROM busybox\nCOPY pub /\n", "--ssh", f"default={key}")
        built = self.build("FROM busybox\nCOPY id /root/.ssh/\n", "--ssh", f"default={key}", expect=1)
        self.assertMentions(built, "ssh key of `default`", "/root/.ssh/id")
        body = "".join(key.read_text().splitlines()[3:4])
        self.files({"json": '{"key": "' + body + '"}'})
        built = self.build("FROM busybox\nCOPY json /\n", "--ssh", f"default={key}", expect=1)
        self.assertMentions(built, "a line of it", "/json")
