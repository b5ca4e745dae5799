import OCI
import Testing

@testable import Builder

@Suite struct OptionTests {
    static let digest = "sha256:" + String(repeating: "ab", count: 32)

    @Test(
        arguments: [
            ("a=dir", "a", .directory("/work/dir")), ("a=/abs", "a", .directory("/abs")),
            ("a=.", "a", .directory("/work")),
            ("a=b=c", "a", .directory("/work/b=c")),
            (
                "docker.io/library/x:1=oci-layout://l", "docker.io/library/x:1",
                .layout(path: "/work/l", tag: nil, digest: nil)
            ),
            ("a=oci-layout:///l:t", "a", .layout(path: "/l", tag: "t", digest: nil)),
            ("a=oci-layout:///x:y/l", "a", .layout(path: "/x:y/l", tag: nil, digest: nil)),
            (
                "a=oci-layout://l:t@\(digest)", "a",
                .layout(path: "/work/l", tag: "t", digest: try? Digest(parsing: digest))
            ),
        ] as [(String, String, NamedContext.Source)]
    )
    func namedContexts(text: String, name: String, source: NamedContext.Source) throws {
        let context = try NamedContext(parsing: text, in: "/work")
        #expect(context == NamedContext(name: name, source: source))
    }

    @Test func aNamedContextMayBeAnImage() throws {
        let context = try NamedContext(parsing: "a=docker-image://busybox:1", in: "/work")
        #expect(context.source == .image(try ImageReference(parsing: "busybox:1")))
    }

    @Test(arguments: [
        "", "a", "=dir", "a=", "a=ftp://h/x", "a=https://h/x.git#-x", "a=git@-h:x", "a=ssh://-oX/x",
        "a=docker-image://UPPER",
        "a=docker-image://", "a=oci-layout://l@sha256:12", "a=oci-layout://",
    ])
    func malformedContexts(text: String) {
        let error = #expect(throws: MalformedOption.self) { try NamedContext(parsing: text, in: "/work") }
        #expect(error?.description.hasPrefix("--build-context") == true)
    }

    @Test(
        arguments: [
            ("id=a", "a", .file("/work/a")), ("id=a,src=f", "a", .file("/work/f")),
            ("source=/f,id=a", "a", .file("/f")),
            ("id=a,env=V", "a", .environment("V")), ("id=a,type=env", "a", .environment("a")),
            ("type=env,id=a,src=V", "a", .environment("V")), ("type=file,id=a", "a", .file("/work/a")),
            ("type=file,id=a,src=f=g", "a", .file("/work/f=g")), ("ID=a,SRC=f", "a", .file("/work/f")),
            ("id=a,cmd=pass show x", "a", .command(["pass", "show", "x"])),
            (
                "type=command,id=a,cmd=a,b=c 'd  e' \"f\\\"$g\" h\\ i ''", "a",
                .command(["a,b=c", "d  e", "f\"$g", "h i", ""])
            ),
        ] as [(String, String, Secret.Source)]
    )
    func secrets(text: String, id: String, source: Secret.Source) throws {
        #expect(try Secret(parsing: text, in: "/work") == Secret(id: id, source: source))
    }

    @Test func anIdAloneIsTheVariableOfThatName() throws {
        func source(_ text: String) throws -> Secret.Source {
            try Secret(parsing: text, in: "/work") { $0 == "TOKEN" }.source
        }
        #expect(try source("id=TOKEN") == .environment("TOKEN"))
        #expect(try source("id=OTHER") == .file("/work/OTHER"))
        #expect(try source("id=TOKEN,type=file") == .file("/work/TOKEN"))
        #expect(try source("id=TOKEN,src=f") == .file("/work/f"))
    }

    @Test(arguments: [
        "", "a", "id=", "src=f", "id=a,src=f,env=V", "id=a,type=other", "id=a,mode=0400", "id=a,type=file,env=V",
        "id=a,env=", "id=a,src=", "id=a,src", "id=a,cmd=", "id=a,cmd='x", "id=a,cmd=x\\", "id=a,type=command",
        "id=a,src=f,cmd=x", "id=a,type=file,cmd=x", "cmd=x", "id=a,cmd=''",
    ])
    func malformedSecrets(text: String) {
        let error = #expect(throws: MalformedOption.self) { try Secret(parsing: text, in: "/work") }
        #expect(error?.description.hasPrefix("--secret") == true)
    }

    /// It may have a password among its arguments.
    @Test(arguments: ["id=a,src=f,cmd=pass geheim", "cmd=pass geheim", "id=a,CMD='geheim", "id=a,cmd=x \"geheim"])
    func malformedSecretsDoNotShowTheirCommand(text: String) {
        let error = #expect(throws: MalformedOption.self) { try Secret(parsing: text, in: "/work") }
        #expect(error?.description.contains("geheim") == false)
        #expect(error?.description.contains("cmd=…") == true)
    }

    @Test(arguments: [
        ("a/b", "a/b"), ("/a/", "/a"), ("a//", "a"), ("/", "/"), ("//", "/"), ("", ""), ("a/\u{301}", "a/\u{301}"),
    ])
    func slashesAtTheEnd(path: String, expected: String) { #expect(path.withoutSlashesAtEnd == expected) }

    @Test(
        arguments: [
            ("out", .oci(tar: false), "/work/out", .gzip), ("-", .tar, "-", .gzip),
            ("type=oci,dest=out", .oci(tar: false), "/work/out", .gzip),
            ("type=oci,dest=out.tar", .oci(tar: true), "/work/out.tar", .gzip),
            ("type=oci,dest=out.tar,tar=false", .oci(tar: false), "/work/out.tar", .gzip),
            ("type=oci,tar=true,dest=/o", .oci(tar: true), "/o", .gzip),
            ("type=oci,dest=-", .oci(tar: true), "-", .gzip),
            ("dest=out", .oci(tar: false), "/work/out", .gzip), ("type=docker,dest=-", .docker, "-", .gzip),
            ("type=tar,dest=x", .tar, "/work/x", .gzip), ("type=local,dest=x", .local, "/work/x", .gzip),
            ("type=oci,dest=x,compression=zstd", .oci(tar: false), "/work/x", .zstd),
            ("type=oci,dest=x,compression=uncompressed", .oci(tar: false), "/work/x", .none),
        ] as [(String, OutputSpec.Kind, String, BlobCompression)]
    )
    func outputs(text: String, kind: OutputSpec.Kind, destination: String, compression: BlobCompression) throws {
        let expected = OutputSpec(kind: kind, destination: destination, compression: compression)
        #expect(try OutputSpec(parsing: text, in: "/work") == expected)
    }

    @Test func blobsOfALayoutAreSharedUnlessACopyIsAskedFor() throws {
        for (end, mayShare) in [("", true), (",copy=false", true), (",copy=true", false)] {
            let output = try OutputSpec(parsing: "type=oci,dest=x\(end)", in: "/work")
            #expect(output.mayShareBlobs == mayShare)
        }
    }

    @Test(arguments: [
        "", "type=oci", "type=oci,dest=", "type=registry,dest=x", "type=oci,dest=x,compression=bzip2",
        "type=oci,dest=x,tar=maybe", "type=oci,dest=x,push=true", "type=local,dest=-", "type=oci,dest=x,copy=maybe",
        "type=oci,dest=x.tar,copy=true", "type=local,dest=x,copy=true", "type=registry,copy=true",
    ])
    func malformedOutputs(text: String) {
        let error = #expect(throws: MalformedOption.self) { try OutputSpec(parsing: text, in: "/work") }
        #expect(error?.description.hasPrefix("--output") == true)
    }

    @Test(
        arguments: [
            ("0", 0), ("1", 1), ("512", 512), ("1b", 1), ("1k", 1024), ("1K", 1024), ("1kb", 1024), ("1KiB", 1024),
            ("64m", 64 << 20), ("1g", 1 << 30), ("2T", 2 << 40), ("16777215t", 16_777_215 << 40),
        ] as [(String, UInt64)]
    )
    func sizes(text: String, bytes: UInt64) { #expect(ByteSize.parse(text) == bytes) }

    @Test(arguments: ["", "m", "-1", "1x", "1 m", "1mm", "99999999999999999999", "16777216t", "0x10", "\u{661}"])
    func malformedSizes(text: String) { #expect(ByteSize.parse(text) == nil) }

    @Test(arguments: [("0", 0), ("1700000000", 1_700_000_000), ("253402300799", 253_402_300_799)] as [(String, Int64)])
    func epochs(text: String, seconds: Int64) throws {
        #expect(try SourceDateEpoch.parse(text) == seconds)
    }

    @Test(arguments: ["", "now", "-1", "1.5", " 1", "+1", "253402300800", "99999999999999999999"])
    func malformedEpochs(text: String) {
        let error = #expect(throws: MalformedOption.self) { try SourceDateEpoch.parse(text) }
        #expect(error?.description.contains("SOURCE_DATE_EPOCH") == true)
    }

    @Test(arguments: [
        ("http://h/a.tar", "a.tar"), ("https://h/d/a?x=/b", "a"), ("https://h/a#f/g", "a"), ("http://h", ""),
        ("http://h/", ""), ("http://h/d/", ""), ("http://h/a%20b", "a b"), ("http://h/a%2Fb", ""), ("http://h/..", ""),
        ("http://h/%2e%2e", ""), ("http://h/.", ""), ("http://h/%00", ""), ("http://h/100%", "100%"),
        ("http://h/%zz", "%zz"), ("http://h/%41", "A"), ("http://h/a%+1b", "a%+1b"), ("no url", ""),
        ("http://h/%C3%A9", "é"), ("http://h?x/y", ""),
    ])
    func namesOfURLs(url: String, name: String) { #expect(URLName.fileName(of: url) == name) }

    @Test(
        arguments: [
            (["a\nb\n"], ["a", "b"]), (["a"], ["a"]), (["a\n", "b"], ["a", "b"]), (["a", "b\n"], ["ab"]),
            (["\n\n"], ["", ""]), (["a\r\nb\r\n"], ["a", "b"]), (["a\r", "\nb"], ["a", "b"]), ([""], []),
            (["caf\u{e9}\n"], ["caf\u{e9}"]),
        ] as [([String], [String])]
    )
    func lines(chunks: [String], expected: [String]) {
        #expect(split(chunks.map { Array($0.utf8) }) == expected)
    }

    @Test func aCharacterCutInTwoIsOneCharacter() {
        let bytes = Array("é\n".utf8)
        #expect(split([Array(bytes[..<1]), Array(bytes[1...])]) == ["é"])
        #expect(split([[0xFF, 0x0A]]) == ["\u{FFFD}"])
    }

    @Test func endlessLinesComeInPieces() {
        let lines = split([[UInt8]](repeating: [UInt8](repeating: 0x61, count: 1000), count: 100))
        #expect(lines.joined().utf8.count == 100_000)
        #expect(lines.allSatisfy { $0.utf8.count <= 16 << 10 })
    }

    private func split(_ chunks: [[UInt8]]) -> [String] {
        var splitter = LineSplitter()
        var lines: [String] = []
        for chunk in chunks { chunk.withUnsafeBytes { splitter.add($0) { lines.append($0) } } }
        splitter.finish { lines.append($0) }
        return lines
    }
}
