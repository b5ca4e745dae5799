"""Registries that do what they should not: everything between swbuild and a registry that works."""
import http.client
import http.server
import threading


class Proxy:
    """Hands requests on to a registry, and the answers back; subclasses change them."""

    def __init__(self, case, registry):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self)

            do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

            def log_message(self, *arguments):
                pass
        self.registry = registry
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # Whoever is sent nonsense hangs up: no failure of the proxy's.
        self.http.handle_error = lambda *arguments: None
        self.http.daemon_threads = True
        self.port = self.http.server_port
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        case.addCleanup(self.http.server_close)
        case.addCleanup(self.http.shutdown)

    def ask(self, handler) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the registry answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.registry.port)
        headers = {name: value for name, value in handler.headers.items() if name.lower() != "host"}
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        connection.request(handler.command, handler.path, body=body or None, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.getheaders(), body

    def answer(self, handler) -> None:
        self.send(handler, *self.ask(handler))

    def send(self, handler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        try:
            handler.send_response(status)
            for name, value in headers:
                handler.send_header(name, value)
            handler.end_headers()
            self.send_body(handler, body)
            # Whoever waits for what was promised is to see that the connection has ended.
            promised = {name.lower(): value for name, value in headers}.get("content-length")
            if handler.command != "HEAD" and promised != str(len(body)):
                handler.close_connection = True
        except OSError:
            handler.close_connection = True

    def send_body(self, handler, body: bytes) -> None:
        handler.wfile.write(body)


class SlowProxy(Proxy):
    """Stops in the middle of a large body until it is told to go on; notes where each part began."""

    def __init__(self, case, registry, stop_after: int):
        self.stop_after = stop_after
        self.ranges: list[int] = []
        self.is_stopped = False
        self.may_go = threading.Event()
        case.addCleanup(self.may_go.set)
        super().__init__(case, registry)

    def go_on(self) -> None:
        self.may_go.set()

    def answer(self, handler) -> None:
        if "/blobs/" in handler.path:
            self.ranges.append(int(handler.headers.get("Range", "bytes=0-").split("=")[1].split("-")[0]))
        super().answer(handler)

    def send_body(self, handler, body: bytes) -> None:
        if len(body) > self.stop_after and not self.may_go.is_set():
            handler.wfile.write(body[:self.stop_after])
            handler.wfile.flush()
            self.is_stopped = True
            self.may_go.wait(60)
            body = body[self.stop_after:]
        handler.wfile.write(body)


class Changed(Proxy):
    """Changes answers on their way: `change` takes the kind of a request, its path, status, headers and body."""

    def __init__(self, case, registry, change):
        self.change = change
        self.asked: list[tuple[str, str | None]] = []
        super().__init__(case, registry)

    def answer(self, handler) -> None:
        self.asked.append((handler.path, handler.headers.get("Authorization")))
        status, headers, body = self.ask(handler)
        kind = next((kind for kind in ("blobs", "manifests") if f"/{kind}/" in handler.path), "")
        changed = self.change(kind, status, dict(headers), body)
        self.send(handler, changed[0], list(changed[1].items()), changed[2])


def flipped(body: bytes) -> bytes:
    """The same with one bit of the middle changed."""
    changed = bytearray(body)
    changed[len(body) // 2] ^= 1
    return bytes(changed)


class UploadProxy(Proxy):
    """Refuses uploads of more than `largest` bytes in one, and breaks off at the `breaks`-th request that has some."""

    def __init__(self, case, registry, largest: int, breaks: int = 0):
        self.largest, self.breaks = largest, breaks
        self.asked: list[tuple[str, str, int]] = []
        super().__init__(case, registry)

    def answer(self, handler) -> None:
        length = int(handler.headers.get("Content-Length", 0))
        if "/uploads/" in handler.path and length:
            self.breaks -= 1
            if self.breaks == 0:
                self.asked.append((handler.command, "broken", length))
                handler.rfile.read(length // 2)
                handler.close_connection = True
                return
        if handler.command == "PUT" and length > self.largest:
            handler.rfile.read(length)
            status, headers, body = 413, [("Content-Length", "0")], b""
        else:
            status, headers, body = self.ask(handler)
            # The registry names itself: what comes next is to come this way again.
            headers = [(name, value.replace(f":{self.registry.port}/", f":{self.port}/"))
                       if name == "Location" else (name, value) for name, value in headers]
        if "/blobs/" in handler.path:
            self.asked.append((handler.command, str(status), length))
        self.send(handler, status, headers, body)


class FileServer:
    """Serves `files`, path to bytes."""

    def __init__(self, case, files: dict[str, bytes]):
        self.files = files
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = outer.files.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *arguments):
                pass
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        case.addCleanup(self.http.server_close)
        case.addCleanup(self.http.shutdown)
