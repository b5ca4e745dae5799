import Glibc
import LayerDiff
import OCI
import Testing

@testable import Store

@Suite struct RecordTests {
    let scratch: StoreScratch
    let store: Store

    init() throws {
        scratch = try StoreScratch()
        store = try scratch.store()
    }

    private func identity(_ key: String, parent: ChainID? = nil) -> StepIdentity {
        StepIdentity(key: digest(key), definition: digest("definition"), parent: parent)
    }

    private func record(_ identity: StepIdentity, _ diffID: DiffID?, created: Int64 = 5) -> StepRecord {
        StepRecord(identity: identity, diffID: diffID, created: created, seconds: 1.25, fields: [0, 1, 255])
    }

    @Test func stepsComeBackAsTheyWere() throws {
        let layer = try scratch.stored([.file("a")], in: store)
        let parent = ChainID([layer.diffID])
        let records = [
            record(identity("a"), layer.diffID), record(identity("a", parent: parent), layer.diffID, created: -7),
            record(identity("b"), nil),
        ]
        for record in records { try store.insert(record) }
        for record in records {
            #expect(try store.record(of: record.identity) == record)
            #expect(try scratch.store().record(of: record.identity) == record, "another process sees it too")
        }
        #expect(try store.record(of: identity("c")) == nil)
        #expect(try store.record(of: identity("b", parent: parent)) == nil)
        #expect(Set(try store.records(ofDefinition: digest("definition"), limit: 10)) == Set(records))
        #expect(try store.records(ofDefinition: digest("definition"), limit: 2).count == 2)
        #expect(try store.records(ofDefinition: digest("other"), limit: 2) == [])
    }

    @Test func aLaterRecordReplacesTheEarlier() throws {
        try store.insert(record(identity("a"), nil, created: 1))
        try store.insert(record(identity("a"), nil, created: 2))
        #expect(try store.record(of: identity("a"))?.created == 2)
        #expect(try store.records(ofDefinition: digest("definition"), limit: 10).count == 1)
    }

    enum Damage: CaseIterable { case missing, shorter, longer }

    @Test(arguments: Damage.allCases)
    func aStepWhoseLayerIsDamagedIsAMiss(damage: Damage) throws {
        let layer = try scratch.stored([.file("a", "content")], in: store)
        try store.insert(record(identity("a"), layer.diffID))
        let path = store.images.blobPath(layer.digest)
        switch damage {
        case .missing: unlink(path)
        case .shorter: truncate(path, Int(layer.size) - 1)
        case .longer: truncate(path, Int(layer.size) + 1)
        }
        let fresh = try scratch.store()
        #expect(try fresh.layer(layer.diffID) == nil)
        #expect(try fresh.record(of: identity("a")) == nil)
    }

    @Test func layersAndTheirTreesComeBack() throws {
        let layer = try scratch.layer([.file("a")], in: store.images)
        #expect(try store.layer(layer.diffID) == nil)
        try store.insert(layer, tree: digest("tree"))
        #expect(try scratch.store().layer(layer.diffID) == layer)
        #expect(try store.treeDigest(of: layer.diffID) == digest("tree"))
        #expect(try store.treeDigest(of: DiffID(digest("none"))) == nil)
        #expect(layer.descriptor.mediaType == .layer(.gzip))
    }

    @Test func selectionsComeBack() throws {
        #expect(try store.selectionDigest(digest("a")) == nil)
        try store.insertSelection(digest("a"), digest: digest("1"))
        try store.insertSelection(digest("a"), digest: digest("2"))
        #expect(try scratch.store().selectionDigest(digest("a")) == digest("2"))
    }

    @Test func aUsedStepAndItsLayerAreMarkedAsUsed() throws {
        let layer = try scratch.stored([.file("a")], in: store)
        try store.insert(record(identity("a"), layer.diffID))
        try store.insertSelection(digest("s"), digest: digest("1"))
        for table in ["steps", "layers", "selections"] { try store.database.script("UPDATE \(table) SET used = 5") }
        let fresh = try scratch.store()
        _ = try fresh.record(of: identity("a"))
        _ = try fresh.selectionDigest(digest("s"))
        for table in ["steps", "layers", "selections"] {
            let used = try store.database.query("SELECT used FROM \(table)").first?.first?.integer ?? 0
            #expect(used >= Store.now - 60, "\(table)")
        }
    }

    @Test(arguments: ["this is no database, though it is long enough to look at", ""])
    func aDamagedDatabaseIsNamed(content: String) throws {
        let other = try StoreScratch()
        try HostFile.createDirectories(other.root)
        let path = "\(other.root)/cache.sqlite"
        try HostFile.write(Array(String(repeating: content, count: 100).utf8), to: path)
        guard !content.isEmpty else {
            // An empty file is what SQLite itself begins with.
            #expect(try other.store().record(of: identity("a")) == nil)
            return
        }
        let error = #expect(throws: DatabaseError.self) { try other.store() }
        #expect(error?.path == path)
        #expect(error?.description.contains("not a database") == true)
        #expect(error?.description.contains("remove the file") == true)
        unlink(path)
        #expect(try other.store().record(of: identity("a")) == nil, "what the message advises helps")
    }

    @Test func severalStoresAtOnceLoseNothing() async throws {
        let layer = try scratch.stored([.file("a")], in: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<6 {
                group.addTask { [scratch] in
                    let store = try scratch.store()
                    let work = try store.makeWorkDirectory()
                    for step in 0..<30 {
                        let identity = StepIdentity(
                            key: digest("\(worker) \(step)"),
                            definition: digest("\(step)"),
                            parent: ChainID([layer.diffID])
                        )
                        try store.insert(
                            StepRecord(identity: identity, diffID: layer.diffID, created: 1, seconds: 0, fields: [])
                        )
                        try store.touch([identity])
                        guard try store.record(of: identity) != nil else { throw Lost(what: "\(worker) \(step)") }
                    }
                    guard HostFile.exists(work.path) else { throw Lost(what: "the work directory") }
                }
            }
            try await group.waitForAll()
        }
        for step in 0..<30 {
            #expect(try store.records(ofDefinition: digest("\(step)"), limit: 10).count == 6)
        }
        #expect(try scratch.names("tmp") == [])
    }

    struct Lost: Error { var what: String }
}
