"""Ways to git repositories: TLS, ssh, servers that are busy or send their clients elsewhere."""
import os
import pathlib
import pwd
import socket
import subprocess

from support import git
from support.git import GitCase
from support.tls import Authority


class TLS(GitCase):
    def setUp(self):
        super().setUp()
        self.authority = Authority(self.directory)

    def test_the_server_is_verified(self):
        self.repository()
        url = f"{self.serve(context=self.authority.context).base}/r.git"
        self.assertMentions(self.add(url, expect=1), url, "certificate", "SSL_CERT_FILE")
        self.assertEqual(self.add(url, env=self.authority.trust).layout.text("/src/a.txt"), "a\n")
        directory = self.directory / "authorities"
        directory.mkdir()
        self.tool("openssl", "x509", "-in", self.authority.certificate, "-out", directory / "one.pem")
        self.tool("openssl", "rehash", directory)
        built = self.add(url, "--no-cache", env={"SSL_CERT_DIR": str(directory), "SSL_CERT_FILE": ""})
        self.assertEqual(built.layout.text("/src/a.txt"), "a\n")

    def test_a_context_and_its_submodule(self):
        inner = self.repository("inner.git", {"i": "inner\n"})
        outer = self.repository("outer.git", {"Dockerfile": "FROM scratch\nCOPY . /\n"})
        outer.link(inner.git("rev-parse", "HEAD"), "sub")
        outer.commit({".gitmodules": '[submodule "s"]\n\tpath = sub\n\turl = ../inner.git\n'})
        server = self.serve(context=self.authority.context)
        output = self.directory / "context-out"
        built = self.run_swbuild("build", "--progress", "plain", "-o", output, f"{server.base}/outer.git",
                                 env=self.authority.trust)
        self.assertEqual(built.status, 0, built.stderr)
        self.assertIn(f"fetching the build context {server.base}/outer.git", built.stderr)
        built.output = output
        self.assertEqual(built.layout.text("/sub/i"), "inner\n")

    def test_a_redirect_does_not_leave_it(self):
        self.repository()
        plain, secure = self.serve(), self.serve(context=self.authority.context)
        other = self.serve(context=self.authority.context)
        secure.redirect, plain.redirect = plain.base, other.base
        built = self.add(f"{secure.base}/r.git", env=self.authority.trust, expect=1)
        self.assertMentions(built, f"{secure.base}/r.git", "redirects")
        self.assertEqual(plain.requests, [])
        self.add(f"{plain.base}/r.git", env=self.authority.trust)


class Busy(GitCase):
    def test_a_server_that_is_busy_is_asked_again(self):
        self.repository()
        server = self.serve()
        server.failures = 1
        self.assertEqual(self.add(f"{server.base}/r.git").layout.text("/src/a.txt"), "a\n")

    def test_one_that_refuses_is_not(self):
        self.repository()
        server = self.serve("Basic eDp5")
        self.add(f"{server.base}/r.git", expect=1)
        self.assertLessEqual(len(server.requests), 2)

    def test_what_git_says_is_one_sentence(self):
        built = self.add("git://127.0.0.1:1/r.git", expect=1)
        self.assertMentions(built, "git://127.0.0.1:1/r.git")
        error = next(line for line in built.stderr.splitlines() if "error:" in line)
        for words in (".;", ";;", "; and ", "Please"):
            self.assertNotIn(words, error)


class SSH(GitCase):
    """A server of ssh of the test's own, and an agent with the key that it takes."""

    def setUp(self):
        super().setUp()
        self.repository()
        for name in ("host", "user"):
            self.tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.start_server(port)
        user = pwd.getpwuid(os.geteuid()).pw_name
        self.url = f"ssh://{user}@127.0.0.1:{port}{self.repositories}/r.git"
        key = (self.directory / "host.pub").read_text()
        self.known = self.directory / "known_hosts"
        self.known.write_text(f"[127.0.0.1]:{port} {key}")
        self.agent = self.directory / "agent"
        process = subprocess.Popen(["ssh-agent", "-D", "-a", self.agent], stdout=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.terminate(), process.wait()))
        self.wait_for(self.agent.exists)
        self.tool("ssh-add", "-q", self.directory / "user", env={"SSH_AUTH_SOCK": str(self.agent)})

    def start_server(self, port: int) -> None:
        configuration = self.directory / "sshd_config"
        configuration.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {self.directory}/host\nPidFile none\n"
            f"AuthorizedKeysFile {self.directory}/user.pub\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\n")
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        log = (self.directory / "sshd.log").open("wb")
        self.addCleanup(log.close)
        process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", configuration], stderr=log,
                                   env={**os.environ, **git.ENVIRONMENT})
        self.addCleanup(lambda: (process.terminate(), process.wait()))

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        self.wait_for(listens)

    def command(self, known: pathlib.Path) -> dict[str, str]:
        """An environment without the keys and the agent of whoever runs the tests."""
        return {"GIT_SSH_COMMAND": "ssh -F none -o BatchMode=yes -o IdentityFile=none "
                                   f"-o UserKnownHostsFile={known} -o GlobalKnownHostsFile=none", "SSH_AUTH_SOCK": ""}

    def test_the_builds_agent_opens_it(self):
        agent = ("--ssh", f"default={self.agent}")
        self.assertEqual(self.add(self.url, *agent, env=self.command(self.known)).layout.text("/src/a.txt"), "a\n")

    def test_without_a_key_it_stays_shut(self):
        built = self.add(self.url, expect=1, env=self.command(self.known))
        self.assertMentions(built, self.url, "permission denied", "ssh-add")

    def test_a_server_that_nobody_knows_is_not_trusted(self):
        built = self.add(self.url, "--ssh", f"default={self.agent}", expect=1,
                         env=self.command(self.directory / "nothing"))
        self.assertMentions(built, "host key verification failed", "known_hosts")
