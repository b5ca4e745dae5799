import Testing

@testable import Exec

@Suite struct UserNamespaceTests {
    private static let files: [(text: String, lent: String)] = [
        ("", ""),
        ("me:100000:65536\n", "100000+65536"),
        ("me:100000:65536", "100000+65536"),
        ("1000:7:8\n", "7+8"),
        ("other:1:2\nme:3:4\n1000:5:6\n10:7:8\n", "3+4 5+6"),
        ("me:3:4\nme:3:4\n", "3+4"),
        ("# me:1:2\n me:1:2\nme:1\nme:1:2:3\nme:x:2\nme:1:-2\nme:1:0\nme::\n", ""),
        ("me:4294967295:2\nme:4294967296:1\n", ""),
        ("1000000:1:2\nmee:3:4\n", ""),
    ]

    @Test(arguments: files)
    func readsTheIDsThatWereLent(_ text: String, _ expected: String) {
        let ranges = SubordinateIDs.ranges(in: Array(text.utf8), name: "me", id: 1000)
        #expect(ranges.map { "\($0.first)+\($0.count)" }.joined(separator: " ") == expected)
    }

    @Test func aUserWithoutANameIsFoundByNumber() {
        #expect(SubordinateIDs.ranges(in: Array("me:1:2\n1000:3:4\n".utf8), name: nil, id: 1000).map(\.first) == [3])
    }

    @Test func takesNoMoreRangesThanTheKernel() {
        let text = (0..<1000).map { "me:\($0 * 10):10\n" }.joined()
        #expect(SubordinateIDs.ranges(in: Array(text.utf8), name: "me", id: 1).count == SubordinateIDs.limit)
    }

    private static let ranges: [(lent: String, map: String)] = [
        ("", "0 1000 1\n"),
        ("me:100000:65536", "0 1000 1\n1 100000 65536\n"),
        ("me:100000:10\nme:5:2", "0 1000 1\n1 100000 10\n11 5 2\n"),
        ("me:0:4294967000\nme:5:1000", "0 1000 1\n1 0 4294967000\n"),
    ]

    @Test(arguments: ranges)
    func mapsThemBehindTheUser(_ lent: String, _ expected: String) {
        let lent = SubordinateIDs.ranges(in: Array(lent.utf8), name: "me", id: 1)
        #expect(SubordinateIDs.map(own: 1000, lent: lent).mapText == expected)
    }

    @Test func mapsAreReadAsTheKernelShowsThem() {
        let text = "         0       1000          1\n         1     100000      65536\n"
        let map = [IDMaps.Range](parsing: Array(text.utf8))
        #expect(map.mapText == "0 1000 1\n1 100000 65536\n")
        #expect(map.contains(65536))
        #expect(!map.contains(65537))
    }

    @Test func mapsAreWrittenAndReadBack() {
        let maps = IDMaps(
            users: SubordinateIDs.map(own: 1000, lent: [.init(first: 5, count: 6)]),
            groups: SubordinateIDs.map(own: 100, lent: [])
        )
        #expect(IDMaps(parsing: maps.text) == maps)
        #expect(IDMaps(parsing: "something else") == nil)
    }

    @Test(arguments: [
        ("0 1000 1\n1 100000 10\n", "0 1000 1\n1 100000 10\n", true),
        // A further range, or the same ids in other runs.
        ("0 1000 1\n1 100000 10\n", "0 1000 1\n1 100000 10\n11 5 5\n", true),
        ("0 1000 1\n1 100000 10\n", "0 1000 1\n1 100000 5\n6 100005 5\n", true),
        ("0 0 4294967295\n", "0 0 4294967295\n", true),
        ("0 1000 1\n1 100000 10\n", "0 1000 1\n", false),
        ("0 1000 1\n1 100000 10\n", "0 1000 1\n1 100000 9\n", false),
        ("0 1000 1\n1 100000 10\n", "0 1000 1\n1 200000 10\n", false),
        ("0 1000 1\n1 100000 10\n", "0 1001 1\n1 100000 10\n", false),
        ("0 1000 1\n1 100000 10\n", "0 1000 1\n1 100000 4\n6 100005 5\n", false),
        ("0 1000 1\n1 100000 10\n", "0 1000 1\n1 100000 5\n6 300005 5\n", false),
    ])
    func tellsWhetherIDsStayTheSame(_ earlier: String, _ now: String, _ expected: Bool) {
        func maps(_ text: String) -> IDMaps {
            IDMaps(users: .init(parsing: Array(text.utf8)), groups: .init(parsing: Array(text.utf8)))
        }
        #expect(maps(now).keep(maps(earlier)) == expected)
    }

    @Test func testsRunAsRoot() {
        #expect(Privilege.current() == .root)
        #expect(Privilege.current().idMaps == nil)
    }
}

@Suite struct CallerFileTests {
    @Test(
        arguments: [
            ("/proc/self/fd/1", 1), ("/proc/thread-self/fd/12", 12), ("/dev/fd/0", 0), ("/dev/stdin", 0),
            ("/dev/stdout", 1), ("/dev/stderr", 2), ("/dev/fd/", nil), ("/dev/fd/x", nil), ("/dev/fd/-1", nil),
            ("/dev/fd/1/x", nil), ("/dev/fd/99999999999", nil), ("/proc/1/fd/1", nil), ("dev/fd/1", nil),
        ] as [(String, CInt?)]
    )
    func namesOfOnesOwnDescriptors(_ path: String, _ number: CInt?) {
        #expect(CallerFiles.ownDescriptor(Array(path.utf8)) == number)
    }
}
