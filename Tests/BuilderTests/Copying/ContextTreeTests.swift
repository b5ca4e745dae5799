import LayerDiff
import Testing

@testable import Builder

@Suite struct ContextTreeTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
        for name in [
            "keep", "a.log", "d/a.log", "d/keep.log", "d/e/f", "secret/key", "secret/pub/cert", "node_modules/m/x",
        ] {
            try scratch.write(name, to: "context/\(name)")
        }
    }

    private func walked(_ lines: String?) throws -> [String] {
        let tree = try scratch.context(ignoring: lines)
        let root = try #require(try tree.node(.root))
        var paths: [String] = []
        try tree.walk(root) { if !$0.entry.path.isRoot { paths.append($0.entry.path.description) } }
        return paths
    }

    /// Dockerfile reference, ".dockerignore file".
    @Test(
        arguments: [
            (
                nil,
                [
                    "/a.log", "/d", "/d/a.log", "/d/e", "/d/e/f", "/d/keep.log", "/keep", "/node_modules",
                    "/node_modules/m",
                    "/node_modules/m/x", "/secret", "/secret/key", "/secret/pub", "/secret/pub/cert",
                ]
            ),
            ("*", []), ("*\n!keep", ["/keep"]), ("*\n!d/e", ["/d", "/d/e", "/d/e/f"]),
            ("**/*.log\nnode_modules\nsecret", ["/d", "/d/e", "/d/e/f", "/keep"]),
            ("d\n*.log\nnode_modules\nkeep\nsecret\n!secret/pub", ["/secret", "/secret/pub", "/secret/pub/cert"]),
            ("*\n!**/*.log\nd/a.log", ["/a.log", "/d", "/d/keep.log"]),
            ("*\n!secret\nsecret/key", ["/secret", "/secret/pub", "/secret/pub/cert"]),
        ] as [(String?, [String])]
    )
    func showsWhatTheRulesLeave(lines: String?, expected: [String]) throws {
        #expect(try walked(lines) == expected)
    }

    @Test func whatIsIgnoredIsNotThereByNameEither() throws {
        let tree = try scratch.context(ignoring: "secret\n!secret/pub\n*.log")
        #expect(try tree.node(ContainerPath("secret/key")) == nil)
        #expect(try tree.node(ContainerPath("a.log")) == nil)
        #expect(try tree.node(ContainerPath("secret/pub/cert")) != nil)
        #expect(try tree.node(ContainerPath("keep")) != nil)
        #expect(try tree.hidingRule(ContainerPath("secret/key")) == "line 1 of the ignore file drops it: `secret`")
        #expect(try tree.hidingRule(ContainerPath("a.log")) == "line 3 of the ignore file drops it: `*.log`")
        #expect(try tree.hidingRule(ContainerPath("absent.log")) == nil)
        #expect(try tree.hidingRule(ContainerPath("keep")) == nil)
    }

    @Test func aDirectoryOnlyForItsExceptionsIsMarked() throws {
        let tree = try scratch.context(ignoring: "secret\n!secret/pub")
        #expect(try tree.node(ContainerPath("secret"))?.isImplicit == true)
        #expect(try tree.node(ContainerPath("secret/pub"))?.isImplicit == false)
    }

    @Test func ownersOfTheHostDoNotMatter() throws {
        let entry = try #require(try scratch.context().node(ContainerPath("keep"))?.entry)
        #expect(entry.uid == 0 && entry.gid == 0)
        #expect(entry.modified == 1_600_000_000)
        #expect(entry.mode == 0o644)
    }
}
