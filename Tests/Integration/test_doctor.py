"""`swbuild doctor`: what it says of this machine."""
import json
import os
import shutil
import subprocess
import tempfile

from support import Case
from support.case import SWBUILD


class Doctor(Case):
    def report(self, *flags, expect=0, **options) -> dict:
        done = self.run_swbuild("doctor", "--format", "json", *flags, **options)
        self.assertEqual(done.status, expect, done.stderr)
        return {finding["subject"]: finding for finding in json.loads(done.stdout)["findings"]}

    def test_root_can_build_here(self):
        found = self.report()
        for subject in ("namespaces", "overlay", "seccomp", "state directory"):
            self.assertEqual(found[subject]["state"], "ok", found[subject])
        self.assertIn(str(self.state), found["state directory"]["fact"])

    def test_it_makes_and_leaves_nothing(self):
        before = sorted(os.listdir(self.directory))
        self.report()
        self.assertEqual(sorted(os.listdir(self.directory)), before)
        self.assertFalse(self.state.exists())

    def test_its_text_ends_with_the_verdict(self):
        done = self.run_swbuild("doctor")
        self.assertIn("root can run builds", done.stdout.splitlines()[-1])
        self.assertRegex(done.stdout.splitlines()[0], r"^ok +namespaces +\S")

    def test_what_mends_it_is_named(self):
        found = self.report(env={"PATH": "/nowhere"})
        self.assertEqual(found["git"]["remedy"], "apt-get install git")
        self.assertEqual(found["network"]["remedy"], "apt-get install slirp4netns")
        self.assertEqual(found["subordinate ids"]["state"], "ok", "root needs none")

    def test_a_place_where_nothing_can_be_written(self):
        found = self.report("--root", "/proc/state", expect=1)
        self.assertEqual(found["state directory"]["state"], "missing")
        self.assertIn("--root", found["state directory"]["remedy"])

    def test_an_ordinary_user_is_told_about_user_namespaces(self):
        with tempfile.TemporaryDirectory() as home:
            os.chmod(home, 0o777)
            program = shutil.copy(SWBUILD, f"{home}/swbuild")
            done = subprocess.run(
                ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", program, "doctor", "--format",
                 "json", "--root", f"{home}/state"],
                capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
        found = {finding["subject"]: finding for finding in json.loads(done.stdout)["findings"]}
        self.assertTrue(found["user namespaces"]["needed"])
        self.assertFalse(found["overlay"]["needed"])
        self.assertIn("usermod --add-subuids", found["subordinate ids"]["remedy"])
        builds = all(finding["state"] != "missing" for finding in found.values() if finding["needed"])
        self.assertEqual(done.returncode, 0 if builds else 1, done.stderr)
