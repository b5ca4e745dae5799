"""Inputs from a fixed seed: files like those of real projects, and base images."""
from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import subprocess
import tarfile

SEED = 20_250_101
KIND = "application/vnd.oci.image."
WORDS = ("the of and to in is that for it as was with be by on not he his but at are this have from or had an which "
         "return static const void int struct if else while import public func let var self nil error size data").split()


class Pool:
    """Bytes to take the content of files from: some that compress like text, some like programs, some not at all."""

    def __init__(self, rng: random.Random, size: int = 8 << 20):
        words = [rng.choice(WORDS) + rng.choice([" ", " ", " ", "\n", ", ", "(", ");\n    "]) for _ in range(size // 5)]
        self.text = "".join(words).encode()[:size]
        blocks = [rng.randbytes(64) for _ in range(256)]
        self.program = b"".join(rng.choice(blocks) if rng.random() < 0.6 else rng.randbytes(40)
                                for _ in range(size // 50))[:size]
        self.noise = rng.randbytes(size)

    def take(self, rng: random.Random, size: int) -> bytes:
        pool = rng.choices((self.text, self.program, self.noise), (5, 4, 1))[0]
        pieces = []
        while size > 0:
            start = rng.randrange(len(pool))
            pieces.append(pool[start:start + size])
            size -= len(pieces[-1])
        return b"".join(pieces)


def sizes(rng: random.Random, count: int, total: int) -> list[int]:
    """`count` file sizes that add up to about `total`: many small ones, few large ones."""
    drawn = [rng.lognormvariate(0, 1.6) for _ in range(count)]
    factor = total / sum(drawn)
    return [int(size * factor) for size in drawn]


def write_files(directory: pathlib.Path, count: int, total: int, seed: int = SEED) -> list[pathlib.Path]:
    """Writes a tree of `count` files, `total` bytes together, below `directory`; returns the files."""
    rng = random.Random(seed)
    pool = Pool(rng)
    paths = []
    for number, size in enumerate(sizes(rng, count, total)):
        folder = directory / f"d{number % 61}" / f"s{number % 7}"
        if number < 61 * 7:
            folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"file{number}.{rng.choice(('c', 'h', 'txt', 'o', 'js', 'so'))}"
        path.write_bytes(pool.take(rng, size))
        if number % 11 == 0:
            path.chmod(0o755)
        paths.append(path)
    return paths


def busybox_layer() -> bytes:
    """A root file system around Debian's busybox-static."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        def add(name: str, kind=tarfile.DIRTYPE, data: bytes = b"", link: str = "", mode: int = 0o755):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.size, info.linkname = kind, mode, len(data), link
            tar.addfile(info, io.BytesIO(data))
        for name in ("bin", "etc", "proc", "sys", "dev", "root", "usr", "var"):
            add(name)
        add("tmp", mode=0o1777)
        add("bin/busybox", tarfile.REGTYPE, pathlib.Path("/bin/busybox").read_bytes())
        for applet in sorted(subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True).stdout.split()):
            if applet != "busybox":
                add(f"bin/{applet}", tarfile.SYMTYPE, link="busybox")
        add("etc/passwd", tarfile.REGTYPE, b"root:x:0:0:root:/root:/bin/sh\n", mode=0o644)
        add("etc/group", tarfile.REGTYPE, b"root:x:0:\n", mode=0o644)
    return out.getvalue()


def tree_layer(directory: pathlib.Path, prefix: str) -> bytes:
    """The files below `directory` as a layer that has them below `prefix`."""
    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = info.mtime = 0
        info.uname = info.gname = ""
        return info
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(directory, prefix, filter=plain)
    return out.getvalue()


def write_image(directory: pathlib.Path, layers: list[bytes]) -> pathlib.Path:
    """Writes an OCI layout with an image of `layers`, tagged `latest`."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": KIND + kind, "digest": f"sha256:{digest}", "size": len(data)}
    config = {"architecture": "arm64" if os.uname().machine == "aarch64" else "amd64", "os": "linux",
              "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()
                                                        for layer in layers]},
              "history": [{"created": "1970-01-01T00:00:00Z", "created_by": f"layer {n}"} for n in range(len(layers))]}
    manifest = {"schemaVersion": 2, "mediaType": KIND + "manifest.v1+json",
                "config": put(json.dumps(config).encode(), "config.v1+json"),
                "layers": [put(gzip.compress(layer, 6, mtime=0), "layer.v1.tar+gzip") for layer in layers]}
    entry = put(json.dumps(manifest).encode(), "manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return directory
