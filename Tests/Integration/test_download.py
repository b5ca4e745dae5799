"""ADD of a URL: from a server on loopback, over HTTP and TLS."""
import hashlib
import http.server
import ssl
import threading

from support import Case


class Server:
    """Serves `files` (path to bytes), with ETags; counts the answers by status."""

    def __init__(self, context: ssl.SSLContext | None = None):
        self.files: dict[str, bytes] = {}
        self.answers: list[tuple[str, int]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                data = outer.files.get(self.path)
                tag = '"' + hashlib.sha256(data or b"").hexdigest()[:12] + '"'
                status = 404 if data is None else 304 if self.headers.get("If-None-Match") == tag else 200
                outer.answers.append((self.path, status))
                self.send_response(status)
                self.send_header("ETag", tag)
                self.send_header("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")
                body = data if status == 200 else b""
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *arguments):
                pass
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.base = f"{'https' if context else 'http'}://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class Download(Case):
    def serve(self, files: dict[str, bytes], context=None) -> Server:
        server = Server(context)
        server.files = files
        self.addCleanup(server.close)
        return server

    def test_a_file(self):
        server = self.serve({"/some/file.txt": b"served\n"})
        tree = self.build(f"FROM scratch\nADD {server.base}/some/file.txt /dir/\n").layout.tree
        self.assertEqual(tree["/dir/file.txt"]["text"], "served\n")
        self.assertEqual(tree["/dir/file.txt"]["mode"], "0o600")
        self.assertEqual(tree["/dir/file.txt"]["mtime"], 1_700_000_000)

    def test_an_unchanged_file_is_a_hit_and_a_changed_one_is_not(self):
        server = self.serve({"/file": b"one\n"})
        buildfile = f"FROM busybox\nADD {server.base}/file /file\nRUN cat /file > /copy\n"
        self.build(buildfile)
        self.assertEqual(self.build(buildfile).executed(), [])
        server.files["/file"] = b"two\n"
        self.assertEqual(self.build(buildfile).layout.text("/copy"), "two\n")

    def test_a_checksum(self):
        server = self.serve({"/file": b"one\n"})
        right = hashlib.sha256(b"one\n").hexdigest()
        self.build(f"FROM scratch\nADD --checksum=sha256:{right} {server.base}/file /file\n")
        wrong = hashlib.sha256(b"two\n").hexdigest()
        built = self.build(f"FROM scratch\nADD --checksum=sha256:{wrong} {server.base}/file /file\n", expect=1)
        self.assertMentions(built, wrong[:12], right[:12])

    def test_a_status_is_named(self):
        server = self.serve({})
        built = self.build(f"FROM scratch\nADD {server.base}/absent /file\n", expect=1)
        self.assertMentions(built, "404", f"{server.base}/absent")

    def test_credentials_are_not_shown(self):
        server = self.serve({})
        url = server.base.replace("://", "://user:geheim@")
        built = self.build(f"FROM scratch\nARG URL\nADD $URL/absent?token=geheim /file\n", "--build-arg", f"URL={url}",
                           expect=1)
        self.assertMentions(built, "404")
        error = next(line for line in reversed(built.stderr.splitlines()) if "404" in line)
        self.assertNotIn("geheim", error)

    def test_tls_is_verified(self):
        key, certificate = self.directory / "key.pem", self.directory / "certificate.pem"
        self.tool("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                  "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=127.0.0.1",
                  "-addext", "subjectAltName=IP:127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server = self.serve({"/file": b"over TLS\n"}, context)
        buildfile = f"FROM scratch\nADD {server.base}/file /file\n"
        self.assertMentions(self.build(buildfile, expect=1), "certificate")
        built = self.build(buildfile, env={"SSL_CERT_FILE": str(certificate)})
        self.assertEqual(built.layout.text("/file"), "over TLS\n")
