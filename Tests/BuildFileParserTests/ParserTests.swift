import BuildFileParser
import Testing

@Suite struct ParserTests {
    @Test(arguments: [
        ("RUN echo a", RunScript.shell("echo a")),
        ("RUN [\"a\", \"b c\"]", .arguments(["a", "b c"])),
        ("RUN <<EOF\necho 1\nfalse\nEOF", .shell("echo 1\nfalse\n")),
        ("RUN 3<<EOF\nx\nEOF", .shell("x\n")),
        ("RUN <<-EOF\n\tif true\n\t  fi\n\t\tEOF", .shell("if true\n  fi\n")),
        ("RUN <<EOF\n#!/bin/awk -f\nBEGIN {}\nEOF", .file(script: "#!/bin/awk -f\nBEGIN {}\n")),
        ("RUN <<EOF sh\necho\nEOF", .shell("<<EOF sh\necho\nEOF")),
        ("RUN cat <<-A > /a && cat <<'B'\n\tx\n\tA\ny\nB", .shell("cat <<-A > /a && cat <<'B'\n\tx\nA\ny\nB")),
        ("RUN cat <<E\"O\"F > /p\n$V\nEOF", .shell("cat <<E\"O\"F > /p\n$V\nEOF")),
        ("RUN cat <<EMPTY > /e\nEMPTY", .shell("cat <<EMPTY > /e\nEMPTY")),
        ("RUN sed <<EOF \\\n  > /sed\naxb\nEOF", .shell("sed <<EOF   > /sed\naxb\nEOF")),
        ("RUN (cat <<EOF)\nx\nEOF", .shell("(cat <<EOF)\nx\nEOF")),
        ("RUN x=$((cat <<EOF) | tr a b)\nx\nEOF", .shell("x=$((cat <<EOF) | tr a b)\nx\nEOF")),
        ("RUN <<EOF # don't\nx\nEOF", .shell("<<EOF # don't\nx\nEOF")),
    ])
    func scripts(_ text: String, _ expected: RunScript) throws {
        guard case .run(let run) = try only(text) else {
            Issue.record("no RUN")
            return
        }
        #expect(run.script == expected)
    }

    @Test(arguments: [
        ("# escape=`\n", "`"), ("  # escape=`\n", "`"), ("\t#\tESCAPE\t=\t`\t\n", "`"),
        ("# syntax=x\n # escape=`\n", "`"), ("# a comment\n# escape=`\n", "\\"), ("\n# escape=`\n", "\\"),
        ("# unknown=x\n# escape=`\n", "\\"),
    ])
    func directives(_ text: String, _ escape: Character) throws {
        #expect(try parseBuildFile(Array("\(text)FROM base\n".utf8)).directives.escape == escape)
    }

    @Test func commandTextIsWhatTheShellGets() throws {
        guard case .run(let run) = try only("RUN <<EOF\necho 1\nEOF") else { return }
        #expect(run.commandText == "echo 1\n")
        #expect(RunInstruction(command: .exec(["touch", "/a b"])).commandText == "touch /a b")
    }

    @Test(arguments: [
        ("[]", []), ("[ \"a\" ,\"b\",\t\"c d\" ]", ["a", "b", "c d"]),
        (#"["\"\\\/\b\f\n\r\t", "A\u00e9\u65E5"]"#, ["\"\\/\u{8}\u{C}\n\r\t", "Aé日"]),
        (#"["\ud83d\ude00", "\ud83d", "\ude00x", "\ud83dA"]"#, ["😀", "\u{FFFD}", "\u{FFFD}x", "\u{FFFD}A"]),
        (#"["", "$X", "日"]"#, ["", "$X", "日"]),
    ])
    func json(_ text: String, _ expected: [String]) throws {
        #expect(try only("CMD \(text)") == .cmd(.exec(expected)))
    }

    @Test(arguments: [
        "['a']", "[\"a\"", "[\"a\"] b", "[\"a\\q\"]", "[\"a\",]", "[,]", "[\"a\" \"b\"]", "{\"a\": \"b\"}", "[ -f x ]",
        "[\"\\u12\"]", "[01]", "[\"a\tb\"]", "[1.]", "[tru]",
    ])
    func jsonThatIsNone(_ text: String) throws {
        #expect(try only("CMD \(text)") == .cmd(.shell(text)))
    }

    @Test(arguments: [
        "[1]", "[\"a\", null]", "[true,false]", "[-1.5e+10, 0]", "[[\"a\"]]", "[{\"a\": [1, {}]}]",
    ])
    func jsonOfSomethingElse(_ text: String) {
        #expect(throws: Diagnostic.self) { try only("CMD \(text)") }
    }

    @Test func nestingOfJSONIsBounded() throws {
        let text = String(repeating: "[", count: 100_000)
        #expect(try only("CMD \(text)") == .cmd(.shell(text)))
    }

    @Test(arguments: [
        ("0", 0), ("1ns", 1), ("90s", 90_000_000_000), ("1m30s", 90_000_000_000), ("1.5s", 1_500_000_000),
        ("500ms", 500_000_000), ("2h", 7_200_000_000_000), ("1h2m3.000000004s", 3_723_000_000_004),
        (".5m", 30_000_000_000),
        ("1000us", 1_000_000), ("1000µs", 1_000_000), ("+3s", 3_000_000_000), ("0s", 0),
        ("2562047h47m16.854775807s", 9_223_372_036_854_775_807),
    ])
    func durations(_ text: String, _ expected: Int64) throws {
        let source = "HEALTHCHECK --interval=\(text) CMD x"
        if expected > 0, expected < 1_000_000 {
            #expect(throws: Diagnostic.self) { try only(source) }
            return
        }
        guard case .healthcheck(.command(_, let options)) = try only(source) else { return }
        #expect(options.interval == expected)
    }

    @Test(arguments: [
        "", "s", "1", "1x", "1.s.", "..s", "-1s", "1 s", "2562047h47m16.854775808s", "99999999999999999999h",
    ])
    func durationsThatAreNone(_ text: String) {
        #expect(throws: Diagnostic.self) { try only("HEALTHCHECK --timeout=\"\(text)\" CMD x") }
    }

    @Test func triggersAreStoredAsWritten() throws {
        let source = """
            ONBUILD RUN echo one && \\
                # comment
                echo two
            onbuild   env A=$X B="c d"
            ONBUILD COPY <<EOF <<-'B' /x/
            $text
            EOF
            \tb
            \tB
            """
        let texts = try parse(source).map { instruction in
            guard case .onbuild(let trigger) = instruction else { return "" }
            return trigger.text
        }
        #expect(
            texts == [
                "RUN echo one &&     echo two", "env A=$X B=\"c d\"", "COPY <<EOF <<-'B' /x/\n$text\nEOF\n\tb\nB",
            ]
        )
    }

    @Test(arguments: [
        "RUN echo one &&     echo two", "env A=$X B=\"c d\"", "COPY <<EOF <<-'B' /x/\n$text\nEOF\n\tb\nB",
    ])
    func triggersAreReadBack(_ text: String) throws {
        guard case .onbuild(let trigger) = try only("ONBUILD " + text) else { return }
        #expect(trigger.text == text)
        let keyword = try parseTrigger(text).value
        switch keyword {
        case .run(let run): #expect(run.command == .shell("echo one &&     echo two"))
        case .env(let pairs): #expect(pairs.map(\.key.raw) == ["A", "B"])
        case .copy(let copy): #expect(copy.sources.count == 2)
        default: Issue.record("unexpected \(keyword)")
        }
    }

    @Test(arguments: [
        "", "# RUN x", "FROM x", "ONBUILD RUN x", "MAINTAINER x", "RUN a\nRUN b", "RUN <<EOF\nx", "NOPE x",
    ])
    func triggersThatAreNone(_ text: String) {
        #expect(throws: Diagnostic.self) { try parseTrigger(text) }
    }

    @Test(arguments: [
        ("SIGTERM", true), ("term", true), ("9", true), ("64", true), ("SIGRTMIN+3", true), ("RTMAX-14", true),
        ("RTMIN", true), ("0", false), ("65", false), ("SIGBOGUS", false), ("", false), ("SIG", false),
        ("RTMIN+16", false),
        ("RTMAX-", false), ("+9", false), ("RTMIN+-3", false), ("SIGSIGTERM", false),
    ])
    func signals(_ name: String, _ isKnown: Bool) {
        #expect(isKnownSignal(name) == isKnown)
    }

    @Test func refusesHugeFiles() {
        let source = Array("FROM busybox\n".utf8) + [UInt8](repeating: UInt8(ascii: "#"), count: 64 << 20)
        #expect(throws: Diagnostic.self) { try parseBuildFile(source) }
    }

    /// Cuts a file that has everything in it at every byte: whatever remains is parsed or refused, never worse.
    @Test func survivesAnyPrefix() throws {
        for fixture in Fixture.all(in: "positive") {
            let source = try fixture.buildFile()
            for end in source.indices {
                _ = try? parseBuildFile(Array(source[..<end]))
            }
        }
    }

    /// Replaces every third byte by bytes that mean something somewhere.
    @Test func survivesAnyByte() throws {
        for fixture in Fixture.all(in: "positive") {
            let source = try fixture.buildFile()
            for index in stride(from: 0, to: source.count, by: 3) {
                for byte in "\\\"'$<[{\n \0".utf8 + [0xFF] {
                    var changed = source
                    changed[index] = byte
                    guard let file = try? parseBuildFile(changed) else { continue }
                    expandEverything(file)
                }
            }
        }
    }

    private func expandEverything(_ file: BuildFile) {
        for stage in file.stages {
            _ = try? stage.from.value.image.expand { _ in nil }
            for instruction in stage.instructions {
                switch instruction.value {
                case .env(let pairs), .label(let pairs):
                    for pair in pairs { _ = try? pair.value.expand { _ in "v" } }
                case .copy(let copy), .add(let copy):
                    _ = try? copy.destination.expand { _ in "v" }
                case .run(let run):
                    _ = run.script
                case .expose(let words):
                    for word in words { _ = try? word.expandToWords { _ in "a b" } }
                case .onbuild(let trigger):
                    _ = try? parseTrigger(trigger.text, escape: file.directives.escape)
                default:
                    break
                }
            }
        }
    }

    private func parse(_ text: String) throws -> [Instruction] {
        try parseBuildFile(Array("FROM busybox\n\(text)\n".utf8)).stages[0].instructions.map(\.value)
    }

    @discardableResult
    private func only(_ text: String) throws -> Instruction {
        let instructions = try parse(text)
        return try #require(instructions.count == 1 ? instructions.first : nil)
    }
}
