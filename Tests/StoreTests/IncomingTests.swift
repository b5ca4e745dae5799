import Glibc
import LayerDiff
import OCI
import Testing

@testable import Store

@Suite struct IncomingTests {
    let scratch: StoreScratch
    let store: Store
    let layer: LayerRecord
    let bytes: [UInt8]

    init() throws {
        scratch = try StoreScratch()
        store = try scratch.store()
        layer = try scratch.layer([.file("a", String(repeating: "some text", count: 20_000))])
        bytes = try HostFile.read(scratch.foreign.blobPath(layer.digest), limit: 1 << 20)
    }

    private func begin() throws -> IncomingBlob { try #require(try store.incomingBlob(layer.descriptor)) }

    private func give(_ bytes: some Sequence<UInt8>, to blob: IncomingBlob) -> Bool {
        Array(bytes).withUnsafeBytes { blob.receive($0) }
    }

    @Test func aLayerIsReadWhileItComes() throws {
        let blob = try begin()
        let (store, growing) = (store, blob.growing)
        let read = Background { try store.read(growing, unpackingAbove: { nil }) }
        for byte in stride(from: 0, to: bytes.count, by: 100) {
            #expect(give(bytes[byte..<min(byte + 100, bytes.count)], to: blob))
        }
        try store.publish(blob)
        try store.admit(read.value(), as: [layer.diffID])
        #expect(try store.layer(layer.diffID) == layer)
        #expect(HostFile.exists("\(store.root)/layers/\(layer.diffID.digest.hex)/a"))
        #expect(try scratch.names("incoming") == [])
        #expect(try store.incomingBlob(layer.descriptor) == nil)
    }

    @Test func aReaderIsToldThatTheRestDoesNotCome() throws {
        let blob = try begin()
        let (store, growing) = (store, blob.growing)
        let read = Background { try store.read(growing, unpackingAbove: { nil }) }
        #expect(give(bytes.prefix(10), to: blob))
        growing.fail()
        #expect(throws: LayerError.self) { try read.value() }
        #expect(try scratch.names("layers") == [])
    }

    @Test func anotherTryGoesOnWhereTheFirstWas() throws {
        do {
            let first = try begin()
            #expect(give(bytes.prefix(100), to: first))
            let error = #expect(throws: IncomingBlobError.self) { try store.publish(first) }
            #expect(error?.description.contains("ended after 100 bytes") == true)
        }
        let second = try begin()
        #expect(second.received == 100)
        #expect(give(bytes.dropFirst(100), to: second))
        try store.publish(second)
        #expect(store.images.hasBlob(layer.descriptor))
    }

    @Test func whatIsWrongIsNotKept() throws {
        do {
            let blob = try begin()
            #expect(give(bytes.map { $0 ^ 1 }, to: blob))
            #expect(throws: IncomingBlobError.self) { try store.publish(blob) }
        }
        #expect(try scratch.names("incoming") == [])
        do {
            let blob = try begin()
            #expect(!give(bytes + [0], to: blob))
            let error = #expect(throws: IncomingBlobError.self) { try store.publish(blob) }
            #expect(error?.description.contains("more than") == true)
        }
        #expect(try scratch.names("incoming") == [])
        #expect(!store.images.hasBlob(layer.descriptor))
    }

    @Test func moreThanTheBlobCanHaveIsNoneOfIt() throws {
        try HostFile.write(bytes + bytes, to: "\(store.root)/incoming/\(layer.digest.hex)")
        #expect(try begin().received == 0)
    }

    @Test func aLayerOfAnotherDiffIDIsNotKnown() throws {
        let blob = try begin()
        #expect(give(bytes, to: blob))
        try store.publish(blob)
        let read = try store.read(blob.growing, unpackingAbove: nil)
        let other = DiffID(Digest(of: "other".utf8))
        #expect(throws: StoreError.self) { try store.admit(read, as: [other]) }
        #expect(try store.layer(other) == nil && store.layer(layer.diffID) == nil)
        // The blob is what its digest says: another image may have it, and pruning removes it where none does.
        #expect(store.images.hasBlob(layer.descriptor))
        _ = try store.prune(keepingSeconds: nil)
        #expect(!store.images.hasBlob(layer.descriptor))
    }

    @Test func pruningRemovesWhatCameInPart() throws {
        do {
            let blob = try begin()
            #expect(give(bytes.prefix(10), to: blob))
        }
        _ = try store.prune(keepingSeconds: 3600)
        #expect(try scratch.names("incoming") == [])
    }

    @Test func theStoreKnowsWhereABlobIs() throws {
        try store.note([layer.digest], in: "here/one")
        try store.note([layer.digest], in: "here/two")
        try store.note([layer.digest], in: "here/one")
        #expect(try store.repositories(with: layer.digest).sorted() == ["here/one", "here/two"])
        #expect(try store.repositories(with: Digest(of: "other".utf8)) == [])
    }
}
