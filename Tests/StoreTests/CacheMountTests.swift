import Glibc
import LayerDiff
import OCI
import Testing

@testable import Store

private let key = String(repeating: "0a", count: 32)

@Suite struct CacheMountTests {
    let scratch: StoreScratch
    let store: Store

    init() throws {
        scratch = try StoreScratch()
        store = try scratch.store()
    }

    private func mount(_ id: String, _ bytes: Int64, _ lastUsed: Int64) -> CacheMountUsage {
        CacheMountUsage(id: id, key: id, bytes: bytes, lastUsed: lastUsed)
    }

    @Test(
        arguments: [
            (CacheMountSelection(), ["a", "b", "c"]),
            (CacheMountSelection(ids: ["b"]), ["b"]),
            (CacheMountSelection(ids: ["x"]), []),
            (CacheMountSelection(unusedSince: 20), ["a"]),
            (CacheMountSelection(ids: ["b"], unusedSince: 20), []),
            (CacheMountSelection(mostBytes: 100), []),
            (CacheMountSelection(mostBytes: 99), ["a"]),
            (CacheMountSelection(mostBytes: 69), ["a", "b"]),
            (CacheMountSelection(mostBytes: 0), ["a", "b", "c"]),
            (CacheMountSelection(ids: ["b", "c"], mostBytes: 40), ["b"]),
            (CacheMountSelection(unusedSince: 11, mostBytes: 70), ["a"]),
        ] as [(CacheMountSelection, [String])]
    )
    func choosesByIdAgeAndSize(selection: CacheMountSelection, expected: [String]) {
        let mounts = [mount("c", 40, 30), mount("a", 30, 10), mount("b", 30, 20)]
        #expect(selection.chosen(from: mounts).map(\.id).sorted() == expected)
    }

    @Test func listsWhatThereIs() throws {
        _ = try store.cacheMount("one", name: "/root/.cache") { try HostFile.write([1, 2], to: "\($0)/f") }
        _ = try store.cacheMount("two", name: "/root/.cache") { _ in }
        let mounts = try store.cacheMounts()
        #expect(mounts.map(\.id) == ["/root/.cache", "/root/.cache"])
        #expect(Set(mounts.map(\.key)).count == 2)
        #expect(mounts.allSatisfy { $0.bytes > 0 && abs($0.lastUsed - Store.now) < 60 })
        _ = try store.pruneCacheMounts(CacheMountSelection())
        #expect(try store.cacheMounts().isEmpty)
    }

    @Test(arguments: [BlobCompression.none, .gzip, .zstd])
    func packsUpAndBringsBack(compression: BlobCompression) throws {
        let data = try store.cacheMount("id", name: "the id") { path in
            try HostFile.write(Array("text".utf8), to: "\(path)/file")
            mkdir("\(path)/dir", 0o700)
            symlink("/etc/passwd", "\(path)/dir/link")
            link("\(path)/file", "\(path)/dir/second")
            chown("\(path)/dir", 12, 34)
            chmod("\(path)/file", 0o4711)
            chmod(path, 0o1777)
        }
        let archive = "\(scratch.path)/archive"
        let file = open(archive, O_RDWR | O_CREAT, 0o600)
        _ = try store.exportCacheMounts(ids: ["the id"], to: file, compression: compression)
        close(file)
        _ = try store.pruneCacheMounts(CacheMountSelection())
        #expect(!HostFile.exists(data))
        #expect(try store.importCacheMounts(from: archive).map(\.id) == ["the id"])
        let tree = try Directory(path: data)
        let status = { (path: String) in try tree.status(ContainerPath(path)) }
        #expect(try scratch.text("\(data)/file") == "text")
        #expect(try status("/")?.mode == 0o1777)
        #expect(try status("dir")?.uid == 12 && status("dir")?.gid == 34 && status("dir")?.mode == 0o700)
        #expect(try status("file")?.mode == 0o4711 && status("file")?.inode == status("dir/second")?.inode)
        #expect(try tree.readLink(ContainerPath("dir/link")) == Array("/etc/passwd".utf8))
    }

    @Test func anUnknownIdIsNoCache() throws {
        #expect(throws: CacheArchiveError.none) { try store.exportCacheMounts(ids: [], to: -1, compression: .none) }
        #expect(throws: CacheArchiveError.unknown(id: "x")) {
            try store.exportCacheMounts(ids: ["x"], to: -1, compression: .none)
        }
    }

    @Test(arguments: [
        ["other/id", "other/data/"], ["\(key)/id"], ["\(key)/id", "\(key)/data"], ["\(key)/id/", "\(key)/data/"],
        ["\(key)/id", "\(key)/data/", "\(key)/more"], ["\(key)/id", "\(key)/data/", "readme"],
    ])
    func whatIsNoCacheIsRefused(names: [String]) throws {
        let entries = names.map { $0.hasSuffix("/") ? LayerEntry.directory($0) : LayerEntry.file($0, "x") }
        let layer = try scratch.layer(entries, options: LayerOptions(compression: .none))
        let error = #expect(throws: CacheArchiveError.self) {
            try store.importCacheMounts(from: scratch.foreign.blobPath(layer.digest))
        }
        #expect(error?.description.contains("cache export") == true)
        #expect(try store.cacheMounts().isEmpty)
    }
}
