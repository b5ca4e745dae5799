import Glibc
import OCI
import Store
import Synchronization

/// Copies the blobs of the image that a build most likely ends with, while its steps are looked up in the cache.
///
/// A build in which nothing changed knows so only when every file of its context was looked at; its large layers go
/// into a layout meanwhile, on the other processor. It is the image that has the build's tag already, and its copies lie
/// in the build's work directory until they turn out to be needed. The first step that is not in the cache ends it.
final class BlobsAhead: Sendable {
    /// Smaller blobs are copied faster than they are waited for.
    private static let smallest: Int64 = 4 << 20

    private enum Wanted {
        case all
        case only(Set<Digest>)
    }

    private let wanted = Mutex(Wanted.all)
    private let copying = Mutex<Task<[Digest: String], Never>?>(nil)

    /// Fewer files are looked at before it is known which blobs there are.
    private static let fewestFiles = 1000

    /// Begins to copy where `request` has a layout as output, and as many files to look at as earlier builds saw take
    /// their time.
    init(_ request: BuildRequest, knownFiles: Int, store: Store, work: WorkDirectory, trace: Trace) {
        let layouts = request.outputs.filter { $0.kind == .oci(tar: false) }.map(\.destination)
        guard let layout = layouts.first, let tag = request.tags.first, knownFiles >= Self.fewestFiles else { return }
        let task = Task {
            let files: [Digest: String]? = try? await onThread { [self] in
                guard Self.isSameFileSystem(layout, store.root) else { return [:] }
                let image = try store.images.resolve(tag: tag.tagged.familiar, digest: nil, platform: request.platform)
                return copy(image.manifest.layers, missingIn: layout, store, work, trace)
            }
            return files ?? [:]
        }
        copying.withLock { $0 = task }
    }

    /// No more is copied: there is a step to be run, and its layer is another.
    func stop() { wanted.withLock { $0 = .only([]) } }

    /// Ends it: the files that hold these blobs, the one that is being copied included.
    func files(for digests: [Digest]) async -> [Digest: String] {
        guard let task = copying.withLock({ $0 }) else { return [:] }
        wanted.withLock { if case .all = $0 { $0 = .only(Set(digests)) } }
        return await task.value
    }

    /// What `body` gives, after which nothing is being copied any more.
    func ending<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            let value = try await body()
            stop()
            _ = await files(for: [])
            return value
        } catch {
            stop()
            _ = await files(for: [])
            throw error
        }
    }

    private func copy(
        _ layers: [Descriptor],
        missingIn layout: String,
        _ store: Store,
        _ work: WorkDirectory,
        _ trace: Trace
    ) -> [Digest: String] {
        let missing = try? ImageLayout(opening: layout)
        var files: [Digest: String] = [:]
        for layer in layers where layer.size >= Self.smallest && missing?.hasBlob(layer) != true {
            // Once it is known what is needed, the others are copied by two threads.
            guard wanted.withLock({ if case .all = $0 { true } else { false } }) else { break }
            let file = work.unique("ahead")
            let isCopied = trace.span(.blob, detail: layer.digest.description) {
                (try? store.copy(layer, toNew: file) { isWanted(layer.digest) }) != nil
            }
            guard isCopied else { break }
            files[layer.digest] = file
        }
        return files
    }

    private func isWanted(_ digest: Digest) -> Bool {
        wanted.withLock { wanted in
            switch wanted {
            case .all: true
            case .only(let digests): digests.contains(digest)
            }
        }
    }

    /// Whether a file of the store can be moved to a place, which need not be there yet.
    private static func isSameFileSystem(_ place: String, _ root: String) -> Bool {
        var one = stat()
        var other = stat()
        var place = place
        while stat(place, &one) != 0 {
            guard let slash = place.lastIndex(of: "/") else { return stat(".", &one) == 0 && sameDevice() }
            place = slash == place.startIndex ? "/" : String(place[..<slash])
        }
        func sameDevice() -> Bool { stat(root, &other) == 0 && one.st_dev == other.st_dev }
        return sameDevice()
    }
}
