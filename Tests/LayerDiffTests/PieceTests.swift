import Glibc
import OCI
import Testing

@testable import LayerDiff

/// Pieces of a blob that are taken from an earlier one instead of being compressed again.
@Suite struct PieceTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private func pieces(of data: [UInt8]) -> [ArraySlice<UInt8>] {
        var result: [ArraySlice<UInt8>] = []
        var rest = data[...]
        guard rest.count >= ChunkRing.chunkSize else { return [rest] }
        while !rest.isEmpty {
            let end = Self.end(of: rest.prefix(ChunkRing.chunkSize)) ?? min(rest.count, ChunkRing.chunkSize)
            result.append(rest.prefix(end))
            rest = rest.dropFirst(end)
        }
        return result
    }

    private static func end(of buffer: ArraySlice<UInt8>) -> Int? {
        var seen = 0
        return buffer.withUnsafeBytes { PieceCutter.end(of: $0, seen: &seen) }
    }

    @Test func piecesAreNeitherTinyNorLargerThanABuffer() {
        var dice = Dice(seed: 3)
        let data = dice.bytes(8 << 20)
        let all = pieces(of: data)
        #expect(all.flatMap { $0 } == data)
        #expect(all.dropLast().allSatisfy { (PieceCutter.smallest...ChunkRing.chunkSize).contains($0.count) })
        #expect(all.dropLast().allSatisfy { $0.count.isMultiple(of: 512) })
        #expect(all.count > 20, "nothing was cut where the content says so")
    }

    @Test func zerosAreNotCut() {
        #expect(Self.end(of: [UInt8](repeating: 0, count: ChunkRing.chunkSize)[...]) == nil)
    }

    /// However the tar comes: in writes of any length, and as runs of zeros.
    @Test(arguments: [1, 300, 512, 100_000, 3_000_000])
    func piecesDoNotDependOnHowTheTarComes(length: Int) throws {
        var dice = Dice(seed: 9)
        let data = dice.bytes(2_500_000) + [UInt8](repeating: 0, count: 700_000) + dice.bytes(900_001)
        let expected = pieces(of: data).map(\.count)
        let kept = try scratch.file("blob") { file in
            let pipeline = try LayerPipeline(blob: file, options: LayerOptions())
            for start in stride(from: 0, to: data.count, by: length) {
                try Array(data[start..<min(start + length, data.count)]).withBytes { (bytes) throws(LayerError) in
                    try pipeline.write(bytes)
                }
            }
            return try pipeline.finish().blob.wait().pieces
        }
        let key = try #require(kept).key
        var rest = data[...]
        for (piece, count) in zip(try #require(kept).pieces, expected) {
            #expect(piece.content == rest.prefix(count).withUnsafeBytes { key.fingerprint(of: $0) })
            rest = rest.dropFirst(count)
        }
        #expect(kept?.pieces.count == expected.count)
    }

    @Test(arguments: [512, 51_200, 1_000_448])
    func whatIsAddedInFrontMovesThePiecesAndLeavesThemAsTheyWere(added: Int) {
        var dice = Dice(seed: 5)
        let data = dice.bytes(16 << 20)
        let before = Set(pieces(of: data))
        let after = pieces(of: dice.bytes(added) + data)
        let same = after.count { before.contains($0) }
        #expect(same >= after.count - 8, "\(same) of \(after.count)")
    }

    /// Files that compress to about a half.
    private func entries(_ count: Int, seed: UInt64) -> [LayerEntry] {
        var dice = Dice(seed: seed)
        return (0..<count).map { number in
            let name = "f\(String(repeating: "0", count: 4 - "\(number)".count))\(number)"
            let bytes = dice.bytes(20_000).flatMap { [$0, UInt8(ascii: "a")] }
            let entry = TreeEntry(path: ContainerPath(name), kind: .file(size: 40_000), mode: 0o644, modified: 1000)
            return LayerEntry(entry: entry, content: .bytes(bytes))
        }
    }

    private func reusable(_ name: String, _ entries: [LayerEntry]) throws -> (ReusablePieces, LayerBlob) {
        let (kept, blob) = try scratch.file(name) { file in
            let pending = try LayerWriter.begin(entries, blob: file)
            return (try #require(try pending.pieces()), try pending.finish())
        }
        let again = try #require(KeptPieces(decoding: kept.encoded()))
        #expect(again == kept)
        let descriptor = open("\(scratch.path)/\(name)", O_RDONLY | O_CLOEXEC)
        return (ReusablePieces(again, of: OwnedDescriptor(owning: descriptor, path: name)), blob)
    }

    @Test func aBlobOfPiecesIsTheOneThatCompressingGives() throws {
        let old = entries(200, seed: 7)
        let (earlier, _) = try reusable("old", old)
        let new = [LayerEntry.file("a", "new")] + old.filter { $0.entry.path.description != "/f0100" }
        let plain = try scratch.layer(new, "plain")
        let pieced = try scratch.layer(new, "pieced", options: LayerOptions(earlier: earlier))
        #expect(pieced.blob == plain.blob)
        #expect(try scratch.read("pieced") == scratch.read("plain"))
    }

    @Test func mostPiecesOfAChangedLayerAreFound() throws {
        let old = entries(200, seed: 7)
        let (earlier, _) = try reusable("old", old)
        _ = try scratch.layer([LayerEntry.file("a", "new")] + old, "tar", options: LayerOptions(compression: .none))
        let all = pieces(of: try scratch.read("tar"))
        let found = all.count { piece in
            piece.withUnsafeBytes { earlier.key.fingerprint(of: $0).flatMap { earlier.compressed($0) } } != nil
        }
        #expect(found >= all.count - 4, "\(found) of \(all.count)")
    }

    /// What is damaged in the old blob must not get into the new one.
    @Test func aDamagedPieceIsCompressedAgain() throws {
        let old = entries(200, seed: 7)
        let (earlier, blob) = try reusable("old", old)
        let file = open("\(scratch.path)/old", O_WRONLY)
        defer { close(file) }
        for offset in stride(from: 1000, to: Int(blob.size), by: 50_000) {
            try #require(pwrite(file, "damaged", 7, off_t(offset)) == 7)
        }
        let pieced = try scratch.layer(old, "pieced", options: LayerOptions(earlier: earlier))
        #expect(pieced.blob == blob)
    }

    @Test func whatIsNoListOfPiecesIsNone() throws {
        let (_, _) = try reusable("old", entries(50, seed: 1))
        let kept = try scratch.file("again") { try LayerWriter.begin(entries(50, seed: 1), blob: $0).pieces() }
        let bytes = try #require(kept).encoded()
        #expect(KeptPieces(decoding: []) == nil)
        #expect(KeptPieces(decoding: bytes.dropLast()) == nil)
        #expect(KeptPieces(decoding: Array("x".utf8) + bytes.dropFirst()) == nil)
        for count in stride(from: 0, to: 120, by: 7) {
            #expect(KeptPieces(decoding: Array(bytes.prefix(count))) == nil)
        }
    }

    @Test func fingerprintsNeedTheSameKey() throws {
        let key = FingerprintKey()
        let print = { (key: FingerprintKey, text: String) in
            Array(text.utf8).withUnsafeBytes { key.fingerprint(of: $0) }
        }
        let first = try #require(print(key, "a"))
        #expect(print(try #require(FingerprintKey(bytes: key.bytes)), "a") == first)
        #expect(print(key, "b") != first)
        #expect(print(FingerprintKey(), "a") != first)
        #expect(first.bytes.withUnsafeBytes { Fingerprint(bytes: $0) } == first)
        #expect(FingerprintKey(bytes: [1, 2, 3]) == nil)
    }
}
