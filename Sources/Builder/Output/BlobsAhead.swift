import Glibc
import LayerDiff
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

    typealias Parts = (store: Store, work: WorkDirectory, trace: Trace)

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
    private func begin(_ request: BuildRequest, knownFiles: Int, _ parts: Parts) {
        let store = parts.store
        let layouts = request.outputs.filter { $0.kind == .oci(tar: false) }.map(\.destination)
        guard let layout = layouts.first, let tag = request.tags.first, knownFiles >= Self.fewestFiles else { return }
        let task = Task {
            let files: [Digest: String]? = try? await onThread { [self] in
                guard Self.canMove(from: store.root, to: "\(layout)/blobs/sha256") else { return [:] }
                let image = try store.images.resolve(tag: tag.tagged.familiar, digest: nil, platform: request.platform)
                return copy(image.manifest.layers, missingIn: layout, parts)
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

    /// What `body` gives, while it is copied; afterwards nothing is.
    func during<Value>(
        _ request: BuildRequest,
        knownFiles: Int,
        _ parts: Parts,
        _ body: () async throws -> Value
    ) async throws -> Value {
        begin(request, knownFiles: knownFiles, parts)
        do {
            let value = try await body()
            stop()
            _ = await files(for: [])
            return value
        } catch {
            stop()
            _ = await files(for: [])
            // All steps have ended. The error may be told, and the program be over, before their threads let go of it.
            parts.work.remove()
            throw error
        }
    }

    private func copy(
        _ layers: [Descriptor],
        missingIn layout: String,
        _ parts: Parts
    ) -> [Digest: String] {
        let (store, work, trace) = parts
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

    /// Whether a file that was made in the store may be moved to a directory, which need not be there yet: it is on the
    /// same file system, and gives new files neither its group nor an access list.
    private static func canMove(from root: String, to directory: String) -> Bool {
        var target = stat()
        var source = stat()
        var place = directory
        while stat(place, &target) != 0 {
            guard place != ".", place != "/" else { return false }
            let slash = place.lastIndex(of: "/")
            place = slash.map { $0 == place.startIndex ? "/" : String(place[..<$0]) } ?? "."
        }
        guard stat(root, &source) == 0, source.st_dev == target.st_dev, target.st_mode & S_ISGID == 0,
            let attributes = try? Directory(path: place).extendedAttributes(.root)
        else { return false }
        return !attributes.contains { $0.name.elementsEqual("system.posix_acl_default".utf8) }
    }
}
