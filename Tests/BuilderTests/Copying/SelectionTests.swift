import Glibc
import LayerDiff
import OCI
import Testing

@testable import Builder

@Suite struct SelectionTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        try scratch.write("1", to: "context/a.txt")
        try scratch.write("2", to: "context/d/b.txt", mode: 0o600)
        try scratch.write("3", to: "context/d/sub/c.txt")
        try scratch.write("4", to: "context/d/sub/skip.log")
        try scratch.link("context/link", to: "d/b.txt")
        try scratch.link("context/d/inner", to: "b.txt")
        try scratch.link("context/dangling", to: "nowhere")
        try scratch.link("context/out", to: "../../../etc/hostname")
    }

    private func lines(_ selection: Selection) -> [String] {
        selection.groups.flatMap { group in group.items.map { "\(group.form) \($0.relative)" } }
    }

    private func digest(_ step: CopyStep, owner: String? = nil, mode: String? = nil) throws -> Digest {
        try step.selection(from: scratch.context()).digest(owner: owner, mode: mode).digest
    }

    @Test func aFileComesUnderItsName() throws {
        #expect(lines(try CopyStep.plain(["a.txt"], to: "/x").selection(from: scratch.context())) == ["file /a.txt"])
    }

    @Test func aDirectoryComesWithAllBelowIt() throws {
        let lines = lines(try CopyStep.plain(["d"], to: "/x").selection(from: scratch.context()))
        #expect(
            lines == [
                "directory /", "directory /b.txt", "directory /inner", "directory /sub", "directory /sub/c.txt",
                "directory /sub/skip.log",
            ]
        )
    }

    /// A link that is named is followed; one that is found below is copied as a link.
    @Test func linksAreFollowedWhereTheyAreNamed() throws {
        let named = try CopyStep.plain(["link"], to: "/x").selection(from: scratch.context())
        let item = try #require(named.groups.first?.items.first)
        #expect(item.relative.description == "/link")
        #expect(item.node.entry.kind == .file(size: 1))
        let below = try CopyStep.plain(["d"], to: "/x").selection(from: scratch.context())
        let inner = below.groups.flatMap(\.items).first { $0.relative.description == "/inner" }
        #expect(inner?.node.entry.kind == .symlink(target: Array("b.txt".utf8)))
    }

    @Test func whatIsMissingIsNamedWithAHint() throws {
        let near = #expect(throws: CopyError.self) {
            try CopyStep.plain(["a.tx"], to: "/x").selection(from: scratch.context())
        }
        #expect(near?.description == "`a.tx` is not in the build context; did you mean `a.txt`?")
        let ignored = #expect(throws: CopyError.self) {
            try CopyStep.plain(["a.txt"], to: "/x").selection(from: scratch.context(ignoring: "d\n*.txt\n"))
        }
        #expect(ignored?.description.contains("line 2 of the ignore file drops it: `*.txt`") == true)
        let dangling = #expect(throws: CopyError.self) {
            try CopyStep.plain(["dangling"], to: "/x").selection(from: scratch.context())
        }
        #expect(dangling?.description.contains("symbolic link to something that is not there") == true)
    }

    /// A link out of the context leads to the context's root, never to the host's files.
    @Test func theHostIsOutOfReach() throws {
        for source in ["out", "../../../../etc/hostname", "/etc/hostname"] {
            #expect(throws: CopyError.self) {
                try CopyStep.plain([source], to: "/x").selection(from: scratch.context())
            }
        }
    }

    @Test func wildcardsMayMatchNothing() throws {
        let selection = try CopyStep.plain(["*.none"], to: "/x").selection(from: scratch.context())
        #expect(selection.groups.isEmpty)
    }

    /// A link to a directory on the way is followed, also to find out that there is nothing.
    @Test func nothingBehindALinkIsNoMatch() throws {
        try scratch.link("context/dl", to: "d/sub")
        let selection = try CopyStep.plain(["*/b.txt"], to: "/x").selection(from: scratch.context())
        #expect(lines(selection) == ["file /b.txt"])
        let error = #expect(throws: CopyError.self) {
            try CopyStep.plain(["dl/none"], to: "/x").selection(from: scratch.context())
        }
        #expect(error?.description.hasPrefix("`dl/none` is not in the build context") == true)
    }

    @Test func severalMatchesNeedADirectory() throws {
        #expect(try CopyStep.plain(["*.txt"], to: "/x").selection(from: scratch.context()).needsDirectory == false)
        try scratch.write("5", to: "context/z.txt")
        #expect(try CopyStep.plain(["*.txt"], to: "/x").selection(from: scratch.context()).needsDirectory)
    }

    @Test func exclusionsApplyBelowAndToWhatIsNamed() throws {
        var step = CopyStep.plain(["d"], to: "/x")
        step.excludes = ["**/*.log", "b.txt"]
        #expect(
            lines(try step.selection(from: scratch.context()))
                == ["directory /", "directory /inner", "directory /sub", "directory /sub/c.txt"]
        )
        step = CopyStep.plain(["a.txt"], to: "/x")
        step.excludes = ["a.txt"]
        #expect(lines(try step.selection(from: scratch.context())).isEmpty)
    }

    @Test func parentsAreKeptFromThePivotOn() throws {
        var step = CopyStep.plain(["d/./sub/c.txt"], to: "/x/")
        step.parents = true
        #expect(lines(try step.selection(from: scratch.context())) == ["tree /sub", "tree /sub/c.txt"])
        step = CopyStep.plain(["d/sub"], to: "/x/")
        step.parents = true
        #expect(
            lines(try step.selection(from: scratch.context()))
                == ["tree /d", "tree /d/sub", "tree /d/sub/c.txt", "tree /d/sub/skip.log"]
        )
    }

    /// With `--parents`, exclusions go by the paths as they are copied.
    @Test(arguments: [
        ("d/sub", ["d/sub/skip.log"], ["tree /d", "tree /d/sub", "tree /d/sub/c.txt"]),
        ("d/sub", ["skip.log"], ["tree /d", "tree /d/sub", "tree /d/sub/c.txt", "tree /d/sub/skip.log"]),
        ("d/./sub", ["sub/*.log"], ["tree /sub", "tree /sub/c.txt"]), ("d/sub", ["d"], []),
    ])
    func exclusionsAndParents(source: String, excludes: [String], expected: [String]) throws {
        var step = CopyStep.plain([source], to: "/x/")
        step.parents = true
        step.excludes = excludes
        #expect(lines(try step.selection(from: scratch.context())) == expected)
    }

    // MARK: The digest

    enum Change: String, CaseIterable {
        case content, mode, name, added, removed, kind, linkTarget, directoryMode
    }

    @Test(arguments: Change.allCases)
    func whateverTheLayerShowsIsInTheDigest(change: Change) throws {
        let step = CopyStep.plain(["d"], to: "/x")
        let before = try digest(step)
        let root = "\(scratch.path)/context/d"
        switch change {
        case .content: try scratch.write("9", to: "context/d/b.txt", mode: 0o600)
        case .mode: chmod("\(root)/b.txt", 0o644)
        case .name: rename("\(root)/b.txt", "\(root)/b2.txt")
        case .added: try scratch.write("", to: "context/d/new")
        case .removed: unlink("\(root)/b.txt")
        case .kind:
            unlink("\(root)/b.txt")
            try scratch.directory("context/d/b.txt")
        case .linkTarget:
            unlink("\(root)/inner")
            try scratch.link("context/d/inner", to: "./b.txt")
        case .directoryMode: chmod("\(root)/sub", 0o700)
        }
        #expect(try digest(step) != before)
    }

    @Test func timesAndWhatIsIgnoredAreNot() throws {
        let step = CopyStep.plain(["d"], to: "/x")
        let before = try digest(step)
        try scratch.setTime(5, of: "context/d/b.txt")
        try scratch.setTime(5, of: "context/d")
        try scratch.write("x", to: "context/unrelated")
        #expect(try digest(step) == before)
        let context = try scratch.context(ignoring: "**/*.log")
        let filtered = try step.selection(from: context).digest(owner: nil, mode: nil).digest
        #expect(filtered != before)
        try scratch.write("changed", to: "context/d/sub/skip.log")
        let again = try step.selection(from: scratch.context(ignoring: "**/*.log")).digest(owner: nil, mode: nil)
        #expect(again.digest == filtered)
    }

    @Test func anAbsoluteModeMakesTheSourcesModesIrrelevant() throws {
        let step = CopyStep.plain(["d"], to: "/x")
        let (absolute, relative) = (try digest(step, mode: "0755"), try digest(step, mode: "u+x"))
        chmod("\(scratch.path)/context/d/b.txt", 0o640)
        #expect(try digest(step, mode: "0755") == absolute)
        #expect(try digest(step, mode: "u+x") != relative)
    }

    @Test func twoNamesOfOneFileAreNotTwoFiles() throws {
        try scratch.write("same", to: "context/h/a")
        try scratch.write("same", to: "context/h/b")
        let step = CopyStep.plain(["h"], to: "/x")
        let two = try digest(step)
        unlink("\(scratch.path)/context/h/b")
        try scratch.hardLink("context/h/b", to: "context/h/a")
        #expect(try digest(step) != two)
    }
}
