"""A machine of its own for a test, and one beside it: two network namespaces with a cable between them, and servers in
both. Nothing here depends on what this machine is connected to."""
import os
import pathlib
import subprocess
import sys
import time

# The server outside. RFC 5737 and RFC 3849: for documentation, nobody's.
ADDRESS = "198.51.100.1"
ADDRESS6 = "2001:db8::1"
# The machine itself.
OWN = "198.51.100.2"
OWN6 = "2001:db8::2"

# Answers every connection with a line, and every question over UDP with one A record.
SERVER = """
import socket, struct, sys, threading
def tcp(family, address, port, line):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(64)
    while True:
        connection, _ = listener.accept()
        connection.sendall(line.encode() + b"\\n")
        connection.close()
def dns(address, answer):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        question, client = server.recvfrom(512)
        end = question.index(b"\\0", 12) + 5
        kind, = struct.unpack("!H", question[end - 4:end - 2])
        count = 1 if kind == 1 else 0
        reply = question[:2] + struct.pack("!HHHHH", 0x8180, 1, count, 0, 0) + question[12:end]
        if count:
            reply += struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) + socket.inet_aton(answer)
        server.sendto(reply, client)
for word in sys.argv[1:]:
    kind, address, port, text = word.split("@")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    work = (dns, address, text) if kind == "dns" else (tcp, family, address, int(port), text)
    threading.Thread(target=work[0], args=work[1:], daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""


class Namespace:
    """A network namespace that lives as long as its process."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.pid = self.process.pid
        end = time.monotonic() + 30
        while self.name == os.readlink("/proc/self/ns/net"):
            if time.monotonic() > end:
                raise RuntimeError("no network namespace after 30 s")
            time.sleep(0.005)
        self.entering = ["nsenter", f"--net=/proc/{self.pid}/ns/net"]
        self.servers: list[subprocess.Popen] = []

    @property
    def name(self) -> str:
        return os.readlink(f"/proc/{self.pid}/ns/net")

    def ip(self, *commands: str) -> None:
        for command in commands:
            subprocess.run([*self.entering, "ip", *command.split()], check=True)

    def serve(self, *what: str) -> None:
        """Starts servers: `tcp@ADDRESS@PORT@LINE`, `dns@ADDRESS@53@ANSWER`."""
        server = subprocess.Popen([*self.entering, sys.executable, "-c", SERVER, *what],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.servers.append(server)
        server.stdout.readline()

    def close(self) -> None:
        for server in self.servers:
            server.stdin.close()
            server.wait()
            server.stdout.close()
        self.process.kill()
        self.process.wait()


class Machine:
    """Where a test's builds run; `close` ends it and all that was started in it."""

    def __init__(self, directory: pathlib.Path):
        self.directory = directory
        self.inside, self.outside = Namespace(), Namespace()
        self.outside.ip("link set lo up", f"link add name cable type veth peer name cable netns {self.inside.pid}",
                        f"address add {ADDRESS}/24 dev cable", f"address add {ADDRESS6}/64 dev cable nodad",
                        "link set cable up")
        self.inside.ip("link set lo up", f"address add {OWN}/24 dev cable", f"address add {OWN6}/64 dev cable nodad",
                       "link set cable up", f"route add default via {ADDRESS}", f"-6 route add default via {ADDRESS6}")
        self.outside.serve(f"tcp@{ADDRESS}@8000@from outside", f"tcp@{ADDRESS6}@8000@from six")
        self.inside.serve("tcp@127.0.0.1@8001@from inside", "tcp@::1@8001@from inside", f"dns@127.0.0.1@53@{ADDRESS}")
        self.resolver = directory / "resolv.conf"
        self.resolver.write_text("nameserver 127.0.0.1\noptions timeout:5\n")

    def command(self, program: str) -> str:
        """The path of a script that runs `program` on the machine, with the machine's name server."""
        path = self.directory / "on-the-machine"
        path.write_text("#!/bin/sh\n"
                        f"exec {' '.join(self.inside.entering)} unshare --mount sh -c '\n"
                        f'mount --bind "{self.resolver}" /etc/resolv.conf && exec "$0" "$@"\' "{program}" "$@"\n')
        path.chmod(0o755)
        return str(path)

    def processes(self, name: str) -> list[int]:
        """The processes of that name on the machine."""
        found = []
        for directory in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                same = os.readlink(directory / "ns/net") == self.inside.name
                if same and name in (directory / "comm").read_text():
                    found.append(int(directory.name))
            except OSError:
                continue  # ended in the meantime
        return found

    def close(self) -> None:
        self.inside.close()
        self.outside.close()
