import LayerDiff
import OCI
import Testing

@testable import Builder

/// Dockerfile reference, "COPY", and what BuildKit makes of it.
@Suite struct CopyLayerTests {
    let scratch: Scratch
    let tree: ContextTree
    private let empty = fileSystem([])

    init() throws {
        scratch = try Scratch()
        try scratch.write("1", to: "context/a.txt", mode: 0o640)
        try scratch.write("2", to: "context/b.txt")
        try scratch.write("3", to: "context/tree/f")
        try scratch.write("4", to: "context/tree/sub/g")
        try scratch.write("5", to: "context/odd/contested")
        try scratch.write("6", to: "context/dirs/contested/f")
        try scratch.write("7", to: "context/hard/a")
        try scratch.hardLink("context/hard/b", to: "context/hard/a")
        try scratch.write("8", to: "context/links/real")
        try scratch.link("context/links/l", to: "real")
        tree = try scratch.context()
    }

    private func lines(_ step: CopyStep, onto entries: [TreeEntry] = []) throws -> [String] {
        try step.layer(from: tree, onto: fileSystem(entries)).map(\.entry.line)
    }

    private func paths(_ sources: [String], _ destination: String, onto entries: [TreeEntry] = []) throws -> [String] {
        try CopyStep.plain(sources, to: destination).layer(from: tree, onto: fileSystem(entries)).map {
            String($0.entry.path.description)
        }
    }

    /// Without a look at what is below, a file takes the place of a directory of the same layer, and of all in it.
    @Test func aFileInThePlaceOfADirectoryIsThereAlone() throws {
        try scratch.write("9", to: "context/dirs/contested/deep/g")
        var step = CopyStep.plain(["dirs", "odd", "tree"], to: "/x/")
        step.link = true
        let paths = try step.layer(from: scratch.context(), onto: fileSystem([])).map { "\($0.entry.path)" }
        #expect(paths == ["/x", "/x/contested", "/x/f", "/x/sub", "/x/sub/g"])
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var sources: [String]
        var destination: String
        var onto: [TreeEntry] = []
        var expected: [String]

        var testDescription: String { "\(sources) to \(destination)" }
    }

    @Test(arguments: [
        Case(sources: ["a.txt"], destination: "/x", expected: ["/x"]),
        Case(sources: ["a.txt"], destination: "/x/", expected: ["/x", "/x/a.txt"]),
        Case(sources: ["a.txt"], destination: "/", expected: ["/a.txt"]),
        Case(sources: ["a.txt"], destination: "/p/q/x", expected: ["/p", "/p/q", "/p/q/x"]),
        Case(sources: ["a.txt"], destination: "/d", onto: [directory("d")], expected: ["/d", "/d/a.txt"]),
        Case(sources: ["a.txt"], destination: "/d/", onto: [directory("d")], expected: ["/d", "/d/a.txt"]),
        Case(sources: ["a.txt"], destination: "/f", onto: [file("f")], expected: ["/f"]),
        Case(sources: ["a.txt", "b.txt"], destination: "/x/", expected: ["/x", "/x/a.txt", "/x/b.txt"]),
        Case(sources: ["*.txt"], destination: "/x", expected: ["/x", "/x/a.txt", "/x/b.txt"]),
        Case(sources: ["tree"], destination: "/x", expected: ["/x", "/x/f", "/x/sub", "/x/sub/g"]),
        Case(sources: ["tree"], destination: "/", expected: ["/f", "/sub", "/sub/g"]),
        Case(
            sources: ["tree", "a.txt"],
            destination: "/x/",
            expected: ["/x", "/x/a.txt", "/x/f", "/x/sub", "/x/sub/g"]
        ),
        // A link to a directory is followed, and so is one on the way; the link itself stays.
        Case(
            sources: ["a.txt"],
            destination: "/l",
            onto: [directory("d"), link("l", to: "d")],
            expected: ["/d", "/d/a.txt"]
        ),
        Case(
            sources: ["tree/sub"],
            destination: "/l",
            onto: [directory("d"), link("l", to: "/d")],
            expected: ["/d", "/d/g"]
        ),
        Case(
            sources: ["a.txt"],
            destination: "/l/new/x",
            onto: [directory("d"), link("k", to: "../../d"), link("l", to: "k")],
            expected: ["/d", "/d/new", "/d/new/x"]
        ),
        Case(
            sources: ["a.txt"],
            destination: "/l",
            onto: [file("target"), link("l", to: "target")],
            expected: ["/target"]
        ),
        // What is found below a source replaces links, but a directory goes where a link to one leads.
        Case(
            sources: ["tree"],
            destination: "/d",
            onto: [directory("d"), file("t"), link("d/f", to: "/t")],
            expected: ["/d", "/d/f", "/d/sub", "/d/sub/g"]
        ),
        Case(
            sources: ["tree"],
            destination: "/d",
            onto: [directory("d"), directory("t"), link("d/sub", to: "/t")],
            expected: ["/d", "/d/f", "/t", "/t/g"]
        ),
    ])
    func places(expected: Case) throws {
        #expect(try paths(expected.sources, expected.destination, onto: expected.onto) == expected.expected)
    }

    @Test func attributes() throws {
        #expect(try lines(.plain(["a.txt"], to: "/p/x")) == ["d 755 0:0 /p", "- 640 0:0 /p/x"])
        let layer = try CopyStep.plain(["tree"], to: "/p/x").layer(from: tree, onto: empty)
        let times = layer.map { "\($0.entry.path) \($0.entry.modified)" }
        #expect(times.contains("/p 7"), "directories on the way are new")
        #expect(times.contains("/p/x/f 1600000000"))
        try scratch.setTime(1_500_000_000, of: "context/tree")
        let again = try CopyStep.plain(["tree"], to: "/x").layer(from: tree, onto: empty)
        #expect(again.first?.entry.modified == 1_500_000_000, "the destination has its source's time")
    }

    @Test func aDirectoryThatIsThereKeepsItsAttributesAndThoseBelowTakeTheSources() throws {
        let there = [directory("d", mode: 0o711, owner: 3), directory("d/sub", mode: 0o700, owner: 4)]
        #expect(
            try lines(.plain(["tree"], to: "/d"), onto: there)
                == ["d 711 3:3 /d", "- 644 0:0 /d/f", "d 755 0:0 /d/sub", "- 644 0:0 /d/sub/g"]
        )
        #expect(
            try lines(.plain(["a.txt"], to: "/d/sub/new/"), onto: there)
                == ["d 711 3:3 /d", "d 700 4:4 /d/sub", "d 755 0:0 /d/sub/new", "- 640 0:0 /d/sub/new/a.txt"]
        )
    }

    @Test func ownersAndModesApplyToAllThatIsMade() throws {
        var step = CopyStep.plain(["tree", "links"], to: "/p/x/")
        step.mode = "u=rwX,go="
        let layer = try CopyLayer.entries(
            of: step.selection(from: tree),
            step: step,
            onto: fileSystem([directory("p", mode: 0o711, owner: 3)]),
            owner: (uid: 5, gid: 6),
            now: 7
        )
        let lines = layer.map(\.entry.line)
        #expect(lines.contains("d 711 3:3 /p"), "what is there stays")
        #expect(lines.contains("d 700 5:6 /p/x/sub"))
        #expect(lines.contains("- 600 5:6 /p/x/f"))
        #expect(lines.contains("l(real) 777 5:6 /p/x/l"), "links have no mode of their own")
        #expect(lines.contains { $0.hasSuffix("5:6 /p/x") }, "new parents have the owner too")
    }

    /// What an octal mode names is all that the step makes, as BuildKit has it.
    @Test(arguments: [("600", "600"), ("1770", "770"), ("u=rw,go=", "755"), ("+x", "755")])
    func anOctalModeIsForTheDirectoriesOnTheWayToo(mode: String, expected: String) throws {
        var step = CopyStep.plain(["a.txt"], to: "/d/p/q/x")
        step.mode = mode
        let found = try lines(step, onto: [directory("d", mode: 0o711)])
        #expect(found.prefix(3) == ["d 711 0:0 /d", "d \(expected) 0:0 /d/p", "d \(expected) 0:0 /d/p/q"])
    }

    @Test func filesAndDirectoriesDoNotReplaceEachOther() throws {
        let cases: [(sources: [String], destination: String, onto: [TreeEntry])] = [
            (["tree"], "/f", [file("f")]), (["odd"], "/d", [directory("d"), directory("d/contested")]),
            (["dirs"], "/d", [directory("d"), file("d/contested")]), (["a.txt"], "/f/x", [file("f")]),
            (["a.txt"], "/f/", [file("f")]),
        ]
        for item in cases {
            let error = #expect(throws: CopyError.self) {
                try paths(item.sources, item.destination, onto: item.onto)
            }
            #expect(error?.description.contains("there is") == true, "\(item.destination)")
        }
    }

    @Test func laterSourcesWin() throws {
        try scratch.write("first", to: "context/one/same")
        try scratch.write("second", to: "context/two/same")
        for (sources, text) in [(["one", "two"], "second"), (["two", "one"], "first")] {
            let layer = try CopyStep.plain(sources, to: "/x/").layer(from: tree, onto: empty)
            let content = try #require(layer.last { $0.entry.path.description == "/x/same" }?.content)
            guard case .file(_, let path, _) = content else {
                Issue.record("no file")
                return
            }
            #expect(try scratch.text("context\(path)") == text)
        }
    }

    @Test func hardLinksStayWithinOneSource() throws {
        #expect(
            try lines(.plain(["hard"], to: "/x")) == ["d 755 0:0 /x", "- 644 0:0 /x/a", "h(/x/a) 644 0:0 /x/b"]
        )
        #expect(
            try lines(.plain(["hard/a", "hard/b"], to: "/x/")) == ["d 755 0:0 /x", "- 644 0:0 /x/a", "- 644 0:0 /x/b"]
        )
    }

    @Test func aLinkedLayerStandsAlone() throws {
        var step = CopyStep.plain(["a.txt"], to: "/l/x")
        step.link = true
        let layer = try CopyLayer.entries(of: step.selection(from: tree), step: step, onto: nil, owner: nil, now: 7)
        #expect(layer.map(\.entry.line) == ["d 755 0:0 /l", "- 640 0:0 /l/x"])
    }

    @Test func entriesAreInOrderWithTheirParents() throws {
        let layer = try CopyStep.plain(["."], to: "/deep/er").layer(from: tree, onto: empty)
        let index = LayerIndex(layer.map(\.entry))
        #expect(index.isSelfContained)
        #expect(layer.map(\.entry.path) == layer.map(\.entry.path).sorted())
        #expect(Set(layer.map(\.entry.path)).count == layer.count)
    }

    @Test func nothingSelectedIsAnEmptyLayer() throws {
        #expect(try paths(["*.none"], "/x/") == [])
    }

    @Test func linksInTheDestinationThatGoInCirclesAreAnError() {
        #expect(throws: (any Error).self) {
            try paths(["a.txt"], "/l/x", onto: [link("l", to: "m"), link("m", to: "l")])
        }
    }
}
