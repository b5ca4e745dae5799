"""What attacks have in common: a host that must stay as it is, programs that make system calls, hostile images."""
import functools
import gzip
import hashlib
import os
import pathlib
import stat
import subprocess
import tarfile
import tempfile

from .case import Case
from .images import Layout, base_layout, tar_of, write_layout
from .processes import mounts_below, processes_with

MUSL = pathlib.Path("/usr/lib/x86_64-linux-musl")


def compile_c(source: str) -> bytes:
    """A static program of C source, by tcc and musl: it needs nothing of the image that it runs in."""
    with tempfile.TemporaryDirectory(prefix="swbuild-attack-") as place:
        path = pathlib.Path(place)
        (path / "program.c").write_text(source)
        result = subprocess.run(
            ["tcc", "-static", "-nostdinc", "-nostdlib", "-I/usr/include/x86_64-linux-musl", "-o", path / "program",
             MUSL / "crt1.o", MUSL / "crti.o", path / "program.c", MUSL / "libc.a", MUSL / "crtn.o"],
            capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise AssertionError(f"tcc: {result.stderr}")
        return (path / "program").read_bytes()


def member(name: str, content: bytes | str = b"", mode: int = 0o644, **attributes) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tar; `type`, `linkname`, `devmajor`… as tarfile has them."""
    info = tarfile.TarInfo(name)
    info.mode = mode
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content.encode() if isinstance(content, str) else content


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def directory(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.DIRTYPE, mode=mode)


def content(layout: Layout, name: str) -> str:
    """A file of an image, however long it is; the path has no slash at its beginning."""
    for layer in reversed(layout.manifest["layers"]):
        with tarfile.open(layout.blob(layer["digest"])) as tar:
            if name in tar.getnames():
                file = tar.extractfile(name)
                return file.read().decode("utf-8", "backslashreplace") if file else ""
    raise AssertionError(f"no {name} in the image")


class AttackCase(Case):
    """A test that ends with a look at the host: nothing outside of the build may have changed."""

    def setUp(self):
        super().setUp()
        self.host = self.directory / "host"
        for name, text in {"secret": "top secret\n", "dir/file": "kept\n", "dir/sub/deep": "kept too\n"}.items():
            path = self.host / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.host / "secret").chmod(0o600)
        self.before = self.look()
        self.addCleanup(self.check_host)

    def look(self) -> dict:
        """Everything of the host's files that an attack could change."""
        found = {}
        for path in [self.host, *self.host.rglob("*")]:
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else None
            found[str(path)] = (status.st_ino, status.st_mode, status.st_uid, status.st_gid, status.st_nlink,
                                status.st_size, status.st_mtime_ns, content)
        return found

    def check_host(self):
        """The host's files are as they were; no process of a step and no mount is left."""
        self.assertEqual(self.look(), self.before)
        self.assertEqual(mounts_below(self.directory), [])
        self.assertEqual(processes_with(str(self.state)), [])

    def attack(self, buildfile: str, *flags, expect: int | None = None, **options):
        """A build that may fail or not, but not crash, and that must show nobody the secret."""
        arguments, output, metadata = self.arguments(buildfile, *flags, context=options.pop("context", None))
        build = self.run_swbuild(*arguments, **options)
        build.output, build.metadata_file = output, metadata
        self.assertNotIn("top secret", build.stdout + build.stderr)
        self.assertNotIn("Fatal error", build.stderr)
        if expect is not None:
            self.assertEqual(build.status, expect, build.stderr[-3000:])
        elif build.status != 0:
            self.assertClean(build)
        if build.status == 0 and output.is_dir() and (output / "index.json").exists():
            for path, entry in build.layout.tree.items():
                self.assertNotIn("top secret", str(entry.get("text")), path)
        return build

    def lines(self, buildfile: str, *flags, **options) -> list[str]:
        """What the last step, which writes /out, wrote."""
        return content(self.attack(buildfile, *flags, expect=0, **options).layout, "out").splitlines()

    def program(self, name: str, source: str) -> None:
        """Puts a program into the context."""
        path = self.context / name
        path.write_bytes(compile_c(source))
        path.chmod(0o755)

    def image(self, name: str, *members, busybox: bool = True) -> str:
        """A base image with layers of these members (a list for each further layer); the flag that names it."""
        layers = [list(layer) for layer in members if isinstance(layer, list)] or [list(members)]
        tars = [tar_of(layer) for layer in layers]
        if busybox:
            tars.insert(0, busybox_tar())
        layout = write_layout(self.directory / f"image-{name}", tars)
        return f"--build-context={name}=oci-layout://{layout}:latest"


@functools.cache
def busybox_tar() -> bytes:
    """The layer of the tests' own base image: a root file system with a shell."""
    layout = Layout(base_layout())
    return gzip.decompress(layout.blob(layout.manifest["layers"][0]["digest"]).read_bytes())


def inode(path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino
