"""What errors say, word for word: each file of golden/ is a build and the text that it must write.

A file has sections: `=== Buildfile`, `=== context/PATH [mode=755] [crlf]` for files, `=== arguments` for more of the
command line (a line each; `-` alone hands the build file over on standard input), `=== expected`.

    UPDATE_GOLDEN=1 SWBUILD=PATH run.py 'test_messages*'      writes what is expected anew, and fails
"""
import os
import pathlib
import re

from support import Case, base_layout

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"


def sections(text: str) -> dict[str, str]:
    """The sections by their titles."""
    found, title = {}, None
    for line in text.splitlines(keepends=True):
        if line.startswith("=== "):
            title = line[4:].strip()
            found[title] = ""
        else:
            found[title] += line
    return found


class Messages(Case):
    def check(self, path: pathlib.Path):
        parts = sections(path.read_text())
        place = self.directory / "case"
        (place / "context").mkdir(parents=True)
        for title, content in parts.items():
            name, *options = title.split()
            if not name.startswith("context/"):
                continue
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if "link" in options:
                os.symlink(content.strip(), file)
                continue
            file.write_bytes(content.replace("\n", "\r\n" if "crlf" in options else "\n").encode())
            for option in options:
                if option.startswith("mode="):
                    file.chmod(int(option[5:], 8))
        (place / "Buildfile").write_text(parts["Buildfile"])
        arguments = parts.get("arguments", "").splitlines()
        inputs = ["-"] if "-" in arguments else ["-f", "Buildfile", "context"]
        done = self.run_swbuild(
            "build", "--progress", "plain", "--jobs", "1", "--pull=never",
            "--build-context", f"busybox=oci-layout://{base_layout()}:latest",
            *[argument for argument in arguments if argument != "-"], *inputs, cwd=place,
            input=parts["Buildfile"].encode(), env={"NO_COLOR": "1"})
        actual = f"exit status {done.status}\n{self.normalised(done.stderr)}"
        if os.environ.get("UPDATE_GOLDEN") == "1":
            before = path.read_text().split("=== expected\n")[0]
            path.write_text(f"{before}=== expected\n{actual}")
            self.fail(f"wrote {path.name}")
        self.maxDiff = None
        self.assertEqual(actual, parts["expected"])

    def normalised(self, text: str) -> str:
        """The text without progress, places and figures of this run."""
        text = "".join(line for line in text.splitlines(keepends=True) if not re.match(r"#\d+ ", line))
        text = re.sub(r"(?m)^times:\n(?:  .*\n)+", "", text)
        text = text.replace(str(self.directory), "DIRECTORY")
        text = re.sub(r"/logs/[^/\s]+/", "/logs/BUILD/", text)
        text = re.sub(r"held \d+ MiB", "held N MiB", text)
        return re.sub(r"sha256:[0-9a-f]{64}", "sha256:DIGEST", text)


def case(path: pathlib.Path):
    return lambda self: self.check(path)


for golden in sorted(GOLDEN.glob("*.txt")):
    setattr(Messages, f"test_{golden.stem.replace('-', '_')}", case(golden))
