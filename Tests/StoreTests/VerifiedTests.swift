import Glibc
import LayerDiff
import OCI
import Testing

@testable import Store

@Suite struct VerifiedTests {
    let scratch: StoreScratch
    let store: Store
    let layer: LayerRecord
    let path: String

    init() throws {
        scratch = try StoreScratch()
        let first = try scratch.store()
        let entries: [LayerEntry] = [.file("a", String(repeating: "text", count: 400_000))]
        layer = try scratch.layer(entries, in: first.images, options: LayerOptions(compression: .none))
        try first.insert(layer, tree: nil)
        // Another process, which has not hashed the blob itself.
        store = try scratch.store()
        path = store.images.blobPath(layer.digest)
    }

    private func export(to name: String) throws {
        try store.export(layer.descriptor, to: ImageLayout(creating: "\(scratch.path)/\(name)"))
    }

    /// Notes that the blob was hashed as it is now.
    private func remember() throws {
        let stamp = try #require(BlobStamp(path))
        try store.database.query(
            "INSERT INTO verified (digest, stamp) VALUES (?, ?)",
            [.text(layer.digest.hex), .text(stamp.text)]
        )
    }

    private func damage() throws {
        let file = open(path, O_WRONLY)
        defer { close(file) }
        try #require(pwrite(file, "x", 1, 700_000) == 1)
    }

    @Test func aBlobThatWasHashedAsItIsNeedsNoReading() throws {
        try damage()
        try remember()
        try export(to: "out")
        #expect(HostFile.exists("\(scratch.path)/out/blobs/sha256/\(layer.digest.hex)"))
    }

    @Test func aBlobThatWasChangedSinceIsHashed() throws {
        try remember()
        try damage()
        #expect(throws: BlobError.self) { try export(to: "out") }
    }

    @Test func aBlobThatWasMadeJustNowIsHashedEveryTime() throws {
        try export(to: "first")
        try damage()
        #expect(throws: BlobError.self) { try export(to: "second") }
    }

    @Test func aStampSettlesAfterTheClocksGrain() throws {
        let stamp = try #require(BlobStamp(path))
        var status = stat()
        try #require(stat(path, &status) == 0)
        let changed = Int64(status.st_ctim.tv_sec)
        #expect(!stamp.isSettled(at: changed))
        #expect(!stamp.isSettled(at: changed + 2))
        #expect(stamp.isSettled(at: changed + 3))
        #expect(BlobStamp("\(path).missing") == nil)
    }

    @Test func pruningForgetsBlobsThatAreGone() throws {
        try remember()
        _ = try store.prune(keepingHours: nil)
        #expect(try store.database.query("SELECT * FROM verified").isEmpty)
    }
}
