"""The language: what the Dockerfile reference says of lines, words, variables and the image's configuration."""
from support import Case


class Built(Case):
    """Several rules of one kind in one build."""

    def history(self, build) -> list[str]:
        return [entry["created_by"].split(" # ")[0] for entry in build.layout.config["history"][1:]]

    def config(self, build) -> dict:
        return build.layout.config["config"]

    def environment(self, build) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self.config(build)["Env"])


class Lines(Built):
    def test_byte_order_mark_line_ends_comments_and_blank_lines_between(self):
        text = ("\ufeff# syntax=docker/dockerfile:1\r\n  # escape=\\\r\n\r\n# a comment \\\r\nFROM busybox\r\n"
                "RUN echo a \\\r\n# comment\r\n\r\n   # another \\\r\n   b > /x\r\nENV A=b \\   \r\n C=d\r\n"
                'LABEL x="a\\\r\n b"\r\n\\\r\nRUN echo \\\\\r\nRUN true \\')
        built = self.build(text)
        self.assertEqual(built.layout.text("/x"), "a b\n")
        self.assertEqual(self.environment(built)["C"], "d")
        self.assertEqual(self.config(built)["Labels"], {"x": "a b"})
        self.assertEqual(self.history(built)[-2:], ["RUN /bin/sh -c echo \\\\", "RUN /bin/sh -c true"])

    def test_backtick_as_the_escape_character(self):
        self.files({"a*b.txt": "x"})
        built = self.build("# escape=`\nFROM busybox\nENV P=C:\\x`\\y Q=\"a`\"b\" R=`$P S=a`\n  b=c\n"
                           "RUN echo \"a\" `\n  && echo '$P' > /o\nCOPY a*b.txt /z/\n"
                           "COPY <<A /h\n\\$P `$S\nA\n")
        environment = self.environment(built)
        self.assertEqual([environment[name] for name in "PQRSb"], ["C:\\x\\y", 'a"b', "$P", "a", "c"])
        self.assertIn("/z/a*b.txt", built.layout.tree)
        self.assertEqual(built.layout.text("/h"), "$P `a\n")

    def test_keywords_and_stage_names_have_no_case(self):
        built = self.build("from busybox as Base\nrun echo hi > /a\nFROM BASE\nCopy --from=bAsE /a /b\nexpose 1\n")
        self.assertEqual(built.layout.text("/b"), "hi\n")
        self.assertEqual(self.history(built)[-1], "EXPOSE [1/tcp]")


class Words(Built):
    def test_values_of_env_and_label(self):
        built = self.build('''FROM busybox
ENV A=1 B='two words' C="three \\"q\\" $A" D=a\\ b E= F="" G=a"b"c'd'e
ENV old form  with  "quotes" $A
ENV tab\tvalue
LABEL "a.b"="x" c=d "with space"=1 multi="line1\\
line2" "q $A"='$A'
ENV H=${A:+yes}${Z:-"q r"} I="${Z:-"in"}" J=${G#a*c} K=${G//?/.} L=${A}${B}
''')
        environment = self.environment(built)
        expected = {"A": "1", "B": "two words", "C": 'three "q" ', "D": "a b", "E": "", "F": "", "G": "abcde",
                    "old": "form  with  quotes 1", "tab": "value", "H": "yesq r", "I": "in", "J": "de",
                    "K": ".....", "L": "1two words"}
        self.assertEqual({name: environment[name] for name in expected}, expected)
        self.assertEqual(self.config(built)["Labels"], {"a.b": "x", "c": "d", "with space": "1",
                                                        "multi": "line1line2", "q 1": "$A"})

    def test_patterns_may_come_from_variables(self):
        built = self.build('FROM busybox\nENV S="/foo*/*/*.txt" N="\\\\*/" Q="?"\n'
                           "ENV A=${S/$N/.} B=${S//$N/.} C=${S#$Q} D=${S//\\//\\/} E=${S##*/}\n")
        environment = self.environment(built)
        self.assertEqual([environment[name] for name in "ABCDE"],
                         ["/foo.*/*.txt", "/foo..*.txt", "foo*/*/*.txt", "\\/foo*\\/*\\/*.txt", "*.txt"])

    def test_substitutions_that_cannot_be(self):
        for word in ("${X^^}", "${X", "${X:}", "${X:=y}", "${}", "${X/y}", "${X:?please say}", '"x', "'x"):
            with self.subTest(word):
                self.build(f"FROM scratch\nENV A={word}\n", expect=1)

    def test_where_variables_are_not_expanded(self):
        built = self.build('FROM busybox\nENV A=1\nMAINTAINER me $A\nSHELL ["/bin/sh", "-c"]\nCMD echo $A\n'
                           'ENTRYPOINT ["x", "$A"]\nHEALTHCHECK CMD ["a", "$A"]\nONBUILD RUN echo $A\n')
        config = self.config(built)
        self.assertEqual(built.layout.config["author"], "me $A")
        self.assertEqual(config["Cmd"], ["/bin/sh", "-c", "echo $A"])
        self.assertEqual(config["Entrypoint"], ["x", "$A"])
        self.assertEqual(config["Healthcheck"], {"Test": ["CMD", "a", "$A"]})
        self.assertEqual(config["OnBuild"], ["RUN echo $A"])

    def test_ports(self):
        built = self.build("FROM scratch\nARG P=900\nEXPOSE 80/ 8080:81 $P/UDP ${P:-1}1 7000-7001/sctp\n")
        self.assertEqual(sorted(self.config(built)["ExposedPorts"]),
                         ["7000/sctp", "7001/sctp", "80/tcp", "81/tcp", "900/udp", "9001/tcp"])

    def test_history_of_unusual_text(self):
        built = self.build('FROM scratch\nCMD ["a\\b\\f\\u000b\\u0007", "\\u00a0é\\u200b\\ud83d\\ude00"]\n')
        entry = built.layout.config["history"][-1]["created_by"].split(" # ")[0]
        self.assertEqual(entry, 'CMD ["a\\b\\f\\v\\a" "\\u00a0é\\u200b😀"]')


class Arguments(Built):
    def test_scopes_and_precedence(self):
        built = self.build('''ARG G=global SUFFIX=${G}x
ARG TAG
FROM busybox AS a
ARG G
ARG SUFFIX=own
RUN echo $G $SUFFIX ${TAG-unset} > /a
FROM busybox AS b
ARG G=b
ARG TAG=default
ENV G=environment
RUN echo $G $TAG > /b
FROM b
RUN echo $G $TAG ${SUFFIX-unset} > /c
COPY --from=a /a /
''', "--build-arg", "TAG=given")
        self.assertEqual([built.layout.text(path) for path in ("/a", "/b", "/c")],
                         ["global own unset\n", "environment given\n", "environment given unset\n"])
        self.assertIn("RUN |2 G=environment TAG=given /bin/sh -c echo $G $TAG > /b", self.history(built))

    def test_defaults_are_looked_at_only_where_they_are_needed(self):
        text = 'FROM scratch\nARG X="${Y:?is needed}" A=1 B=$A\nLABEL x=$X b=$B\n'
        self.assertMentions(self.build(text, expect=1), "Y: is needed")
        built = self.build(text, "--build-arg", "X=given")
        self.assertEqual(self.config(built)["Labels"], {"x": "given", "b": "1"})

    def test_automatic_arguments(self):
        text = "FROM scratch AS Last\nARG TARGETARCH TARGETSTAGE TARGETPLATFORM\n" \
               "LABEL a=$TARGETARCH s=$TARGETSTAGE p=$TARGETPLATFORM o=${TARGETOS:-none}\n"
        built = self.build(text, "--platform", "linux/arm64")
        self.assertEqual(self.config(built)["Labels"], {"a": "arm64", "s": "last", "p": "linux/arm64", "o": "none"})
        built = self.build(text, "--build-arg", "TARGETARCH=mine")
        self.assertEqual(self.config(built)["Labels"]["a"], "mine")

    def test_the_result_is_for_the_platform_that_was_asked_for(self):
        built = self.build("FROM --platform=linux/amd64 busybox\nRUN echo native > /x\n", "--platform", "linux/arm64")
        self.assertEqual(built.layout.config["architecture"], "arm64")
        self.assertEqual(built.layout.index["manifests"][0]["platform"]["architecture"], "arm64")


class Heredocs(Built):
    def test_forms(self):
        built = self.build('''FROM busybox
ENV X=v
RUN <<A cat > /one && cat <<-"B" > /two
a $X
A
\tb $X
\tB
RUN <<EOF
#!/bin/sh
echo "script $X" > /three
EOF
SHELL ["/bin/sh","-ec"]
RUN <<-EOF
\techo 1 > /four
\tfalse || echo $X \\
\t  continued >> /four
\tEOF
RUN 3<<EOF cat <&3 > /five
$X \\$X "$X" `echo ticks`
EOF
COPY <<a.txt <<"b.txt" /d/
${X:-no} "$X" '$X' \\$X \\\\ \\n
a.txt
$X
b.txt
ADD --chmod=755 --chown=1:2 <<-EOF /exec
\t\tx
\tEOF
RUN echo $((1<<2)) > /six; echo "a << b" >> /six
''')
        expected = {"/one": "a v\n", "/two": "b $X\n", "/three": "script v\n", "/four": "1\nv continued\n",
                    "/five": 'v $X "v" ticks\n', "/d/a.txt": "v \"v\" 'v' $X \\ n\n", "/d/b.txt": "$X\n",
                    "/exec": "x\n", "/six": "4\na << b\n"}
        self.assertEqual({path: built.layout.text(path) for path in expected}, expected)
        self.assertEqual(built.layout.tree["/exec"]["mode"], "0o755")
        self.assertEqual(built.layout.tree["/exec"]["owner"], "1:2")

    def test_documents_among_paths_come_last(self):
        self.files({"b.txt": "b"})
        built = self.build("FROM scratch\nCOPY <<A b.txt /d/\nx\nA\n")
        self.assertIn("COPY b.txt <<A /d/", built.layout.config["history"][0]["created_by"])
        self.assertEqual(sorted(built.layout.tree), ["/d", "/d/A", "/d/b.txt"])


class Triggers(Built):
    def test_every_kind_of_instruction(self):
        self.files({"a.txt": "a"})
        built = self.build('''FROM busybox AS base
ARG V=1
ENV E=e
ONBUILD ARG V
ONBUILD COPY --chown=1:2 a.txt /ob/
ONBUILD RUN <<EOF
echo $E $V > /ob/run
EOF
ONBUILD WORKDIR /wd
ONBUILD USER 7
ONBUILD EXPOSE 1-2
ONBUILD VOLUME /v
ONBUILD LABEL a=$E
ONBUILD STOPSIGNAL 1
ONBUILD ADD <<X /ob/x
$E
X
ONBUILD COPY --from=other /o /o
FROM busybox AS other
RUN echo o > /o
FROM base AS kid
FROM kid
RUN id -u > /tmp/u
''')
        config = self.config(built)
        self.assertNotIn("OnBuild", {name for name, value in config.items() if value})
        self.assertEqual([config["WorkingDir"], config["User"], config["StopSignal"], config["Labels"]],
                         ["/wd", "7", "1", {"a": "e"}])
        self.assertEqual([sorted(config["ExposedPorts"]), list(config["Volumes"])], [["1/tcp", "2/tcp"], ["/v"]])
        expected = {"/ob/a.txt": "a", "/ob/run": "e 1\n", "/ob/x": "e\n", "/o": "o\n", "/tmp/u": "7\n"}
        self.assertEqual({path: built.layout.text(path) for path in expected}, expected)
        self.assertEqual(built.layout.tree["/ob"]["owner"], "1:2")
