import LayerDiff
import OCI
import Testing

@testable import Builder

@Suite struct KeptHashesTests {
    private func key(_ number: Int, inode: UInt64? = nil, seconds: Int64 = 100) -> FileKey {
        FileKey(
            device: 7,
            inode: inode ?? UInt64(number),
            size: Int64(number),
            modified: Timestamp(seconds: -1, nanoseconds: 999_999_999),
            changed: Timestamp(seconds: seconds, nanoseconds: Int32(number))
        )
    }

    private func digest(_ number: Int) -> Digest { Digest(of: "\(number)".utf8) }

    private func kept(_ table: [FileKey: Digest], after before: KeptHashes = KeptHashes([])) -> KeptHashes {
        KeptHashes(before.encoded(adding: table, used: Array(repeating: false, count: before.count)))
    }

    /// The records found by bisection are those of a plain table, and no others.
    @Test func findsWhatATableFinds() {
        var table: [FileKey: Digest] = [:]
        // Several records of one inode, as on two file systems; large inodes; in no order.
        for number in (0..<500).shuffled() {
            table[key(number, inode: UInt64.max / 500 * UInt64(number / 3))] = digest(number)
        }
        let kept = kept(table)
        #expect(kept.count == table.count)
        for (key, digest) in table { #expect(kept.position(of: key).map(kept.digest) == digest) }
        for number in 0..<500 { #expect(kept.position(of: key(number, inode: UInt64(number) + 1)) == nil) }
    }

    @Test func whatIsNewTakesThePlaceOfTheSameFiles() {
        let first = kept([key(1): digest(1), key(2): digest(2), key(3): digest(3)])
        let second = kept([key(2, seconds: 200): digest(20), key(9): digest(9)], after: first)
        #expect(second.count == 4)
        #expect(second.position(of: key(2)) == nil, "nobody can ask for it again")
        #expect(second.position(of: key(2, seconds: 200)).map(second.digest) == digest(20))
        for number in [1, 3, 9] { #expect(second.position(of: key(number)).map(second.digest) == digest(number)) }
    }

    @Test func bytesOfAnotherFormAreNone() {
        let bytes = kept([key(1): digest(1)]).encoded(adding: [:], used: [false])
        #expect(KeptHashes(bytes).count == 1)
        #expect(KeptHashes(Array(bytes.dropLast())).count == 0)
        var other = bytes
        other[15] = UInt8(ascii: "1")
        #expect(KeptHashes(other).count == 0)
    }
}
