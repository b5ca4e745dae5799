"""Writes what each fuzzer begins with: python3 fuzz/seeds.py DIRECTORY.

Build files are those of the tests; archives and documents are made here, small and of every form that the readers know.
"""
import bz2
import gzip
import io
import json
import lzma
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
TESTS = ROOT / "Tests"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def build_files():
    for path in sorted((TESTS / "BuildFileParserTests" / "Fixtures").glob("*/*/Buildfile")):
        yield path.read_bytes()
    for path in sorted((TESTS / "Conformance" / "cases").glob("*.toml")):
        case = tomllib.loads(path.read_text())
        if isinstance(case.get("buildfile"), str):
            yield case["buildfile"].encode()


def expansions():
    values = b"\na=value\nb=\nc=$a$a\nd=${c}x${c}\n"
    for word in ("$a", "${a}", "${a:-b}", "${a-b}", "${b:+x}", "${b+x}", "${x:-${y:-z}}", "${a#v}", "${a##*l}", "${a%e}",
                 "${a%%l*}", "${a/l/L}", "${a//?/xy}", "'$a'", '"$a \\" `"', "\\$a", "`$a", "a$", "${a:?no}", "é$a?*"):
        yield word.encode() + values
    for pattern, value in (("a*b", "aXbYb"), ("?", "é"), ("*", ""), ("*/", "a/b/c"), ("a?c*", "abcabc")):
        yield f"{pattern}\n{value}".encode()


def ignore_files():
    for path, rules in (("a/b.log", "*.log\n!a/b.log\n"), ("src/x/y", "*\n!src\nsrc/**/y\n"), ("d/e", "d\n!d/e\nd*"),
                        ("node_modules/a", "**/node_modules\n!a**b\n"), ("a", "# c\n\n  /a/ \n[a-c]\n[^b]\n\\a\n"),
                        ("x/y/z", "**\n!x/*/z\n!**/z/**\n"), ("a.b", "?.?\n../a\n./a\n"), ("é", "?\n")):
        yield f"{path}\n{rules}".encode()


def patterns():
    for pattern, path in (("*.c", "a.c"), ("a/*/b?", "a/x/bc"), ("[a-c][^d]", "be"), ("\\*", "*"), ("**/x", "a/b/x"),
                          ("a**b", "axb"), ("é?", "éa")):
        yield f"{pattern}\n{path}".encode()


def documents():
    blob = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 3}
    platform = {"architecture": "arm", "os": "linux", "variant": "v7", "os.version": "1"}
    yield {"schemaVersion": 2, "config": blob, "layers": [blob, blob], "annotations": {"a": "b"}, "x": [None]}
    yield {"schemaVersion": 2, "manifests": [blob | {"platform": platform, "annotations": {"k": "v"}}], "subject": {}}
    yield platform | {
        "created": "2024-01-01T00:00:00Z", "author": "a", "rootfs": {"type": "layers", "diff_ids": [DIGEST]},
        "history": [{"created_by": "RUN x", "comment": "c"}, {"empty_layer": True, "y": 1}],
        "config": {"Env": ["PATH=/bin", "A="], "Cmd": ["sh"], "Entrypoint": None, "User": "1:2", "OnBuild": ["RUN x"],
                   "ExposedPorts": {"80/tcp": {}}, "Labels": {"l": "é"}, "Healthcheck": {"Interval": 1}}}
    yield [0, -1, 1.5, 1e300, 9223372036854775807, True, False, None, "\u0000\ud83d\ude00", {"": [[]]}]


def references():
    for text in ("busybox", "docker.io/library/a:b", "localhost:5000/a/b_c-d.e:v1", "[::1]:80/x@" + DIGEST, DIGEST,
                 "a/b@" + DIGEST, "linux/arm/v7", "x86_64", "linux/arm64", "A/b", "a__b"):
        yield text.encode()


def tar(format, members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=format) as archive:
        for name, kind, content, link, pax in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname, info.pax_headers = kind, len(content), link, pax
            info.mtime, info.uid, info.mode = 1700000000, 1000, 0o640
            archive.addfile(info, io.BytesIO(content))
    # Without the zeros that fill the archive up, and with a block of those that end it.
    return file.getvalue().rstrip(b"\0").ljust(512, b"\0")


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def header(name, kind, size=0, fields=()):
    """A header of GNU tar; `fields` are offsets and bytes."""
    block = bytearray(512)
    block[0:len(name)] = name
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124:136], block[136:148] = b"%011o\0" % size, b"00000000000\0"
    block[148:156], block[156:157], block[257:265] = b" " * 8, kind, b"ustar  \0"
    for offset, value in fields:
        block[offset:offset + len(value)] = value
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def record(key, value):
    size = len(key) + len(value) + 3
    size += len(str(size + len(str(size))))
    return b"%d %s=%s\n" % (size, key, value)


def extended(kind, *records):
    content = b"".join(record(*pair) for pair in records)
    return header(b"pax", kind, len(content)) + padded(content)


def tars():
    regular, link, symlink, directory, fifo = (tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE,
                                               tarfile.FIFOTYPE)
    attributes = {"SCHILY.xattr.user.a": "b", "LIBARCHIVE.xattr.user.c": "ZA", "mtime": "1.5", "uid": "70000"}
    members = [("d", directory, b"", "", {}), ("d/f", regular, b"content", "", {}), ("d/h", link, b"", "d/f", {}),
               ("d/l", symlink, b"", "../x", {}), ("p", fifo, b"", "", {}), ("d/.wh.x", regular, b"", "", {}),
               ("d/.wh..wh..opq", regular, b"", "", {})]
    for format in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        yield padded(tar(format, members))
    yield padded(tar(tarfile.PAX_FORMAT, [("n" * 120, regular, b"x", "", attributes), ("s", symlink, b"", "t" * 120, {})]))
    yield padded(tar(tarfile.GNU_FORMAT, [("n" * 120, regular, b"x", "", {}), ("s", symlink, b"", "t" * 120, {})]))
    number = b"%011o\0"
    sparse = [(386, number % 0), (398, number % 3), (410, number % 1000), (422, number % 2), (483, number % 2000)]
    yield header(b"old", b"S", 5, sparse) + padded(b"12345")
    more = sparse + [(482, b"\1")]
    yield header(b"more", b"S", 6, more) + padded(number % 1500 + number % 1) + padded(b"123456")
    yield extended(b"x", (b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.name", b"one"),
                   (b"GNU.sparse.realsize", b"2000")) + header(b"f", b"0", 514) + padded(b"1\n900\n2\n") + padded(b"ab")
    yield extended(b"x", (b"GNU.sparse.size", b"2000"), (b"GNU.sparse.map", b"0,1,900,2")) + header(b"f", b"0", 3) \
        + padded(b"abc")
    yield extended(b"x", (b"GNU.sparse.size", b"9"), (b"GNU.sparse.offset", b"1"), (b"GNU.sparse.numbytes", b"2")) \
        + header(b"f", b"0", 2) + padded(b"ab")
    yield extended(b"g", (b"mtime", b"5"), (b"SCHILY.xattr.user.g", b"g")) + header(b"f", b"0", 1) + padded(b"x") * 2
    yield header(b"volume", b"V") + header(b"dump/", b"D", 4) + padded(b"Yf\0\0") + header(b"c", b"3", 0, [
        (329, b"0000001\0"), (337, b"0000003\0")])
    yield header(b"big", b"0", 0, [(124, b"\x80" + b"\0" * 10 + b"\5")]) + padded(b"12345")
    yield header(b"volume", b"V", 0, [(124, b"\x80\0\0\0\x7f" + b"\xff" * 7)])


def layers():
    """A first byte that is even has the checksums of headers mended, an odd one leaves the bytes alone."""
    for data in tars():
        yield b"\0" + data
        yield b"\1" + gzip.compress(data, mtime=0)
        yield b"\1" + subprocess.run(["zstd", "-c", "-q"], input=data, capture_output=True, check=True).stdout
    yield b"\1"


def archives():
    yield from layers()
    for data in list(tars())[:2]:
        yield b"\1" + bz2.compress(data)
        yield b"\1" + lzma.compress(data)


def indexes():
    yield b"SWLI\1\0"
    entry = b"\xa4\3\0\0\2\0"
    yield b"SWLI\1\3" + b"\0\1a\1" + entry + b"\1\2/f\0\7" + entry + b"\1\2/h\4\3a/f" + entry
    yield b"SWLI\1\4" + b"\0\1b\3\2to" + entry + b"\0\1c\5\1\3" + entry + b"\0\1d\2" + entry[:-1] + b"\1\6user.a\1v" \
        + b"\0\1e\x08" + entry


SEEDS = {"parser": build_files, "expansion": expansions, "pattern": patterns, "ignore": ignore_files,
         "json": lambda: (json.dumps(document).encode() for document in documents()), "reference": references,
         "tar": layers, "archive": archives, "index": indexes}


def main():
    target = pathlib.Path(sys.argv[1])
    shutil.rmtree(target, ignore_errors=True)
    for name, make in SEEDS.items():
        (target / name).mkdir(parents=True)
        for number, seed in enumerate(make()):
            (target / name / f"{number:03}").write_bytes(seed)


if __name__ == "__main__":
    main()
