import BuildFileParser
import Testing

@Suite struct ScriptRuleTests {
    private static func heredoc(_ script: String, run: String = "RUN <<EOF") -> String {
        "FROM alpine\n\(run)\n\(script)\nEOF\n"
    }

    @Test(arguments: [
        "make\nmake install", "cd /src\nls", "a | b\nc", "echo x\nmake\necho done", "#!/bin/sh\nmake\nls",
        "make\nif true; then\n  a\nfi", "#!/usr/bin/env bash\nmake\nls", "cat <<A > /x\nset -e\nA\nls", "x=$(make)\nls",
    ])
    func failuresThatAreLost(_ script: String) throws {
        #expect(try findings(Self.heredoc(script)) == ["HeredocWithoutErrexit@2:5-10"])
    }

    @Test(arguments: [
        "make", "set -e\nmake\nls", "set -eux\nmake\nls", "set -o errexit\na\nb", "make &&\n  ls", "make || exit 1\nls",
        "make \\\n  x", "echo a\nexport B=1\nmake", "#!/bin/sh -e\nmake\nls", "#!/usr/bin/env python3\nimport a\nb()",
        "if a; then\n  b\nfi", "for a in b; do\n  c\ndone", "# a\nmake\n# b", "trap 'exit 1' ERR\na\nb", "make\n\n",
        "#!/bin/bash -euo pipefail\na\nb", "f() {\n  a\n}\nf",
    ])
    func scriptsThatStop(_ script: String) throws {
        #expect(try findings(Self.heredoc(script)).isEmpty)
    }

    @Test(arguments: [
        ("RUN bash <<EOF", ["HeredocWithoutErrexit@2:10-15"]), ("RUN bash -e <<EOF", []), ("RUN python3 <<EOF", []),
        ("RUN cat <<EOF > /x", []), ("RUN sh -s <<EOF", ["HeredocWithoutErrexit@2:11-16"]),
    ])
    func interpreters(_ run: String, _ expected: [String]) throws {
        #expect(try findings(Self.heredoc("make\nls", run: run)) == expected)
    }

    @Test func theShellOfTheStageMayStop() throws {
        for shell in ["[\"/bin/bash\", \"-ec\"]", "[\"/bin/bash\", \"-o\", \"errexit\", \"-c\"]", "[\"pwsh\", \"-c\"]"]
        {
            #expect(try findings("FROM alpine\nSHELL \(shell)\nRUN <<EOF\nmake\nls\nEOF\n").isEmpty)
        }
        let found = try findings("FROM alpine\nSHELL [\"/bin/bash\", \"-c\"]\nRUN <<EOF\nmake\nls\nEOF\n")
        #expect(found == ["HeredocWithoutErrexit@3:5-10"])
    }

    @Test(arguments: [
        Example("FROM alpine\nCOPY a /app/\nRUN chown -R u /app\n", "RecursiveOwnershipChange@3:5-20"),
        Example("FROM alpine\nCOPY a /app/\nRUN x && chmod -R 755 /app/ && y\n", "RecursiveOwnershipChange@3:10-28"),
        Example("FROM alpine\nWORKDIR /app\nCOPY . .\nRUN chown -R u:u .\n", "RecursiveOwnershipChange@4:5-19"),
        Example("FROM alpine\nENV D=/app\nCOPY . $D\nRUN chown -hR u \"$D\"\n", "RecursiveOwnershipChange@4:5-21"),
        Example(
            "FROM alpine\nADD a /app/b\nRUN set -x; \\\n  chown --recursive u /app\n",
            "RecursiveOwnershipChange@4:3-27"
        ),
        Example("FROM alpine\nCOPY --chown=u a /app/\nRUN chown -R u /app\n"),
        Example("FROM alpine\nCOPY --chown=u a /app/\nRUN chmod -R a+r /app\n", "RecursiveOwnershipChange@3:5-22"),
        Example("FROM alpine\nCOPY a /app/\nRUN chown -R u /app/data /var\n"),
        Example("FROM alpine\nCOPY a /app/\nRUN chown u /app\n"),
        Example("FROM alpine\nCOPY a /app/\nRUN cd /srv && chown -R u .\n"),
        Example("FROM alpine\nRUN chown -R u /app\nCOPY a /app/\n"),
        Example("FROM alpine\nCOPY a /app/\nRUN --mount=type=cache,target=/app chown -R u /app\n"),
        Example("FROM alpine AS a\nCOPY a /app/\nFROM a\nRUN chown -R u /app\n"),
        Example("FROM alpine\nCOPY a /app/\nRUN echo 'chown -R u /app'\n"),
    ])
    func ownership(_ example: Example) throws { try example.check() }

    static let install = "apt-get update && apt-get install -y curl"

    @Test(arguments: [
        Example("FROM debian\nRUN \(install)\n", "AptWithoutCleanup@2:23-46"),
        Example("FROM debian\nRUN apt update; DEBIAN_FRONTEND=x apt install curl\n", "AptWithoutCleanup@2:17-51"),
        Example(
            "FROM debian\nRUN <<EOF\nset -e\napt-get update\napt-get install -y a\nEOF\n",
            "AptWithoutCleanup@5:1-21"
        ),
        Example("FROM debian AS a\nRUN \(install)\nFROM a\n", "AptWithoutCleanup@2:23-46"),
        Example("FROM debian\nRUN \(install) && rm -rf /var/lib/apt/lists/*\n"),
        Example("FROM debian\nRUN \(install) && rm -rf /var/lib/{apt,cache}\n"),
        Example("FROM debian\nRUN --mount=type=cache,target=/var/lib/apt \(install)\n"),
        Example("FROM debian\nRUN --mount=type=cache,target=/var/lib/apt/lists \(install)\n"),
        Example("FROM debian\nRUN apt-get install -y curl\n"),
        Example("FROM debian AS build\nRUN \(install)\nFROM scratch\nCOPY --from=build /a /a\n"),
        Example("FROM debian AS build\nRUN \(install)\nFROM scratch\nRUN --mount=from=build,target=/x true\n"),
        Example("FROM debian AS other\nRUN \(install)\nFROM scratch\n"),
        Example(
            "ARG V=a\nFROM debian AS base-a\nRUN \(install)\nFROM base-$V\nRUN x\n",
            "AptWithoutCleanup@3:23-46"
        ),
        Example(
            "ARG V=a\nFROM debian AS base-a\nRUN \(install)\nFROM base-$V AS b\nFROM scratch\nCOPY --from=b /a /a\n"
        ),
    ])
    func packageLists(_ example: Example) throws { try example.check() }

    @Test(arguments: [("build", true), ("BUILD", true), ("0", true), ("last", false), ("1", false), ("absent", false)])
    func packageListsOfTheTargetAlone(target: String, isFound: Bool) throws {
        let text = "FROM debian AS build\nRUN \(Self.install)\nFROM scratch AS last\nCOPY --from=build /a /a\n"
        let file = try parseBuildFile(Array(text.utf8))
        var input = CheckInput { _ in true }
        input.target = target
        #expect(file.findings(input).map(\.rule) == (isFound ? [.aptWithoutCleanup] : []))
    }
}
