"""The house's rooms: who may import whom, and how large a file may grow. docs/architecture.md gives the reasons."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Which rooms and packages each room may import, beside the standard library and Glibc.
ARROWS = {
    "BuildFileParser": set(),
    "OCI": {"Crypto", "FoundationEssentials"},
    "LayerDiff": {"OCI", "CShims", "CISAL", "CZstd", "Crypto", "SystemPackage"},
    "Exec": {"CShims", "CSeccomp", "SystemPackage"},
    "Store": {"OCI", "LayerDiff", "CSQLite", "SystemPackage"},
    "Registry": {"OCI", "CShims"},
    "Builder": {"BuildFileParser", "OCI", "LayerDiff", "Exec", "Store", "Registry", "OrderedCollections", "Logging",
                "SystemPackage", "FoundationEssentials"},
    "swbuild": {"Builder", "BuildFileParser", "Exec", "LayerDiff", "OCI", "Store", "ArgumentParser", "Logging",
                "SystemPackage"},
}
# What every room may import: parts of the toolchain. The parser does without Glibc too.
TOOLCHAIN = {"Glibc", "Synchronization", "Dispatch"}
SYSTEM_LIBRARIES = {"CISAL", "CSQLite", "CSeccomp", "CZstd"}


class Rooms(unittest.TestCase):
    def test_the_package_declares_these_arrows_and_no_others(self):
        with tempfile.TemporaryDirectory() as own:  # swift leaves an empty directory where it makes temporary ones
            described = subprocess.run(["swift", "package", "describe", "--type", "json"], cwd=ROOT, text=True,
                                       capture_output=True, check=True, stdin=subprocess.DEVNULL,
                                       env={**os.environ, "TMPDIR": own}).stdout
        targets = {target["name"]: target for target in json.loads(described)["targets"]}
        rooms = {name for name, target in targets.items() if target["type"] in ("library", "executable")}
        self.assertEqual(rooms - SYSTEM_LIBRARIES - {"CShims"}, set(ARROWS))
        for name, allowed in ARROWS.items():
            depends = {*targets[name].get("target_dependencies", []), *targets[name].get("product_dependencies", [])}
            self.assertLessEqual(depends, allowed, name)

    def test_the_sources_import_no_more(self):
        pattern = re.compile(r"^\s*(?:@\w+\s+)*(?:(?:public|package|internal|private|fileprivate)\s+)?import\s+"
                             r"(?:(?:struct|class|enum|func|var|let|typealias|protocol)\s+)?(\w+)", re.MULTILINE)
        for name, allowed in ARROWS.items():
            toolchain = set() if name == "BuildFileParser" else TOOLCHAIN
            for path in sorted((ROOT / "Sources" / name).rglob("*.swift")):
                with self.subTest(path=str(path.relative_to(ROOT))):
                    imported = set(pattern.findall(path.read_text()))
                    self.assertLessEqual(imported, allowed | toolchain)

    def test_files_stay_readable(self):
        for folder, suffixes, most in (("Sources", (".swift", ".c", ".h"), 400), ("Tests", (".swift", ".py"), 600)):
            for path in sorted((ROOT / folder).rglob("*")):
                if path.suffix in suffixes:
                    with self.subTest(path=str(path.relative_to(ROOT))):
                        self.assertLessEqual(len(path.read_text().splitlines()), most)


class Attacks(unittest.TestCase):
    def test_the_tests_that_the_table_of_attacks_names_are_there(self):
        here = pathlib.Path(__file__).resolve().parent
        text = (ROOT / "docs" / "security.md").read_text()
        table = text.split("## Known attacks and their tests")[1].split("\n## ")[0]
        names = re.findall(r"`(test_[\w.]+)`", table)
        self.assertGreater(len(names), 25)
        for name in names:
            module, _, rest = name.partition(".")
            source = (here / f"{module}.py").read_text()
            for word, form in zip(rest.split("."), ("class {}(", "    def {}(self")):
                if word:
                    self.assertIn(form.format(word), source, name)
