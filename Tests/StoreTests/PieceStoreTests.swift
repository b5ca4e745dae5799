import Glibc
import LayerDiff
import OCI
import SystemPackage
import Testing

@testable import Store

@Suite struct PieceStoreTests {
    let scratch: StoreScratch
    let store: Store

    init() throws {
        scratch = try StoreScratch()
        store = try scratch.store()
    }

    /// A layer of so many bytes in the store, with its pieces.
    private func keep(_ size: Int) throws -> LayerBlob {
        var bytes: [UInt8] = []
        var state: UInt64 = 1
        for _ in 0..<size {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes.append(UInt8(truncatingIfNeeded: state >> 60))
        }
        let entry = TreeEntry(path: ContainerPath("f"), kind: .file(size: Int64(size)), mode: 0o644, modified: 1)
        let path = "\(scratch.path)/blob"
        let file = try FileDescriptor.open(path, .readWrite, options: [.create], permissions: [.ownerReadWrite])
        let pending = try LayerWriter.begin([LayerEntry(entry: entry, content: .bytes(bytes))], blob: file)
        let (blob, pieces) = (try pending.finish(), try pending.pieces())
        try file.close()
        try store.publishBlob(path, as: blob.digest)
        let record = LayerRecord(diffID: blob.diffID, digest: blob.digest, size: blob.size, compression: .gzip)
        try store.insert(record, tree: nil)
        if let pieces { try store.keep(pieces, of: blob) }
        return blob
    }

    @Test func largeLayersKeepTheirPiecesAndSmallOnesDoNot() throws {
        let large = try keep(6 << 20)
        let small = try keep(1 << 20)
        #expect(store.pieces(of: large.diffID) != nil)
        #expect(store.pieces(of: small.diffID) == nil)
        #expect(try scratch.names("pieces") == [large.digest.hex])
    }

    @Test func withoutTheBlobThereIsNothingToCopy() throws {
        let blob = try keep(6 << 20)
        #expect(unlink(store.images.blobPath(blob.digest)) == 0)
        #expect(try scratch.store().pieces(of: blob.diffID) == nil)
    }

    @Test func piecesGoWithTheBlob() throws {
        _ = try keep(6 << 20)
        _ = try store.prune(keepingHours: nil)
        #expect(try scratch.names("pieces") == [])
    }

    /// Another process need not hash what this one hashed while it wrote it.
    @Test func aStepsLayerIsKnownToBeWhatItIs() throws {
        let blob = try keep(6 << 20)
        let layer = try #require(try store.layer(blob.diffID))
        let name = Digest(of: [1])
        let record = StepRecord(
            identity: StepIdentity(key: name, definition: name, parent: nil),
            diffID: blob.diffID,
            created: 1,
            seconds: 1,
            fields: []
        )
        try store.insert(record, layer: layer, tree: name)
        let rows = try store.database.query("SELECT digest, stamp FROM verified")
        #expect(rows.map { $0[0].text } == [layer.digest.hex])
        #expect(rows.first?[1].text == BlobStamp(store.images.blobPath(layer.digest))?.text)
    }
}
