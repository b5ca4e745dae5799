import Glibc
import LayerDiff
import OCI
import Synchronization
import Testing

@testable import Store

/// Counts from several threads.
private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }

    func increment() { count.withLock { $0 += 1 } }
}

@Suite struct LayerTests {
    let scratch: StoreScratch
    let store: Store

    init() throws {
        scratch = try StoreScratch()
        store = try scratch.store()
    }

    @Test func importsABlobOnce() throws {
        let layer = try scratch.layer([.file("a", "text")])
        let record = try store.importLayer(layer.descriptor, diffID: layer.diffID, from: scratch.foreign)
        #expect(record == layer)
        unlink(scratch.foreign.blobPath(layer.digest))
        #expect(try store.importLayer(layer.descriptor, diffID: layer.diffID, from: scratch.foreign) == layer)
        try store.confirmLayer(layer.diffID)
        #expect(try scratch.store().layer(layer.diffID) == layer)
        #expect(try scratch.names("tmp") == [])
    }

    @Test(arguments: [LayerCompression.none, .gzip, .zstd(level: 3)])
    func looksAtTheContentForTheCompression(compression: LayerCompression) throws {
        let layer = try scratch.layer([.file("a")], options: LayerOptions(compression: compression))
        var descriptor = layer.descriptor
        descriptor.mediaType = MediaType(rawValue: "application/vnd.docker.image.rootfs.diff.tar")
        let record = try store.importLayer(descriptor, diffID: layer.diffID, from: scratch.foreign)
        #expect(record.compression == compression.blobCompression)
    }

    @Test func refusesABlobThatIsNotWhatItsDescriptorSays() throws {
        let layer = try scratch.layer([.file("a", String(repeating: "text", count: 1000))])
        let path = scratch.foreign.blobPath(layer.digest)
        let good = try HostFile.read(path, limit: 1 << 20)
        var flipped = good
        flipped[good.count - 1] ^= 1
        for (bytes, words) in [
            (flipped, "is corrupt"), (good + [0], "bytes instead of"), (Array(good.dropLast()), "bytes instead of"),
        ] {
            try HostFile.write(bytes, to: path)
            let error = #expect(throws: BlobError.self) {
                try store.importLayer(layer.descriptor, diffID: layer.diffID, from: scratch.foreign)
            }
            #expect(error?.description.contains(words) == true)
            #expect(try store.layer(layer.diffID) == nil)
            #expect(!HostFile.exists(store.images.blobPath(layer.digest)), "nothing half-made")
            #expect(try scratch.names("tmp") == [])
        }
        unlink(path)
        let missing = #expect(throws: BlobError.self) {
            try store.importLayer(layer.descriptor, diffID: layer.diffID, from: scratch.foreign)
        }
        #expect(missing?.description.contains("is missing") == true)
    }

    @Test func aWrongDiffIDIsFoundWhenTheLayerIsRead() throws {
        let layer = try scratch.layer([.file("a")])
        let wrong = DiffID(digest("wrong"))
        _ = try store.importLayer(layer.descriptor, diffID: wrong, from: scratch.foreign)
        let error = #expect(throws: StoreError.self) { try store.unpack([wrong]) }
        #expect(error?.description.contains("the image is corrupt") == true)
        #expect(throws: StoreError.self) { try store.index(of: wrong) }
        #expect(try scratch.names("layers") == [])
        #expect(try scratch.names("indexes") == [])
    }

    @Test func aSelfContainedLayerIsUnpackedOnceWhateverIsBelow() throws {
        let first = try scratch.stored([.directory("d"), .file("d/a", "1")], in: store)
        let second = try scratch.stored([.directory("d", mode: 0o700), .file("d/b", "2")], in: store)
        let alone = try store.unpack([second.diffID])
        #expect(alone == "\(store.root)/layers/\(second.diffID.digest.hex)")
        #expect(try store.unpack([first.diffID, second.diffID]) == alone)
        #expect(try scratch.text("\(alone)/d/b") == "2")
        #expect(try store.directories([first.diffID, second.diffID]).first == alone)
    }

    @Test func alayerThatDependsOnWhatIsBelowIsUnpackedForEachChain() throws {
        let open = try scratch.stored([.directory("d", mode: 0o755), .file("d/a")], in: store)
        let closed = try scratch.stored([.directory("d", mode: 0o700), .file("d/a")], in: store)
        // Without its parent directory: what that looks like is for the layers below to say.
        let upper = try scratch.stored([.file("d/b", "2")], in: store)
        for (below, mode) in [(open, 0o755), (closed, 0o700)] as [(LayerRecord, mode_t)] {
            let chain = [below.diffID, upper.diffID]
            let directory = try store.unpack(chain)
            #expect(directory == "\(store.root)/layers/\(try #require(ChainID(chain)).digest.hex)")
            var status = stat()
            #expect(stat("\(directory)/d", &status) == 0)
            #expect(status.st_mode & 0o7777 == mode)
            #expect(try store.unpack(chain) == directory)
        }
    }

    @Test func theSameLayerTwiceIsOneDirectory() throws {
        let first = try scratch.stored([.file("a")], in: store)
        let second = try scratch.stored([.file("b")], in: store)
        let chain = [first.diffID, second.diffID, first.diffID]
        let directories = try store.directories(chain)
        #expect(directories.count == 2)
        #expect(directories.first?.hasSuffix(first.diffID.digest.hex) == true, "where it is topmost")
    }

    @Test func severalThreadsUnpackOnce() throws {
        let layer = try scratch.stored((0..<50).map { .file("f\($0)", "\($0)") }, in: store)
        let paths = Set(try onThreads(8) { [scratch] _ in try scratch.store().unpack([layer.diffID]) })
        #expect(paths.count == 1)
        #expect(try scratch.names("layers").count == 1)
        #expect(try scratch.text("layers/\(layer.diffID.digest.hex)/f49") == "49")
        #expect(try scratch.names("tmp") == [])
    }

    @Test func missingLayersAndEmptyChainsAreErrors() {
        #expect(throws: StoreError.self) { try store.unpack([]) }
        let error = #expect(throws: StoreError.self) { try store.unpack([DiffID(digest("none"))]) }
        #expect(error?.description.contains("is not in the store") == true)
    }

    @Test func adoptingTwiceKeepsTheFirst() throws {
        let diffID = DiffID(digest("layer"))
        for text in ["first", "second"] {
            let upper = "\(scratch.path)/upper"
            try HostFile.createDirectories(upper)
            try HostFile.write(Array(text.utf8), to: "\(upper)/file")
            try store.adopt(upper, as: diffID)
            #expect(!HostFile.exists(upper))
            #expect(try scratch.text("layers/\(diffID.digest.hex)/file") == "first")
        }
    }

    @Test func aDamagedIndexIsReadAnewFromTheBlob() throws {
        let layer = try scratch.stored([.directory("d"), .file("d/a")], in: store)
        let index = try store.index(of: layer.diffID)
        try HostFile.write([1, 2, 3], to: "\(store.root)/indexes/\(layer.diffID.digest.hex)")
        #expect(try scratch.store().index(of: layer.diffID) == index)
    }

    // MARK: Variants

    @Test func aLayerThatIsAlreadyAsWantedIsTheVariant() throws {
        let layer = try scratch.stored([.file("a", modified: 1000)], in: store)
        let work = try store.makeWorkDirectory()
        for latest in [nil, 1000, 2000] as [Int64?] {
            let wanted = LayerVariant(source: layer.diffID, compression: .gzip, latestModification: latest)
            #expect(try store.variant(wanted, work: work) == layer)
        }
    }

    @Test func timesAreHeldBelowTheLimit() throws {
        let layer = try scratch.stored([.file("new", "n", modified: 5000), .file("old", "o", modified: 10)], in: store)
        let work = try store.makeWorkDirectory()
        let wanted = LayerVariant(source: layer.diffID, compression: .gzip, latestModification: 999)
        let variant = try store.variant(wanted, work: work)
        #expect(variant.diffID != layer.diffID)
        let index = try store.index(of: variant.diffID)
        #expect(index.entries.map(\.modified) == [999, 10])
        let path = store.images.blobPath(variant.digest)
        var (before, after) = (stat(), stat())
        stat(path, &before)
        #expect(try scratch.store().variant(wanted, work: work) == variant)
        stat(path, &after)
        #expect(before.st_ino == after.st_ino, "made once")
        #expect(try store.layer(layer.diffID) == layer, "the source stays")
    }

    @Test(arguments: [BlobCompression.none, .zstd])
    func otherCompressionsAreOfTheSameTar(compression: BlobCompression) throws {
        let layer = try scratch.stored([.file("a", String(repeating: "x", count: 10_000))], in: store)
        let work = try store.makeWorkDirectory()
        let wanted = LayerVariant(source: layer.diffID, compression: compression, latestModification: nil)
        let variant = try store.variant(wanted, work: work)
        #expect(variant.diffID == layer.diffID)
        #expect(variant.digest != layer.digest)
        #expect(variant.compression == compression)
        let bytes = try HostFile.read(store.images.blobPath(variant.digest), limit: 1 << 20)
        #expect(Digest(of: bytes) == variant.digest)
        #expect(Int64(bytes.count) == variant.size)
        #expect(try store.layer(layer.diffID) == layer)
        #expect(try store.variant(wanted, work: work) == variant)
    }

    @Test func aVariantOfAMissingLayerIsAnError() throws {
        let work = try store.makeWorkDirectory()
        let wanted = LayerVariant(source: DiffID(digest("none")), compression: .zstd, latestModification: nil)
        #expect(throws: StoreError.self) { try store.variant(wanted, work: work) }
    }

    // MARK: Cache mounts

    @Test func aCacheMountIsPreparedOnce() throws {
        let counter = Counter()
        try onThreads(8) { [scratch] _ in
            let path = try scratch.store().cacheMount("id", name: "id") { directory in
                counter.increment()
                try HostFile.write(Array("ready".utf8), to: "\(directory)/file")
            }
            guard HostFile.exists("\(path)/file") else { throw HostFileError("find", path, code: ENOENT) }
        }
        #expect(counter.value == 1)
    }

    @Test(arguments: ["../../x", "/etc", "", ".", "a/b", "a\nb", "\u{e9}"])
    func anIDIsNeverPartOfAPath(id: String) throws {
        let path = try store.cacheMount(id, name: id) { _ in }
        let entries = try scratch.names("cache-mounts")
        let name = try #require(entries.first)
        #expect(entries.count == 1)
        #expect(path == "\(store.root)/cache-mounts/\(name)/data")
        #expect(name.utf8.count == 64)
        #expect(name.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
    }

    @Test func aFailedPreparationLeavesNothingThatCounts() throws {
        #expect(throws: CancellationError.self) {
            try store.cacheMount("id", name: "id") { directory in
                try HostFile.write([1], to: "\(directory)/half")
                throw CancellationError()
            }
        }
        let path = try store.cacheMount("id", name: "id") { _ in }
        #expect(!HostFile.exists("\(path)/half"))
    }

    @Test func aLayerThatNobodyHasReadIsNobodyElses() throws {
        let good = try scratch.layer([.file("a", "good")])
        let evil = try scratch.layer([.file("a", "evil")])
        let store = try scratch.store()
        _ = try store.importLayer(evil.descriptor, diffID: good.diffID, from: scratch.foreign)
        // Another process has to see for itself, and does not find what this one believes.
        #expect(try scratch.store().layer(good.diffID) == nil)
        // Nor does this one, when somebody knows better.
        #expect(try store.importLayer(good.descriptor, diffID: good.diffID, from: scratch.foreign) == good)
        #expect(try store.layer(good.diffID) == good)
        #expect(try scratch.store().layer(good.diffID) == good)
    }

    @Test func whatAnImageSaysOfItsLayersIsConfirmed() throws {
        let good = try scratch.layer([.file("a", "good")])
        let evil = try scratch.layer([.file("a", "evil")])
        let store = try scratch.store()
        _ = try store.importLayer(evil.descriptor, diffID: good.diffID, from: scratch.foreign)
        #expect(throws: StoreError.self) { try store.confirmLayer(good.diffID) }
        #expect(try store.layer(good.diffID) == nil)
        _ = try store.importLayer(good.descriptor, diffID: good.diffID, from: scratch.foreign)
        try store.confirmLayer(good.diffID)
        #expect(try scratch.store().layer(good.diffID) == good)
    }
}
