"""Registries on loopback: Debian's docker-registry, with what may stand in front of it."""
import base64
import http.server
import json
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
import urllib.request

from .tls import Authority

# What a line of the registry's access log says: the request's method and path, and the status of the answer.
ACCESS = re.compile(r'^\S+ - \S* ?\[[^]]*\] "([A-Z]+) (\S+) HTTP/[0-9.]+" (\d{3}) ')


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def kind_of(path: str) -> str:
    """What a request is about: `blobs`, `uploads`, `manifests`, or the path itself."""
    for kind in ("blobs/uploads", "blobs", "manifests"):
        if f"/{kind}/" in path or path.endswith(f"/{kind}"):
            return "uploads" if kind == "blobs/uploads" else kind
    return path


class Registry:
    """A docker-registry for one test."""

    def __init__(self, case, name: str = "registry", tls: Authority | None = None, users: dict | None = None,
                 tokens: "TokenServer | None" = None):
        self.directory = case.directory / name
        (self.directory / "data").mkdir(parents=True)
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.tls = tls
        config = {"version": "0.1", "log": {"level": "error", "accesslog": {"disabled": False}},
                  "storage": {"filesystem": {"rootdirectory": str(self.directory / "data")}},
                  "http": {"addr": self.host},
                  # Layers that have URLs of their own.
                  "validation": {"manifests": {"urls": {"allow": ["^http://127[.]0[.]0[.]1:"]}}}}
        if tls:
            config["http"]["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
        if users:
            lines = [subprocess.run(["htpasswd", "-Bbn", *pair], check=True, capture_output=True, text=True).stdout
                     for pair in users.items()]
            (self.directory / "users").write_text("".join(lines))
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(self.directory / "users")}}
        if tokens:
            config["auth"] = {"token": {"realm": tokens.realm, "service": "registry", "issuer": "test",
                                        "rootcertbundle": str(tokens.certificate)}}
        # JSON is YAML.
        (self.directory / "config.yml").write_text(json.dumps(config))
        self.log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", str(self.directory / "config.yml")],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        case.addCleanup(self.stop)
        case.wait_for(self.answers)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError((self.directory / "log").read_text()[-2000:])
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()

    def requests(self) -> list[tuple[str, str, int]]:
        """What was asked so far: method, kind and status; without what only finds out about the registry."""
        found = []
        for line in (self.directory / "log").read_text().splitlines():
            match = ACCESS.match(line)
            if match and match[2] != "/v2/":
                found.append((match[1], kind_of(match[2].partition("?")[0]), int(match[3])))
        return found

    def new_requests(self) -> list[tuple[str, str, int]]:
        """What was asked since the last call of this."""
        # The log is written after the answer.
        time.sleep(0.05)
        seen = self.requests()
        start, self.seen = getattr(self, "seen", 0), len(seen)
        return seen[start:]

    def blob_file(self, digest: str) -> pathlib.Path:
        hexadecimal = digest.split(":")[1]
        return self.directory / "data/docker/registry/v2/blobs/sha256" / hexadecimal[:2] / hexadecimal / "data"

    def manifest(self, repository: str, reference: str, credentials: str | None = None) -> dict:
        """A manifest as the registry has it; `credentials` are USER:PASSWORD."""
        kinds = "manifest.v1+json", "index.v1+json"
        accept = [f"application/vnd.oci.image.{kind}" for kind in kinds] + [
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.docker.distribution.manifest.list.v2+json"]
        request = urllib.request.Request(f"http://{self.host}/v2/{repository}/manifests/{reference}",
                                         headers={"Accept": ", ".join(accept)})
        if credentials:
            request.add_header("Authorization", f"Basic {base64.b64encode(credentials.encode()).decode()}")
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


class TokenServer:
    """Gives tokens to those who know the password: `GET /token?service=…&scope=…`, with Basic or without.

    Anybody may pull from repositories below `public/`.
    """

    def __init__(self, case, users: dict[str, str], lifetime: int = 300, tls: Authority | None = None):
        directory = case.directory / "tokens"
        directory.mkdir()
        self.key, self.certificate = directory / "key.pem", directory / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.certificate,
             "-days", "2", "-subj", "/CN=test"], check=True, capture_output=True)
        der = ssl.PEM_cert_to_DER_cert(self.certificate.read_text())
        self.header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        self.users, self.lifetime = users, lifetime
        self.asked: list[tuple[str | None, list[str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                user = outer.user(self.headers.get("Authorization"))
                query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
                scopes = " ".join(query.get("scope", [])).split()
                outer.asked.append((user or None, scopes))
                body = json.dumps(outer.answer(user, scopes)).encode()
                self.send_response(401 if user == "" else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self.http.socket = tls.context.wrap_socket(self.http.socket, server_side=True)
            # Whoever does not trust it hangs up.
            self.http.handle_error = lambda *arguments: None
        self.realm = f"http{'s' if tls else ''}://127.0.0.1:{self.http.server_port}/token"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        case.addCleanup(self.http.server_close)
        case.addCleanup(self.http.shutdown)

    def user(self, authorization: str | None) -> str | None:
        """The user's name, None without credentials, empty where they are wrong."""
        if authorization is None:
            return None
        name, _, password = base64.b64decode(authorization.split()[1]).decode().partition(":")
        return name if self.users.get(name) == password else ""

    def answer(self, user: str | None, scopes: list[str]) -> dict:
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            allowed = actions.split(",") if user else ["pull"] if name.startswith("public/") else []
            access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        claims = {"iss": "test", "aud": "registry", "sub": user or "", "iat": now, "nbf": now - 10,
                  "exp": now + self.lifetime + 60, "jti": str(time.monotonic_ns()), "access": access}
        return {"token": self.sign(claims), "expires_in": self.lifetime}

    def sign(self, claims: dict) -> str:
        def encoded(data: bytes) -> str:
            return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        text = f"{encoded(json.dumps(self.header).encode())}.{encoded(json.dumps(claims).encode())}"
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(),
                                   capture_output=True, check=True).stdout
        return f"{text}.{encoded(signature)}"
