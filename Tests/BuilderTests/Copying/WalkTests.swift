import LayerDiff
import OCI
import Testing

@testable import Builder

@Suite struct WalkTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        for (number, name) in ["a", "a-b", "a/b", "b/c/d", "b/c.d", "é", "z/z/z/z"].enumerated() {
            for file in 0..<(number * 3) { try scratch.write("\(file)", to: "context/\(name)/f\(file)") }
        }
        try scratch.directory("context/empty/inner")
        try scratch.link("context/link", to: "a")
    }

    private func paths(_ tree: any SourceTree, _ start: String = "") throws -> [String] {
        let node = try #require(try tree.node(ContainerPath(start)))
        var result: [String] = []
        try tree.walk(node) { result.append($0.entry.path.description) }
        return result
    }

    /// Directories listed by another thread come in the order of a walk that lists them itself.
    @Test(arguments: [nil, "a*\n!a/b/f1", "**/f1\nb", "*\n!b/c/d/f3", "empty"])
    func listingAheadChangesNothing(ignored: String?) throws {
        let context = try scratch.context(ignoring: ignored)
        let expected = try paths(ListedInPlace(tree: context))
        #expect(try paths(context) == expected)
        #expect(!expected.isEmpty)
    }

    @Test func aDirectoryThatCannotBeListedIsTold() throws {
        let context = try scratch.context()
        let tree = Failing(tree: context, at: ContainerPath("b/c"))
        var seen: [String] = []
        #expect(throws: CopyError.self) {
            let root = try #require(try tree.node(.root))
            try tree.walk(root) { seen.append($0.entry.path.description) }
        }
        #expect(seen.last == "/b/c", "what comes before was visited")
    }

    /// Whoever walks may give up; whoever lists ahead then ends as well.
    @Test func aWalkMayBeGivenUp() throws {
        struct Enough: Error {}
        let context = try scratch.context()
        let root = try #require(try context.node(.root))
        for limit in 1..<10 {
            var count = 0
            #expect(throws: Enough.self) {
                try context.walk(root) { _ in
                    count += 1
                    if count == limit { throw Enough() }
                }
            }
        }
    }

    @Test(arguments: [0, 1, 31, 32, 33, 1000], [1, 2, 5])
    func workInParallelKeepsItsOrder(count: Int, threads: Int) throws {
        #expect(try inParallel(count, threads: threads) { $0 * 2 } == (0..<count).map { $0 * 2 })
    }

    @Test func theFirstOfSeveralFailuresCounts() {
        struct Failure: Error, Equatable { let number: Int }
        for _ in 0..<20 {
            #expect(throws: Failure(number: 3)) {
                try inParallel(1000, threads: 3) { if $0 >= 3 { throw Failure(number: $0) } }
            }
        }
    }
}

/// A tree with a directory that cannot be listed.
private struct Failing: SourceTree {
    let tree: ContextTree
    let path: ContainerPath

    init(tree: ContextTree, at path: ContainerPath) {
        self.tree = tree
        self.path = path
    }

    var isListedByKernel: Bool { true }
    func node(_ path: ContainerPath) throws -> SourceNode? { try tree.node(path) }
    func children(_ path: ContainerPath) throws -> [SourceNode] {
        if path == self.path { throw CopyError.tooManyLinks(path) }
        return try tree.children(path)
    }
    func content(_ node: SourceNode) throws -> ContentSource { try tree.content(node) }
    func digest(_ node: SourceNode) throws -> Digest { try tree.digest(node) }
}
