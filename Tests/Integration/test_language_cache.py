"""The cache and the language: which changes of a build file are none, and which run what."""
from support import Case

BASE = "FROM busybox\n"


class Changes(Case):
    """Builds one file, then another, and looks at what ran."""

    def ran(self, first: str, second: str, flags: tuple = (), flags2: tuple | None = None) -> list[str]:
        self.build(first, *flags)
        return self.build(second, *(flags if flags2 is None else flags2)).executed()

    def test_what_changes_nothing(self):
        self.files({"d1/f": "same", "d2/f": "same", "a": "a"})
        stages = "FROM busybox AS {0}\nRUN echo 1 > /o\nFROM busybox\nCOPY --from={0} /o /x\n"
        cases = {
            "a file that moved": (BASE + "COPY d1/f /x\nRUN cat /x", BASE + "COPY d2/f /x\nRUN cat /x"),
            "a directory that moved": (BASE + "COPY d1 /x\n", BASE + "COPY d2/ /x\n"),
            "another way to write a path": (BASE + "WORKDIR /w\nCOPY a x", BASE + "WORKDIR /w/.\nCOPY ./a /w/x"),
            "another name of a stage": (stages.format("one"), stages.format("two")),
            "another name of a document": (BASE + "RUN <<A\ntrue\nA\n", BASE + "RUN <<B\ntrue\nB\n"),
            "comments and case": (BASE + "RUN true && true", "# c\nfrom busybox\nrun true \\\n# c\n&& true"),
            "what takes no step": (BASE + "LABEL a=1\nCMD x\nRUN true", BASE + "LABEL a=2\nEXPOSE 80\nRUN true"),
            "a global argument": ("ARG G=1\n" + BASE + "RUN true", "ARG G=2\n" + BASE + "RUN true"),
            "other stages around": (stages.format("a"), "FROM busybox AS z\nRUN exit 1\n" + stages.format("a")),
        }
        for name, (first, second) in cases.items():
            with self.subTest(name):
                self.assertEqual(self.ran(first, second), [])

    def test_arguments(self):
        one, two = ("--build-arg", "A=1"), ("--build-arg", "A=2")
        for lines, expected in (("RUN true\n", []), ("RUN true\nARG A\n", []), ("ARG A\nWORKDIR /w\n", []),
                                ("ARG A\nENV A=fixed\nRUN true\n", []), ("ARG A\nRUN true\n", ["RUN true"]),
                                ("ARG A=1\nARG B=$A\nRUN true\n", ["RUN true"])):
            with self.subTest(lines):
                self.assertEqual(self.ran(BASE + lines, BASE + lines, one, two), expected)
        self.assertEqual(self.ran(BASE + "ARG A=1\nRUN true", BASE + "ARG A=1\nRUN true", (), one), [])

    def test_settings_reach_what_follows_them(self):
        for setting, other, expected in (
                ("ENV A=1", "ENV A=2", ["RUN echo 2"]), ("USER 1", "USER 2", ["RUN echo 2"]),
                ('SHELL ["/bin/ash", "-c"]', 'SHELL ["/bin/sh", "-c"]', ["RUN echo 2"]),
                ("WORKDIR /a", "WORKDIR /b", ["WORKDIR /b", "RUN echo 2"])):
            with self.subTest(setting):
                lines = BASE + "RUN echo 1\n{}\nRUN echo 2\n"
                self.assertEqual(self.ran(lines.format(setting), lines.format(other)), expected)

    def test_a_linked_copy_stands_alone(self):
        self.files({"a": "a"})
        lines = BASE + "RUN echo {} > /1\nCOPY --link a /a\nCOPY a /b\n"
        self.assertEqual(self.ran(lines.format(1), lines.format(2)), ["RUN echo 2 > /1", "COPY a /b"])
