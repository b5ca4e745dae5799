import LayerDiff
import Testing

/// What a small archive could make of itself: refused, by layers and by archives that ADD unpacks.
@Suite struct LimitTests {
    typealias Member = Tar.Member

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let members: [Member]

        init(_ name: String, _ members: Member...) {
            testDescription = name
            self.members = members
        }
    }

    static let cases = [
        Case("a directory of the largest size", pax(Member("d/", "D"), ("size", "9223372036854775807"))),
        Case("a file of the largest size", pax(Member("f"), ("size", "9223372036854775807"))),
        Case("more global attributes than fit", global((0..<5000).map { ("SCHILY.xattr.user.\($0)", "value") })),
        Case("a long global record", global([("comment", String(repeating: "x", count: 70_000))])),
        Case("global records that add up", global([("a", long)]), global([("b", long)])),
        Case("names of attributes that no file can have", attributes(5000, named: "SCHILY.xattr.user.aaaaaaaaaaaa")),
        Case("a value that no attribute can have", pax(Member("f"), ("SCHILY.xattr.user.a", long + long))),
        Case("numbers with many zeros", zeros()),
        Case("a long name", long(type: "L"), Member("f")),
        Case("a long target", long(type: "K"), Member("l", "2")),
        Case("many directories that are not listed", deep("a"), deep("b"), deep("c")),
    ]

    static let long = String(repeating: "x", count: 40_000)

    static func pax(_ member: Member, _ record: (key: String, value: String)) -> Member {
        var member = member
        member.pax = [(record.key, Array(record.value.utf8))]
        return member
    }

    static func attributes(_ count: Int, named name: String) -> Member {
        var member = Member("f")
        member.pax = (0..<count).map { ("\(name)\($0)", []) }
        return member
    }

    static func global(_ records: [(key: String, value: String)]) -> Member {
        var holder = Member("f")
        holder.pax = records.map { ($0.key, Array($0.value.utf8)) }
        // The extended header as another archive has it, with its type changed.
        let content = Tar([holder], isEnded: false).bytes.dropFirst(512).dropLast(512)
        var member = Member("pax", "g")
        member.content = Array(content.reversed().drop { $0 == 0 }.reversed())
        return member
    }

    static func long(type: Character) -> Member {
        Member("././@LongLink", type, content: String(repeating: "a/", count: 2100))
    }

    static func deep(_ name: String) -> Member {
        // No header has room for much more.
        Member(name + String(repeating: "/d", count: 45) + "/f")
    }

    static func zeros() -> Member {
        var member = Member("f", content: String(repeating: "0", count: 511) + "\n")
        member.pax = [("GNU.sparse.major", [0x31]), ("GNU.sparse.minor", [0x30]), ("GNU.sparse.realsize", [0x30])]
        return member
    }

    @Test(arguments: cases)
    func isRefused(_ hostile: Case) throws {
        let scratch = try Scratch()
        try scratch.write(Tar(hostile.members + [Member("last")]).bytes, to: "tar")
        let limits = LayerLimits(maxEntries: 100, maxBytes: 1 << 20)
        #expect(throws: LayerError.self) {
            try scratch.reading("tar") { try LayerReader.index($0, limits: limits) }
        }
        let file = try Directory(path: scratch.path).openFile(ContainerPath("tar"))
        #expect(throws: LayerError.self) {
            try Archive.extract(file, into: scratch.directory("out"), limits: limits)
        }
    }

    /// A global attribute is each member's, and star's spelling of one counts before libarchive's.
    @Test func globalAttributesHold() throws {
        let scratch = try Scratch()
        let records = Self.global([
            ("SCHILY.xattr.user.b", "1"), ("SCHILY.xattr.user.a", "2"), ("LIBARCHIVE.xattr.user.a", "WA"),
        ])
        let tar = Tar([records, Member("f"), Self.pax(Member("g"), ("SCHILY.xattr.user.b", "3"))])
        try scratch.write(tar.bytes, to: "tar")
        let layer = try scratch.reading("tar") { try LayerReader.index($0) }
        #expect(
            layer.index.entries.map(\.attributes) == [
                [ExtendedAttribute("user.a", "2"), ExtendedAttribute("user.b", "1")],
                [ExtendedAttribute("user.a", "2"), ExtendedAttribute("user.b", "3")],
            ]
        )
    }
}
