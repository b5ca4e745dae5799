import Glibc
import LayerDiff
import OCI
import Testing

@testable import Builder

/// What is known of a context in few bytes is what a walk with a node for each file finds.
@Suite struct ListedTests {
    let scratch: Scratch
    private static let ignoreFiles = [nil, "a*\n!a/b/f1", "**/f1\nb", "*\n!b/c/d/f3", "a\na-b\n!a/b/f2", "**"]

    init() throws {
        scratch = try Scratch()
        // In byte order, `a-b` and `a.c` are between `a` and what is in it.
        for (number, name) in ["a", "a-b", "a/b", "a.c", "a.c/x", "b/c/d", "b/c.d", "é", "z/z/z/z"].enumerated() {
            for file in 0..<(number * 2) { try scratch.write("\(file)", to: "context/\(name)/f\(file)") }
        }
        try scratch.write("", to: "context/a/nothing", mode: 0o4711)
        try scratch.directory("context/empty/inner")
        try scratch.link("context/link", to: "a")
        try scratch.hardLink("context/b/first", to: "context/a/nothing")
        try scratch.hardLink("context/z/other", to: "context/b/c/d/f1")
        try #require(mkfifo("\(scratch.path)/context/b/pipe", 0o600) == 0)
    }

    private func paths(_ files: ListedFiles) -> [ContainerPath] { (0..<files.count).map(files.path) }

    @Test(arguments: ignoreFiles, ["", "a", "b", "empty"])
    func filesAreThoseOfAWalkInByteOrder(ignored: String?, start: String) throws {
        let context = try scratch.context(ignoring: ignored)
        let top = ContainerPath(start)
        var expected: [ContainerPath] = []
        if var node = try context.node(top) {
            node.isImplicit = false
            try context.walk(node) { expected.append($0.entry.path) }
        }
        let found = paths(try ListedWalk.files(below: top, of: context))
        #expect(found == expected.dropFirst().sorted())
    }

    @Test func nodesAreThoseOfAWalk() throws {
        let context = try scratch.context()
        let files = try ListedWalk.files(below: .root, of: context)
        for number in 0..<files.count {
            let listed = files.node(number)
            let node = try #require(try context.node(listed.entry.path))
            #expect(listed.entry == node.entry)
            #expect(listed.identity == node.identity)
            #expect(listed.status == node.status)
        }
    }

    private static let destinations = ["/", "/new/place", "/there", "/full/", "/link", "/some", "/file/below"]
    private let below = [
        directory("there", mode: 0o711, owner: 3), directory("full"), file("full/b"), link("link", to: "there"),
        directory("some"), file("some/other"), directory("some/a.c"), link("some/a", to: "a.c"),
    ]

    /// Whether the destination is new, empty or full: the layer is that of a list of all nodes.
    @Test(arguments: destinations, [nil, "*\n!b/c/d/f3", "a\n!a/b/f2"])
    func theLayerIsThatOfAList(destination: String, ignored: String?) throws {
        let context = try scratch.context(ignoring: ignored)
        let flags: [(mode: String?, isLink: Bool)] = [
            (nil, false), ("750", false), ("u=rwX,go=", false), ("640", true),
        ]
        for (mode, isLink) in flags {
            var step = CopyStep.plain(["."], to: destination)
            step.mode = mode
            step.link = isLink
            let stack = isLink ? nil : fileSystem(below)
            func lines(_ tree: any SourceTree) throws -> [String] {
                let selection = try step.selection(from: tree)
                let owner: (uid: UInt32, gid: UInt32)? = isLink ? (5, 6) : nil
                return try CopyLayer.entries(of: selection, step: step, onto: stack, owner: owner, now: 7).map {
                    "\($0.entry.line) \($0.entry.modified) \($0.entry.kind) \($0.content)"
                }
            }
            let expected = Result { try lines(ListedInPlace(tree: context)) }
            let found = Result { try lines(context) }
            // A file is in the way of the directory `b`, where that is not left out and the base is looked at.
            let mayFail = destination == "/full/" && !isLink
            #expect(mayFail || (try? expected.get()) != nil, "\(expected)")
            #expect("\(found)" == "\(expected)")
        }
    }

    @Test func severalSourcesMayMeet() throws {
        let context = try scratch.context()
        let step = CopyStep.plain(["b/c/d", "a.c", "a"], to: "/x/")
        let expected = try step.layer(from: ListedInPlace(tree: context), onto: fileSystem(below))
        let found = try step.layer(from: context, onto: fileSystem(below))
        #expect(found.map(\.entry) == expected.map(\.entry))
    }

    /// The key is made of what a list of nodes would give, where both are in one order.
    @Test(arguments: ["b", "a", "z", "empty"], [nil, "640"])
    func theDigestIsThatOfAList(source: String, mode: String?) throws {
        let context = try scratch.context()
        let step = CopyStep.plain([source], to: "/x")
        let listed = try step.selection(from: context).digest(owner: nil, mode: mode)
        let list = try step.selection(from: ListedInPlace(tree: context)).digest(owner: nil, mode: mode)
        #expect(listed.files.map(\.line).sorted() == list.files.map(\.line).sorted())
        // In `b`, `c.d` comes before what is in `c`.
        #expect((listed.digest == list.digest) == (source != "b"))
    }

    @Test func theDigestTellsEachFileOfMany() throws {
        for number in 0..<2100 { try scratch.write("\(number)", to: "many/d\(number % 7)/f\(number)") }
        func digest() throws -> Digest {
            let context = try scratch.context("many")
            return try CopyStep.plain(["."], to: "/x").selection(from: context).digest(owner: nil, mode: nil).digest
        }
        var seen: Set<Digest> = [try digest()]
        #expect(try digest() == seen.first)
        for number in [0, 1023, 2047, 2048, 2099] {
            try scratch.write("other \(number)", to: "many/d\(number % 7)/f\(number)")
            #expect(seen.insert(try digest()).inserted)
        }
    }

    @Test func aDirectoryThatIsGoneIsTold() throws {
        let context = try scratch.context()
        #expect(throws: FileError.self) { try ListedWalk.files(below: ContainerPath("missing"), of: context) }
    }
}
