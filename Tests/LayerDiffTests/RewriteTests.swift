import LayerDiff
import OCI
import SystemPackage
import Testing

@Suite struct RewriteTests {
    typealias Member = Tar.Member
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private func rewrite(_ from: String, _ to: String, _ options: LayerOptions) throws -> LayerBlob {
        try scratch.reading(from) { input in
            try scratch.file(to) { try LayerRewriter.rewrite(input, to: $0, options: options) }
        }
    }

    /// A foreign layer: not as swbuild writes them.
    private var foreign: [UInt8] {
        var precise = Member("./d/precise", content: "p")
        precise.pax = [("mtime", Array("500.123456".utf8)), ("SCHILY.xattr.user.k", [0, 1])]
        return Tar([
            Member("./", "5"), Member("./d/", "5"), precise, Member("./d/.wh.gone"), Member("d/.wh..wh..opq"),
            Member("h", "1", link: "./d/precise"), Member("z", "2", link: "d"),
            Member("a", content: String(repeating: "a", count: 70_000)),
        ]).bytes + [UInt8](repeating: 0, count: 8192)
    }

    @Test func anotherCompressionKeepsTheTar() throws {
        try scratch.write(foreign, to: "foreign")
        let zstd = try rewrite("foreign", "zstd", LayerOptions(compression: .zstd(level: 3), latestModification: 1000))
        let gzip = try rewrite("zstd", "gzip", LayerOptions(compression: .gzip))
        let plain = try rewrite("gzip", "plain", LayerOptions(compression: .none))
        #expect(zstd.diffID.digest == Digest(of: foreign) && gzip.diffID == zstd.diffID && plain.diffID == zstd.diffID)
        #expect([zstd.compression, gzip.compression, plain.compression] == [.zstd, .gzip, .none])
        #expect(plain.digest == plain.diffID.digest)
        #expect(try scratch.read("plain") == foreign)
    }

    @Test(arguments: [LayerCompression.gzip, .zstd(level: 1), .none])
    func clampingTwiceIsClampingOnce(compression: LayerCompression) throws {
        try scratch.write(foreign, to: "foreign")
        let options = LayerOptions(compression: compression, latestModification: 700)
        let once = try rewrite("foreign", "once", options)
        let twice = try rewrite("once", "twice", options)
        #expect(once == twice)
        #expect(try scratch.read("once") == scratch.read("twice"))
        let before = try scratch.reading("foreign") { try LayerReader.index($0) }.index
        let after = try scratch.reading("once") { try LayerReader.index($0) }.index
        #expect(after.treeDigest() == before.treeDigest())
        #expect(after.entries.map(\.modified) == before.entries.map { min($0.modified, 700) })
        #expect(Set(after.entries.map(\.modified)) == [0, 500, 700])
    }

    @Test func comparesAllButTimes() throws {
        var dice = Dice(seed: 6)
        let large = dice.bytes(400_000)
        let size = Int64(large.count)
        var big = LayerEntry(
            entry: TreeEntry(path: ContainerPath("big"), kind: .file(size: size), mode: 0o600),
            content: .bytes(large)
        )
        big.entry.attributes = [ExtendedAttribute("user.k", "v")]
        let entries: [LayerEntry] = [
            big, .directory("d", isOpaque: true), .node("d/w", .whiteout),
            .node("h", .hardLink(target: ContainerPath("big")), mode: 0o600),
            .file("z", "text"),
        ]
        let layer = try scratch.layer(entries)
        func isSame(_ others: [LayerEntry]) throws -> Bool {
            try layer.reading { try LayerReader.hasSameContent(others, asBlob: $0) }
        }
        func with(_ index: Int, _ change: (inout LayerEntry) -> Void) -> [LayerEntry] {
            var others = entries
            change(&others[index])
            return others
        }
        #expect(try isSame(entries))
        #expect(try isSame(with(0) { $0.entry.modified = 77 }))
        var flipped = large
        flipped[399_999] ^= 1
        let different: [[LayerEntry]] = [
            with(0) { $0.content = .bytes(flipped) }, with(0) { $0.entry.attributes = [] },
            with(0) { $0.entry.mode = 0o601 },
            with(1) { $0.entry.kind = .directory(opaque: false) }, with(1) { $0.entry.uid = 1 },
            Array(entries.dropLast()),
            entries + [.file("zz")], with(3) { $0.entry.kind = .hardLink(target: ContainerPath("z")) },
            with(2) { $0.entry.path = ContainerPath("d/v") },
            with(4) { $0 = .file("z", "test") }, with(4) { $0 = .file("z", "texts") },
        ]
        for others in different { #expect(try !isSame(others)) }
    }
}
