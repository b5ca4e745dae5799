"""Files and contexts of URLs: from a server on loopback, over HTTP and TLS."""
import bz2
import gzip
import hashlib
import http.server
import io
import json
import lzma
import ssl
import subprocess
import tarfile
import threading

from support import Case
from support.tls import Authority


def zstandard(data: bytes) -> bytes:
    return subprocess.run(["zstd", "--quiet", "--stdout"], input=data, capture_output=True, check=True).stdout


class Server:
    """Serves `files` (path to bytes), with ETags; counts the answers by status."""

    def __init__(self, context: ssl.SSLContext | None = None):
        self.files: dict[str, bytes] = {}
        self.answers: list[tuple[str, int]] = []
        self.has_time = True
        self.disposition: str | None = None
        self.redirects: dict[str, str] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path in outer.redirects:
                    self.send_response(302)
                    self.send_header("Location", outer.redirects[self.path])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                data = outer.files.get(self.path.partition("?")[0])
                tag = '"' + hashlib.sha256(data or b"").hexdigest()[:12] + '"'
                status = 404 if data is None else 304 if self.headers.get("If-None-Match") == tag else 200
                outer.answers.append((self.path, status))
                self.send_response(status)
                self.send_header("ETag", tag)
                if outer.has_time:
                    self.send_header("Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT")
                if outer.disposition:
                    self.send_header("Content-Disposition", outer.disposition)
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


class DownloadCase(Case):
    def serve(self, files: dict[str, bytes], context=None) -> Server:
        server = Server(context)
        server.files = files
        self.addCleanup(server.close)
        return server


class Download(DownloadCase):
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

    def test_an_unchanged_file_is_not_sent_again(self):
        server = self.serve({"/file": b"one\n"})
        buildfile = f"FROM scratch\nADD {server.base}/file /file\n"
        first = self.build(buildfile).layout.manifest["layers"]
        again = self.build(buildfile, "--no-cache").layout
        self.assertEqual(again.text("/file"), "one\n")
        self.assertEqual(again.manifest["layers"], first)
        self.assertEqual([status for _, status in server.answers], [200, 304])

    def test_a_file_with_a_known_checksum_needs_no_server(self):
        server = self.serve({"/file": b"one\n"})
        digest = hashlib.sha256(b"one\n").hexdigest()
        buildfile = f"FROM scratch\nADD --checksum=sha256:{digest} {server.base}/file /file\n"
        self.build(buildfile)
        server.close()
        self.assertEqual(self.build(buildfile).executed(), [])
        self.assertEqual(self.build(buildfile, "--no-cache").layout.text("/file"), "one\n")
        self.assertEqual(len(server.answers), 1)

    def test_a_kept_file_that_is_damaged_is_dropped(self):
        server = self.serve({"/file": b"one\n"})
        buildfile = f"FROM scratch\nADD {server.base}/file /file\n"
        self.build(buildfile)
        [kept] = (self.state / "downloads").iterdir()
        kept.write_bytes(b"two\n")
        self.assertMentions(self.build(buildfile, "--no-cache", expect=1), "damaged")
        self.assertEqual(self.build(buildfile, "--no-cache").layout.text("/file"), "one\n")

    def test_kept_files_are_shown_and_pruned(self):
        server = self.serve({"/file": b"one\n"})
        self.build(f"FROM scratch\nADD {server.base}/file /file\n")
        self.assertIn("downloads", self.run_swbuild("du").stdout)
        self.run_swbuild("prune")
        self.assertEqual(len(list((self.state / "downloads").iterdir())), 1)
        self.run_swbuild("prune", "--all")
        self.assertEqual(list((self.state / "downloads").iterdir()), [])

    def test_a_file_without_a_time_has_the_epochs(self):
        server = self.serve({"/file": b"one\n"})
        server.has_time = False
        tree = self.build(f"FROM scratch\nADD {server.base}/file /file\n").layout.tree
        self.assertEqual(tree["/file"]["mtime"], 0)

    def test_the_server_names_what_the_url_does_not(self):
        server = self.serve({"/": b"one\n"})
        server.disposition = 'attachment; filename="named.txt"'
        tree = self.build(f"FROM scratch\nADD {server.base}/ /dir/\n").layout.tree
        self.assertEqual(tree["/dir/named.txt"]["text"], "one\n")
        server.disposition = 'attachment; filename="../../up"'
        self.build(f"FROM scratch\nADD {server.base}/?2 /dir/\n", expect=1)

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
        authority = Authority(self.directory)
        server = self.serve({"/file": b"over TLS\n"}, authority.context)
        buildfile = f"FROM scratch\nADD {server.base}/file /file\n"
        self.assertMentions(self.build(buildfile, expect=1), "certificate")
        built = self.build(buildfile, env=authority.trust)
        self.assertEqual(built.layout.text("/file"), "over TLS\n")

    def test_redirects_keep_tls(self):
        authority = Authority(self.directory)
        plain = self.serve({"/file": b"moved\n"})
        secure = self.serve({"/file": b"over TLS\n"}, authority.context)
        plain.redirects["/to-secure"] = f"{secure.base}/file"
        secure.redirects["/to-plain"] = f"{plain.base}/file"
        secure.redirects["/to-secure"] = f"{secure.base}/file"
        for url in (f"{plain.base}/to-secure", f"{secure.base}/to-secure"):
            built = self.build(f"FROM scratch\nADD {url} /f\n", env=authority.trust)
            self.assertEqual(built.layout.text("/f"), "over TLS\n")
        built = self.build(f"FROM scratch\nADD {secure.base}/to-plain /f\n", env=authority.trust, expect=1)
        self.assertMentions(built, f"{secure.base}/to-plain", "redirected", "https")


class Contexts(DownloadCase):
    FILES = {"Dockerfile": "FROM scratch\nCOPY . /\n", "a.txt": "a\n", "dir/b.txt": "b\n", ".dockerignore": "dir\n"}

    @staticmethod
    def tar(files: dict[str, str], links: dict[str, str] | None = None) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
            for name, target in (links or {}).items():
                info = tarfile.TarInfo(name)
                info.type, info.linkname = tarfile.SYMTYPE, target
                tar.addfile(info)
        return out.getvalue()

    def build_from(self, url: str, *flags, expect=0):
        self.count += 1
        output = self.directory / f"context-out{self.count}"
        build = self.run_swbuild("build", "--progress", "plain", "-o", output, *flags, url)
        self.assertEqual(build.status, expect, build.stderr)
        build.output = output
        return build

    def test_an_archive_is_a_context(self):
        plain = self.tar(self.FILES)
        server = self.serve({"/c.tar": plain, "/c.tar.gz": gzip.compress(plain), "/c.bz2": bz2.compress(plain),
                             "/c.xz": lzma.compress(plain), "/c.zst": zstandard(plain)})
        for path in server.files:
            with self.subTest(path=path):
                tree = self.build_from(server.base + path).layout.tree
                self.assertEqual(tree["/a.txt"]["text"], "a\n")
                self.assertNotIn("/dir", tree)

    def test_archives_of_urls_are_unpacked_on_demand(self):
        plain = self.tar({"a.txt": "a\n"})
        server = self.serve({"/a.tar.zst": zstandard(plain), "/a.tar.gz": gzip.compress(plain)})
        for path in server.files:
            with self.subTest(path=path):
                url = server.base + path
                unpacked = self.build(f"FROM scratch\nADD --unpack {url} /x/\n").layout.tree
                self.assertEqual(unpacked["/x/a.txt"]["text"], "a\n")
                self.assertIn(f"/x{path}", self.build(f"FROM scratch\nADD {url} /x/\n").layout.tree)

    def test_a_text_is_a_build_file(self):
        server = self.serve({"/Dockerfile": b"FROM scratch\nCOPY <<EOF /f\nx\nEOF\n", "/bad": b"FROM scratch\nCOPY a /\n",
                             "/page": b"\n<!DOCTYPE html>\n"})
        self.assertMentions(self.build_from(f"{server.base}/page", expect=1), "web page", ".git")
        self.assertEqual(self.build_from(f"{server.base}/Dockerfile").layout.text("/f"), "x\n")
        self.assertMentions(self.build_from(f"{server.base}/bad", expect=1), "needs a build context")
        self.assertMentions(self.build_from(f"{server.base}/absent", expect=1), "404", f"{server.base}/absent")

    def test_a_lock_holds_the_main_context_too(self):
        server = self.serve({"/c.tar": self.tar(self.FILES), "/Dockerfile": b"FROM scratch\n"})
        for path in list(server.files):
            with self.subTest(path=path):
                lock = self.directory / "lock"
                self.build_from(server.base + path, "--lock", lock)
                digest = "sha256:" + hashlib.sha256(server.files[path]).hexdigest()
                self.assertEqual(json.loads(lock.read_text())["urls"], [{"digest": digest, "name": server.base + path}])
                self.build_from(server.base + path, f"--locked={lock}")
                server.files[path] = server.files[path] + b"\n" * 10240
                self.assertMentions(self.build_from(server.base + path, f"--locked={lock}", expect=1), digest)

    def test_an_archive_is_a_named_context(self):
        server = self.serve({"/c.tar": self.tar(self.FILES), "/text": b"no archive"})
        flags = ("--build-context", f"src={server.base}/c.tar")
        self.assertEqual(self.build("FROM scratch\nCOPY --from=src a.txt /\n", *flags).layout.text("/a.txt"), "a\n")
        self.assertEqual(self.build("FROM src\n", *flags).layout.text("/a.txt"), "a\n")
        built = self.build("FROM scratch\nCOPY --from=src a /\n", "--build-context", f"src={server.base}/text", expect=1)
        self.assertMentions(built, "no tar archive")

    def test_links_of_an_archive_lead_nowhere_else(self):
        outside = self.directory / "outside"
        outside.write_text("FROM scratch\nCOPY . /stolen\n")
        links = {"Dockerfile": str(outside), "up": "../../../../../../../../../.." + str(outside)}
        server = self.serve({"/c.tar": self.tar({"a": "a"}, links)})
        self.build_from(f"{server.base}/c.tar", expect=1)
        self.build_from(f"{server.base}/c.tar", "-f", "up", expect=1)
        self.build_from(f"{server.base}/c.tar", "-f", str(outside), expect=1)
        self.assertEqual(self.run_swbuild("build", "-", input=server.files["/c.tar"]).status, 1)
