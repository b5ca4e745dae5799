"""Image layouts: the base images of the tests, and reading what was built."""
import atexit
import functools
import gzip
import hashlib
import io
import json
import pathlib
import shutil
import tarfile
import tempfile

import conform

KIND = "application/vnd.oci.image."


@functools.cache
def _base_directory() -> pathlib.Path:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="swbuild-base-"))
    atexit.register(shutil.rmtree, directory, True)
    directory.chmod(0o755)  # builds of other users read it
    return directory


@functools.cache
def base_layout(name: str = "busybox") -> pathlib.Path:
    """The layout of a base image (tag `latest`); the names are those of the conformance cases."""
    directory = _base_directory() / name
    conform.write_base(directory, conform.BASES[name])
    return directory


class Layout:
    """An OCI image layout, every digest in it verified."""

    def __init__(self, directory: pathlib.Path):
        self.directory = directory
        self.image = conform.read_layout(directory)
        self.index = json.loads((directory / "index.json").read_text())

    @property
    def config(self) -> dict:
        return self.image["config"]

    @property
    def tree(self) -> dict:
        """The flattened root file system: path to type, mode, owner, text…"""
        return self.image["tree"]

    @property
    def layers(self) -> int:
        return self.image["layers"]

    @property
    def digest(self) -> str:
        """The digest that stands in the index: the image's."""
        return self.index["manifests"][0]["digest"]

    @property
    def manifest(self) -> dict:
        return json.loads(self.blob(self.digest).read_text())

    @property
    def tag(self) -> str:
        """The name by which tools find the image in the layout."""
        return self.index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"]

    def blob(self, digest: str) -> pathlib.Path:
        return self.directory / "blobs" / digest.replace(":", "/")

    def text(self, path: str) -> str:
        return self.tree[path]["text"]


def tar_of(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def write_layout(directory: pathlib.Path, layers: list[bytes], diff_ids: list[str] | None = None) -> pathlib.Path:
    """Writes an image of the uncompressed `layers`, tagged `latest`. `diff_ids` may lie."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": KIND + kind, "digest": f"sha256:{digest}", "size": len(data)}
    diff_ids = diff_ids or ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    config = {"architecture": "amd64", "os": "linux", "config": {"Env": [conform.BASE_PATH]},
              "rootfs": {"type": "layers", "diff_ids": diff_ids}}
    manifest = {"schemaVersion": 2, "mediaType": KIND + "manifest.v1+json",
                "config": put(json.dumps(config).encode(), "config.v1+json"),
                "layers": [put(gzip.compress(layer, 1, mtime=0), "layer.v1.tar+gzip") for layer in layers]}
    entry = put(json.dumps(manifest).encode(), "manifest.v1+json")
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return directory
