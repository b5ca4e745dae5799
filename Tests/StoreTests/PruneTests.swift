import Glibc
import LayerDiff
import OCI
import Testing

@testable import Store

@Suite struct PruneTests {
    let scratch: StoreScratch
    let store: Store

    init() throws {
        scratch = try StoreScratch()
        store = try scratch.store()
    }

    /// Writes an image's documents.
    private func image(_ layers: [LayerRecord]) throws -> Descriptor {
        var config = ImageConfig(platform: .host)
        config.diffIDs = layers.map(\.diffID)
        let configuration = try store.images.write(config.json.encoded(), as: .config)
        let manifest = ImageManifest(config: configuration, layers: layers.map(\.descriptor))
        return try store.images.write(manifest.json.encoded(), as: .manifest)
    }

    @discardableResult
    private func step(_ key: String, on parent: ChainID?, leaves layer: LayerRecord) throws -> StepIdentity {
        let identity = StepIdentity(key: digest(key), definition: digest("definition"), parent: parent)
        try store.insert(StepRecord(identity: identity, diffID: layer.diffID, created: 0, seconds: 0, fields: []))
        return identity
    }

    private func layer(_ name: String) throws -> LayerRecord {
        let layer = try scratch.stored([.file(name, name)], in: store)
        _ = try store.unpack([layer.diffID])
        return layer
    }

    /// Makes everything look as if it were used last so many hours ago.
    private func age(hours: Int64) throws {
        for table in ["steps", "layers", "selections"] {
            try store.database.script("UPDATE \(table) SET used = used - \(hours * 3600)")
        }
    }

    private func isComplete(_ layer: LayerRecord) throws -> Bool {
        let hex = layer.diffID.digest.hex
        let isKnown = try scratch.store().layer(layer.diffID) != nil
        let parts = ["images/blobs/sha256/\(layer.digest.hex)", "indexes/\(hex)", "layers/\(hex)"].filter {
            HostFile.exists("\(store.root)/\($0)")
        }
        #expect(parts.count == (isKnown ? 3 : 0), "all of a layer or nothing: \(parts)")
        return isKnown
    }

    @Test func keepsWhatNamedImagesNeed() throws {
        let (named, unnamed) = (try layer("named"), try layer("unnamed"))
        let shared = try layer("shared")
        try store.images.tag(try image([shared, named]), as: "a:1")
        let dangling = try image([shared, unnamed])
        try store.images.updateIndex { $0.manifests.append(dangling) }
        try age(hours: 10)
        let freed = try store.prune(keepingHours: 1)
        #expect(freed > 0)
        #expect(try isComplete(named) && isComplete(shared))
        #expect(try !isComplete(unnamed))
        #expect(!HostFile.exists(store.images.blobPath(dangling.digest)))
        let image = try store.images.resolve(tag: "a:1", digest: nil, platform: .host)
        #expect(image.config.diffIDs == [shared.diffID, named.diffID])
        #expect(try store.images.index().manifests.count == 1)
    }

    /// Other tools may put images for several platforms into the layout.
    @Test func keepsTheImagesOfANamedIndex() throws {
        let inner = try layer("inner")
        var entry = try image([inner])
        entry.platform = .host
        let index = try store.images.write(ImageIndex(manifests: [entry]).json.encoded(), as: .index)
        try store.images.tag(index, as: "multi:1")
        _ = try store.prune(keepingHours: nil)
        let image = try store.images.resolve(tag: "multi:1", digest: nil, platform: .host)
        #expect(image.config.diffIDs == [inner.diffID])
        #expect(HostFile.exists(store.images.blobPath(inner.digest)))
    }

    @Test func keepsRecentStepsAndWhatTheyStandOn() throws {
        let old = try layer("old")
        let oldStep = try step("old", on: nil, leaves: old)
        let (base, recent) = (try layer("base"), try layer("recent"))
        try age(hours: 10)
        let recentStep = try step("recent", on: ChainID([base.diffID]), leaves: recent)
        // A build begins with its base image, then finds or makes its steps.
        _ = try scratch.store().importLayer(base.descriptor, diffID: base.diffID, from: scratch.foreign)
        _ = try store.prune(keepingHours: 5)
        #expect(try isComplete(base) && isComplete(recent))
        #expect(try !isComplete(old))
        #expect(try scratch.store().record(of: recentStep) != nil)
        #expect(try scratch.store().record(of: oldStep) == nil)
    }

    @Test func aStepThatIsHitStaysHoweverOldItIs() throws {
        let layer = try layer("a")
        let identity = try step("a", on: nil, leaves: layer)
        try age(hours: 1000)
        let build = try scratch.store()
        #expect(try build.record(of: identity) != nil)
        _ = try store.prune(keepingHours: 24)
        #expect(try scratch.store().record(of: identity) != nil)
        #expect(try isComplete(layer))
    }

    @Test func withoutHoursTheWholeCacheGoes() throws {
        let layer = try layer("a")
        let named = try self.layer("named")
        let identity = try step("a", on: nil, leaves: layer)
        try store.insertSelection(digest("s"), digest: digest("1"))
        try store.images.tag(try image([named]), as: "a:1")
        let cache = try store.cacheMount("id", name: "id") { _ in }
        _ = try store.prune(keepingHours: nil)
        #expect(try !isComplete(layer))
        #expect(try isComplete(named))
        #expect(try store.record(of: identity) == nil)
        #expect(try store.selectionDigest(digest("s")) == nil)
        #expect(!HostFile.exists(cache))
        #expect(try store.layer(layer.diffID) == nil, "nothing is remembered of what is gone")
    }

    @Test func withHoursUsedCacheMountsStay() throws {
        let (old, used) = (try store.cacheMount("a", name: "a") { _ in }, try store.cacheMount("b", name: "b") { _ in })
        for cache in [old, used] { try ageDirectory(of: cache, hours: 3) }
        // A step is given it again.
        _ = try store.cacheMount("b", name: "b") { _ in }
        _ = try store.prune(keepingHours: 1)
        #expect(!HostFile.exists(old) && HostFile.exists(used))
    }

    private func ageDirectory(of cache: String, hours: Int) throws {
        var times = [timeval](repeating: timeval(tv_sec: time(nil) - hours * 3600, tv_usec: 0), count: 2)
        let directory = String(cache.dropLast("/data".count))
        #expect(utimes(directory, &times) == 0)
    }

    @Test func variantsOfNamedImagesStayAndOthersGo() throws {
        let layer = try scratch.stored([.file("a", "text", modified: 5000)], in: store)
        let work = try store.makeWorkDirectory()
        let kept = try store.variant(
            LayerVariant(source: layer.diffID, compression: .gzip, latestModification: 10),
            work: work
        )
        let dropped = try store.variant(
            LayerVariant(source: layer.diffID, compression: .gzip, latestModification: 20),
            work: work
        )
        try store.images.tag(try image([kept]), as: "a:1")
        try age(hours: 10)
        _ = try store.prune(keepingHours: 1)
        #expect(HostFile.exists(store.images.blobPath(kept.digest)))
        #expect(!HostFile.exists(store.images.blobPath(dropped.digest)))
    }

    @Test func waitsForRunningBuilds() throws {
        let layer = try layer("a")
        var hold: FileLock? = try store.holdForBuild()
        #expect(hold != nil)
        // Builds do not wait for builds.
        _ = try scratch.store().holdForBuild()
        let pruning = Background { [store] in try store.prune(keepingHours: nil) }
        try scratch.waitForWaiter(on: "\(store.root)/locks/use")
        #expect(try isComplete(layer))
        hold = nil
        #expect(try pruning.value() > 0)
        #expect(try !isComplete(layer))
    }

    @Test func usageCountsWhatIsThere() throws {
        let before = try store.diskUsage()
        #expect(Set(before.map(\.name)).isSuperset(of: ["images", "layers", "cache-mounts", "logs"]))
        let text = String(repeating: "x", count: 1 << 20)
        let layer = try scratch.stored([.file("a", text)], in: store)
        _ = try store.unpack([layer.diffID])
        let after = try store.diskUsage()
        func part(_ name: String, _ list: [PartUsage]) -> PartUsage? { list.first { $0.name == name } }
        #expect(part("layers", after)?.count == 1)
        #expect(part("images", after)?.count == 1)
        let grown = (part("layers", after)?.bytes ?? 0) - (part("layers", before)?.bytes ?? 0)
        #expect(grown >= 1 << 20 && grown < 2 << 20)
        #expect(try store.prune(keepingHours: nil) >= 1 << 20)
        #expect(try store.diskUsage().first { $0.name == "layers" }?.count == 0)
    }
}
