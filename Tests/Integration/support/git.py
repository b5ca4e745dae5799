"""Git repositories for tests, and a server on loopback for them."""
import http.server
import os
import pathlib
import ssl
import subprocess
import threading

from .case import Case

ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
}
FILES = {"a.txt": "a\n", "dir/b.txt": "b\n", "dir/sub/c.txt": "c\n"}
CONFIGURATION = ["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always", "-c", "core.protectNTFS=false"]


class Repository:
    """A repository with a work tree at `path`."""

    def __init__(self, path: pathlib.Path, files: dict[str, str | bytes] | None = None):
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--quiet")
        if files is not None:
            self.commit(files)

    def git(self, *arguments, input: bytes | None = None) -> str:
        done = subprocess.run(["git", *CONFIGURATION, "-C", str(self.path), *map(str, arguments)], input=input,
                              capture_output=True, env={**os.environ, **ENVIRONMENT}, check=False)
        if done.returncode != 0:
            raise AssertionError(f"git {arguments}: {done.stderr.decode()}")
        return done.stdout.decode().strip()

    def commit(self, files: dict[str, str | bytes], message: str = "m") -> str:
        """Writes files, commits all; gives the commit."""
        for name, content in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def link(self, commit: str, path: str) -> None:
        """Adds a submodule's place to the next commit, without anything else."""
        self.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
        (self.path / path).mkdir(parents=True, exist_ok=True)

    def hostile_tree(self, *entries: tuple[str, str, str]) -> str:
        """Commits a tree of (mode, name, content) as no checkout would have it; gives the commit."""
        lines = []
        for mode, name, content in entries:
            blob = self.git("hash-object", "-w", "--stdin", input=content.encode())
            lines.append(f"{mode} blob {blob}\t{name}")
        tree = self.git("mktree", "--missing", input="\n".join(lines).encode())
        commit = self.git("commit-tree", tree, "-m", "hostile")
        self.git("update-ref", "refs/heads/main", commit)
        return commit


class GitServer:
    """Serves the repositories below `root` over HTTP through git's own program; counts the requests for packs.

    Where `authorization` is set, a request must have that field. `context` makes it a server of TLS; so many requests
    as `failures` says are answered as by a server that is busy; `redirect` sends all of them elsewhere.
    """

    def __init__(self, root: pathlib.Path, authorization: str | None = None, context: ssl.SSLContext | None = None):
        self.requests: list[tuple[str, str]] = []
        self.authorization = authorization
        self.failures = 0
        self.redirect: str | None = None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                chunked = self.headers.get("Transfer-Encoding") == "chunked"
                body = self.chunks() if chunked else self.rfile.read(length)
                path, _, query = self.path.partition("?")
                outer.requests.append((self.command, self.path))
                if outer.failures or outer.redirect:
                    self.send_response(503 if outer.failures else 302)
                    outer.failures = max(0, outer.failures - 1)
                    if outer.redirect:
                        self.send_header("Location", outer.redirect + self.path)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if outer.authorization and self.headers.get("Authorization") != outer.authorization:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="test"')
                    self.end_headers()
                    return
                done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env={
                    **os.environ, **ENVIRONMENT, "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type") or "", "CONTENT_LENGTH": str(len(body)),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "", "REMOTE_ADDR": "127.0.0.1",
                    "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"})
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                fields = [line.partition(": ") for line in head.decode().split("\r\n")]
                status = next((value for name, _, value in fields if name == "Status"), "200")
                self.send_response(int(status.split()[0]))
                for name, _, value in fields:
                    if name and name not in ("Status", "Content-Length"):
                        self.send_header(name, value)
                # Over TLS an end of the connection alone would be no proof of the end.
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def chunks(self) -> bytes:
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_GET = do_POST = answer

            def log_message(self, *arguments):
                pass
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.host = f"127.0.0.1:{self.http.server_port}"
        self.base = f"{'https' if context else 'http'}://{self.host}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def fetches(self) -> int:
        return sum(method == "POST" and path.endswith("git-upload-pack") for method, path in self.requests)

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class GitCase(Case):
    def setUp(self):
        super().setUp()
        self.repositories = self.directory / "repositories"
        self.repositories.mkdir()

    def repository(self, name: str = "r.git", files: dict | None = FILES) -> Repository:
        return Repository(self.repositories / name, files)

    def serve(self, authorization: str | None = None, context: ssl.SSLContext | None = None) -> GitServer:
        server = GitServer(self.repositories, authorization, context)
        self.addCleanup(server.close)
        return server

    def add(self, url: str, *flags, expect=0, options: str = "", **more):
        return self.build(f"FROM scratch\nADD {options} {url} /src\n", *flags, expect=expect, **more)

    def names(self, build) -> set[str]:
        return {path for path in build.layout.tree if path.startswith("/src/")}
