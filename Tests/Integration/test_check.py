"""Checks, outline and targets: what is shown, where, and with which exit status."""
import base64
import json
import os
import re
import subprocess

from support import Case

CLEAN = 'FROM busybox AS base\nCMD ["true"]\n'
BAD = "FROM busybox as base\nCMD echo hello\n"
EXAMPLE = """\
# VERSION which compiler
ARG VERSION=1.2
FROM busybox:${VERSION} AS build
ARG MODE=debug
RUN --mount=type=secret,id=token,required=true --mount=type=cache,target=/c make $MODE
# release is what is shipped
FROM scratch AS release
COPY --from=build /out /
"""


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class CheckCase(Case):
    def check(self, buildfile: str, *arguments, verb=("check",), expect: int, env=None):
        self.files({"Dockerfile": buildfile})
        done = self.run_swbuild(*verb, *arguments, ".", cwd=self.context, env=env)
        self.assertEqual(done.status, expect, f"{done.stdout}\n{done.stderr}")
        return done


class Check(CheckCase):
    def test_a_clean_file(self):
        done = self.check(CLEAN, expect=0)
        self.assertEqual(done.stdout, "Check complete, no warnings found.\n")
        self.assertEqual(done.stderr, "")

    def test_a_stage_name_given_twice_is_found(self):
        done = self.check("FROM scratch AS a\nFROM scratch AS A\n", expect=1)
        self.assertIn("Dockerfile:2:17: warning: Duplicate stage name", done.stdout)

    def test_findings_as_text(self):
        done = self.check(BAD, "-f", "Dockerfile", expect=1)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout, """\
Dockerfile:1:14: warning: 'as' and 'FROM' keywords' casing do not match [FromAsCasing]
 1 | FROM busybox as base
   |              ^^
note: see docs/rules/FromAsCasing.md

Dockerfile:2:5: warning: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals \
[JSONArgsRecommended]
 2 | CMD echo hello
   |     ^^^^^^^^^^
note: see docs/rules/JSONArgsRecommended.md

Check complete, 2 warnings have been found!
""")

    def test_what_is_nearly_json_or_nearly_an_assignment(self):
        done = self.check("FROM scratch\nENV A = b\nCMD ['a', 'b']\n", expect=1)
        self.assertIn("note: the value of `A` begins with the equals sign; write `A=value`", done.stdout)
        self.assertIn("note: a shell reads this, since it is no JSON array", done.stdout)
        self.assertNotIn("note: a shell", self.check("FROM scratch\nCMD a b\n", expect=1).stdout)

    def test_a_file_in_utf_16(self):
        for encoding in ("utf-16-le", "utf-16-be"):
            done = self.run_swbuild("check", "-f", "-", ".", cwd=self.context,
                                    input=("\ufeff" + CLEAN).encode(encoding))
            self.assertEqual(done.status, 1)
            self.assertIn("the build file is encoded in UTF-16\nnote: save it as UTF-8", done.stderr)

    def test_findings_as_json(self):
        result = json.loads(self.check(BAD, "-f", "Dockerfile", "--format", "json", expect=1).stdout)
        self.assertEqual(result["sources"], [{"filename": "Dockerfile", "language": "Dockerfile", "data": encoded(BAD)}])
        self.assertEqual([warning["ruleName"] for warning in result["warnings"]],
                         ["FromAsCasing", "JSONArgsRecommended"])
        self.assertEqual(result["warnings"][1], {
            "ruleName": "JSONArgsRecommended", "severity": "warning",
            "description": "CMD and ENTRYPOINT should be JSON arrays, so that signals arrive",
            "detail": "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
            "url": "docs/rules/JSONArgsRecommended.md", "notes": [],
            "location": {
                "ranges": [{"start": {"line": 2, "character": 0}, "end": {"line": 2, "character": 14}}],
                "words": {"start": {"line": 2, "character": 4}, "end": {"line": 2, "character": 14}}}})
        self.assertEqual(json.loads(self.check(CLEAN, "--format=json", expect=0).stdout)["warnings"], [])

    def test_a_build_can_be_a_check(self):
        expected = self.check(BAD, expect=1).stdout
        for verb in (("build", "--check"), ("build", "--call", "check"), ("--call=lint",), ("--check",)):
            with self.subTest(verb=verb):
                self.assertEqual(self.check(BAD, verb=verb, expect=1).stdout, expected)
        done = self.check(BAD, verb=("build", "--call", "check,format=json"), expect=1)
        self.assertEqual(len(json.loads(done.stdout)["warnings"]), 2)

    def test_bad_calls_are_usage_errors(self):
        for call in ("what", "check,format=xml", "check,colour=red", "", "build,format"):
            with self.subTest(call=call):
                self.check(CLEAN, verb=("build", "--call", call), expect=64)
        self.check(CLEAN, verb=("build", "--check", "--call", "outline"), expect=64)

    def test_a_file_that_cannot_be_read(self):
        done = self.check("FROM busybox\nCOPPY a b\n", expect=1)
        self.assertEqual(done.stdout, "")
        self.assertMentions(done, ":2:1: error", "COPPY", "did you mean")
        result = json.loads(self.check("FROM busybox\nCOPPY a b\n", "--format", "json", expect=1).stdout)
        self.assertIn("COPPY", result["buildError"]["message"])
        self.assertEqual(result["sources"][0]["data"], encoded("FROM busybox\nCOPPY a b\n"))

    def test_nothing_is_made_and_no_root_is_needed(self):
        os.chmod(self.directory, 0o755)
        self.files({"Dockerfile": BAD})
        done = subprocess.run(
            [os.environ["SWBUILD"], "check", self.context], capture_output=True, text=True, user=65534, group=65534,
            extra_groups=[], env={"SWBUILD_ROOT": str(self.state)})
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("2 warnings", done.stdout)
        self.assertFalse(self.state.exists())

    def test_rules_can_be_skipped(self):
        self.check("# check=skip=FromAsCasing,JSONArgsRecommended\n" + BAD, expect=0)
        self.check("# check=skip=all\n" + BAD, expect=0)
        self.check(BAD, "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all", expect=0)
        done = self.check("# check=skip=all\n" + BAD, "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=error=true", expect=1)
        self.assertIn(": error: JSON", done.stdout)

    def test_a_directive_that_is_wrong(self):
        done = self.check("# check=skip=JSONArgsRecomended\n" + BAD, expect=1)
        self.assertIn("there is no check `JSONArgsRecomended`", done.stdout)
        self.assertIn("did you mean `JSONArgsRecommended`?", done.stdout)
        done = self.check("# check=sikp=all\n" + BAD, expect=1)
        self.assertMentions(done, ":1:9: error: a check has no option `sikp`")

    def test_ignored_files(self):
        self.files({".dockerignore": "secret\n", "secret": "x"})
        self.assertIn("CopyIgnoredFile", self.check("FROM scratch\nCOPY secret /\n", expect=1).stdout)


class Outline(CheckCase):
    def test_text(self):
        done = self.check(EXAMPLE, verb=("--call", "outline"), expect=0)
        self.assertEqual(done.stdout, """\
TARGET:      release
DESCRIPTION: is what is shipped

BUILD ARG  VALUE  USED IN LINE  DESCRIPTION
VERSION    1.2    3             which compiler
MODE       debug  5

SECRET  REQUIRED
token   true

MOUNT   SOURCE  TARGET  LINE
secret  token           5
cache   /c      /c      5
""")

    def test_json(self):
        done = self.check(EXAMPLE, "--target", "build", "--build-arg", "MODE=fast",
                          verb=("build", "--call=outline,format=json"), expect=0)
        result = json.loads(done.stdout)
        self.assertEqual(result["name"], "build")
        self.assertEqual([(arg["name"], arg["value"]) for arg in result["args"]],
                         [("VERSION", "1.2"), ("MODE", "fast")])
        self.assertEqual(result["args"][0]["location"]["ranges"][0]["start"], {"line": 2, "character": 4})
        self.assertEqual([(secret["name"], secret["required"]) for secret in result["secrets"]], [("token", True)])
        self.assertEqual([cache["ID"] for cache in result["cache"]], ["/c"])
        self.assertEqual([mount["type"] for mount in result["mounts"]], ["secret", "cache"])
        self.assertEqual(result["sources"], [encoded(EXAMPLE)])

    def test_an_unknown_target(self):
        done = self.check(EXAMPLE, "--target", "relaese", verb=("build", "--call", "outline"), expect=1)
        self.assertMentions(done, "did you mean `release`")

    def test_targets(self):
        done = self.check(EXAMPLE, verb=("build", "--call", "targets"), expect=0)
        self.assertEqual(done.stdout, """\
TARGET             BASE         DESCRIPTION
build              busybox:1.2
release (default)  scratch      is what is shipped
""")
        result = json.loads(self.check(EXAMPLE, verb=("--call", "targets,format=json"), expect=0).stdout)
        self.assertEqual([(target.get("name"), target["base"], target.get("default")) for target in result["targets"]],
                         [("build", "busybox:1.2", None), ("release", "scratch", True)])
        self.assertEqual(result["sources"], [encoded(EXAMPLE)])


class Warnings(Case):
    def test_a_build_shows_them_at_its_end(self):
        built = self.build("FROM busybox as base\nRUN true\nCMD echo\n")
        self.assertLess(built.stderr.index("DONE"), built.stderr.index(":1:14: warning: 'as' and 'FROM'"))
        self.assertEqual(built.stderr.count("[JSONArgsRecommended]"), 1)
        self.assertNotIn("warning", built.stdout)

    def test_a_failed_build_shows_them_after_the_error(self):
        built = self.build("FROM busybox as base\nRUN exit 3\n", expect=3)
        self.assertLess(built.stderr.index("exit code 3"), built.stderr.index("[FromAsCasing]"))
        built = self.build("ARG TAG=1\nFROM busybox:${TAAG}\n", expect=1)
        self.assertLess(built.stderr.index("error"), built.stderr.index("[UndefinedArgInFrom]"))

    def test_quiet_and_json(self):
        self.assertNotIn("Casing", self.build("FROM busybox as base\n", "-q").stderr)
        built = self.build("FROM busybox as base\n", "--progress", "rawjson")
        events = [json.loads(line) for line in built.stderr.splitlines()]
        self.assertEqual([event["ruleName"] for event in events if event["event"] == "warning"], ["FromAsCasing"])

    def test_error_true_builds_nothing(self):
        built = self.build("# check=error=true\nFROM busybox\nRUN touch /ran\nCMD echo\n", expect=1)
        self.assertNotIn("touch", built.stderr)
        self.assertMentions(built, "nothing was built", "[JSONArgsRecommended]")
        self.assertFalse(built.output.exists())
        self.build('# check=error=true\nFROM busybox\nRUN touch /ran\nCMD ["echo"]\n')

    def test_variables_of_the_base_are_known(self):
        built = self.build("FROM busybox\nWORKDIR /x$NOT_THERE\nENV PATH=/x:$PATH\n")
        self.assertEqual(re.findall(r"\[(\w+)\]$", built.stderr, re.M), ["UndefinedVar"])

    def test_files_that_are_stored_twice_are_counted(self):
        self.files({"app/big": os.urandom(3 << 20), "app/small": "x"})
        run = "RUN chown -R 1:1 /app"
        built = self.build(f"FROM busybox\nCOPY app /app\n{run}\n")
        self.assertMentions(built, "stored 3.1 MB a second time")
        built = self.build(f"FROM busybox\nCOPY app /app\n{run}\n")
        self.assertNotIn("a second time", built.stderr)
        built = self.build(f"FROM busybox\nCOPY --chown=1:1 app /app\n{run}\nRUN touch /app/big\n")
        self.assertNotIn("a second time", built.stderr)
        built = self.build("# check=skip=RecursiveOwnershipChange\nFROM busybox\nCOPY app /a\nRUN chmod -R 700 /a\n")
        self.assertNotIn("a second time", built.stderr)

    def test_a_stage_name_given_twice_is_refused(self):
        file = "FROM scratch AS a\nCOPY <<A /1\nA\nFROM scratch AS A\nCOPY <<A /2\nA\n"
        built = self.build(file, expect=1)
        self.assertIn("Buildfile:4:17: error: a stage named `A` exists already", built.stderr)
