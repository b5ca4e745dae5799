import Testing

@testable import LayerDiff

@Suite struct PathTests {
    @Test(arguments: [
        ("", "/"), ("/", "/"), (".", "/"), ("a", "/a"), ("/a/b/", "/a/b"), ("//a//./b", "/a/b"),
        ("a/../b", "/b"), ("../../x", "/x"), ("a/..", "/"), ("a/b/../../../c", "/c"), ("...", "/..."),
    ])
    func normalises(text: String, expected: String) {
        #expect(ContainerPath(text).description == expected)
    }

    @Test func keepsBytesThatAreNoText() {
        let path = ContainerPath(cleaning: [0x61, 0x2f, 0xff, 0xfe])
        #expect(path.bytes == [0x61, 0x2f, 0xff, 0xfe])
        #expect(Array(path.name) == [0xff, 0xfe])
    }

    /// What the fast way comes to is what splitting comes to.
    @Test func normalisesLikeSplitting() {
        var generator = SystemRandomNumberGenerator()
        let parts = ["", ".", "..", "...", "a", "bc", ".x", "..y", "\u{e9}", "a b"]
        for _ in 0..<2000 {
            let words = (0..<Int.random(in: 0...7, using: &generator)).compactMap { _ in parts.randomElement() }
            let text = words.joined(separator: "/")
            var expected: [Substring] = []
            for component in text.split(separator: "/") where component != "." {
                if component == ".." { _ = expected.popLast() } else { expected.append(component) }
            }
            #expect(ContainerPath(text).bytes == Array(expected.joined(separator: "/").utf8), "\(text)")
            let base = ContainerPath("base/dir")
            #expect(base.appending(text.utf8) == ContainerPath("base/dir/\(text)"), "\(text)")
        }
    }

    /// What is taken as it is, is what normalising leaves as it is.
    @Test func takesWhatIsNormalisedAlone() {
        var dice = Dice(seed: 11)
        let bytes: [UInt8] = Array("/..aab".utf8) + [0, 0xff]
        var taken = 0
        for _ in 0..<20_000 {
            let path = (0..<Int.random(in: 0...6, using: &dice)).compactMap { _ in bytes.randomElement(using: &dice) }
            let isNormalised = ContainerPath(cleaning: path).bytes == path && !path.contains(0)
            #expect((ContainerPath(ifClean: path)?.bytes == path) == isNormalised, "\(path)")
            if isNormalised { taken += 1 }
        }
        #expect(taken > 1000)
    }

    @Test func isPutTogetherAndTakenApart() {
        let (top, below) = (ContainerPath("a/b"), ContainerPath("c/d"))
        #expect(top.child(Array("c".utf8)) == ContainerPath("a/b/c"))
        #expect(ContainerPath.root.child(Array("c".utf8)) == ContainerPath("c"))
        #expect(top.appending(below) == ContainerPath("a/b/c/d"))
        #expect(top.appending(ContainerPath.root) == top)
        #expect(ContainerPath.root.appending(below) == below)
        #expect(ContainerPath("a/b/c/d").dropping(top) == below)
        #expect(top.dropping(top) == .root)
        #expect(below.dropping(.root) == below)
    }

    @Test func leadsUpAndDown() {
        let path = ContainerPath("usr/lib/x")
        #expect(path.parent == ContainerPath("usr/lib"))
        #expect(ContainerPath("usr").parent == .root)
        #expect(ContainerPath.root.parent == nil)
        #expect(path.components.map { String(decoding: $0, as: UTF8.self) } == ["usr", "lib", "x"])
        #expect(path.appending("../y".utf8) == ContainerPath("usr/lib/y"))
        #expect(ContainerPath.root.appending("/a".utf8) == ContainerPath("a"))
    }

    @Test func knowsItsDescendants() {
        let path = ContainerPath("a/b")
        #expect(path.isAncestor(of: ContainerPath("a/b/c")))
        #expect(!path.isAncestor(of: path))
        #expect(!path.isAncestor(of: ContainerPath("a/bc")))
        #expect(ContainerPath.root.isAncestor(of: path))
        #expect(!ContainerPath.root.isAncestor(of: .root))
    }

    @Test func isOrderedByBytes() {
        let sorted = ["a/b", "a-b", "a", "B", "a/\u{e9}", ""].map { ContainerPath($0) }.sorted().map(\.description)
        #expect(sorted == ["/", "/B", "/a", "/a-b", "/a/b", "/a/\u{e9}"])
    }
}
