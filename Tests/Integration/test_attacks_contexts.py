"""Contexts whose files lead to programs of the host."""
import os
import socket
import threading

from support.attack import AttackCase, content, member
from support.rootless_case import RootlessCase

# What it can do to whoever is behind a socket, a pipe and a lock of the context.
KNOCK = """
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(int count, char **words) {
    chdir(words[1]);
    struct sockaddr_un address = {AF_UNIX, "socket"};
    int caller = socket(AF_UNIX, SOCK_STREAM, 0);
    int connected = connect(caller, (struct sockaddr *)&address, sizeof address);
    printf("connect %d\\n", connected);
    if (connected == 0) write(caller, "evil", 4);
    int pipe = open("pipe", O_WRONLY | O_NONBLOCK);
    printf("pipe %d\\n", pipe < 0 ? -1 : 0);
    if (pipe >= 0) write(pipe, "evil", 4);
    int file = open("file", O_RDONLY);
    printf("file %d\\n", file < 0 ? -1 : 0);
    flock(file, LOCK_EX | LOCK_NB);
    puts("ready");
    fflush(stdout);
    if (count > 2) sleep(atoi(words[2]));
    return 0;
}
"""


class LivePlaces:
    """A context with a socket at which somebody listens, a pipe from which somebody reads, and a file."""

    def __init__(self, case, place):
        self.heard = []
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(place / "socket"))
        self.server.listen(16)
        (place / "socket").chmod(0o777)
        os.mkfifo(place / "pipe")
        (place / "pipe").chmod(0o666)
        (place / "file").write_text("x\n")
        self.pipe = os.open(place / "pipe", os.O_RDWR | os.O_NONBLOCK)
        case.addCleanup(self.server.close)
        case.addCleanup(os.close, self.pipe)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            self.heard.append(connection.recv(100))
            connection.close()

    def read(self) -> bytes:
        try:
            return os.read(self.pipe, 100)
        except BlockingIOError:
            return b""


class Sockets(AttackCase, RootlessCase):
    """A bind shows the files of a context. Who is behind its sockets and pipes is no part of it."""

    MOUNTS = ("type=bind,target=/c", "type=bind,rw,target=/c", "type=bind,from=other,target=/c",
              "type=bind,source=sub,target=/c", "type=bind,from=other,source=sub,target=/c,rw")

    def places(self) -> list[LivePlaces]:
        self.program("knock", KNOCK)
        (self.context / "sub").mkdir()
        return [LivePlaces(self, self.context), LivePlaces(self, self.context / "sub")]

    def knock(self, build, places: list[LivePlaces]) -> None:
        tool = "--mount=type=bind,source=knock,target=/knock"
        for number, mount in enumerate(self.MOUNTS):
            with self.subTest(mount):
                built = build(f"FROM busybox\nRUN {tool} --mount={mount} /knock /c > /out; : {number}\n",
                              f"--build-context=other={self.context}")
                lines = content(built.layout, "out").splitlines()
                self.assertEqual(lines, ["connect -1", "pipe -1", "file 0", "ready"])
                for place in places:
                    self.assertEqual((place.heard, place.read()), ([], b""))
                self.assertNotIn("note: sockets", built.stderr)

    def test_they_lead_to_nobody(self):
        self.knock(self.build, self.places())

    def test_they_lead_to_nobody_for_an_ordinary_user(self):
        places = self.places()
        for path in [self.context, *self.context.rglob("*")]:
            os.chown(path, self.directory.stat().st_uid, self.directory.stat().st_gid)
        self.knock(self.user_build, places)


class Pipes(AttackCase):
    """A pipe in place of a file that swbuild reads would be waited for without end."""

    def test_the_files_that_a_build_begins_with(self):
        for name in ("Buildfile", ".dockerignore", "Buildfile.dockerignore"):
            with self.subTest(name):
                place = self.directory / f"context-{name}"
                place.mkdir()
                (place / "Buildfile").write_text("FROM scratch\nCOPY . /\n")
                (place / name).unlink(missing_ok=True)
                os.mkfifo(place / name)
                build = self.run_swbuild("build", place)
                self.assertClean(build)
                self.assertMentions(build, name, "put a regular file in its place")

    def test_a_build_file_that_the_caller_names_may_be_one(self):
        path = self.directory / "pipe"
        os.mkfifo(path)
        writer = threading.Thread(target=lambda: path.write_text("FROM scratch\nLABEL a=b\n"))
        writer.start()
        self.assertEqual(self.run_swbuild("build", "-f", path, self.context).status, 0)
        writer.join()

    def test_a_layout(self):
        for name in ("index.json", "oci-layout"):
            with self.subTest(name):
                flag = self.image(f"pipes-{name[0]}", member("x", "y"))
                path = self.directory / f"image-pipes-{name[0]}" / name
                path.unlink()
                os.mkfifo(path)
                self.assertClean(self.build(f"FROM pipes-{name[0]}\nLABEL a=b\n", flag, expect=None))
