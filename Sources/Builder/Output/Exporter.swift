import Glibc
import LayerDiff
import OCI
import Store
import SystemPackage

/// Writes a built image where `--output` wants it.
struct Exporter {
    let store: Store
    let image: BuiltImage
    let tags: [ImageReference]
    let trace: Trace
    let pusher: ImagePusher
    let progress: any ProgressSink

    func write(_ output: OutputSpec) async throws {
        switch output.kind {
        case .oci(tar: false): try await writeLayout(output)
        case .oci(tar: true): try writeArchive(output.destination, entries: archiveEntries(.oci))
        case .docker: try writeArchive(output.destination, entries: archiveEntries(.docker))
        case .tar: try writeArchive(output.destination, entries: rootEntries())
        case .local: try writeTree(output.destination)
        case .image(let names):
            for name in names { try store.images.tag(image.descriptor, as: name.tagged.familiar) }
        case .registry(let names): try await push(names.isEmpty ? tags : names)
        }
    }

    private func push(_ names: [ImageReference]) async throws {
        let (pusher, progress, image) = (pusher, progress, image)
        for name in names {
            let summary = try await onThread {
                try pusher.push(image.descriptor, to: name) { progress.emit(.status(step: nil, text: $0)) }
            }
            progress.emit(.note(summary.text(for: name, image.descriptor.digest)))
        }
    }

    // MARK: OCI layouts

    private var named: NamedImage { NamedImage(descriptor: image.descriptor, names: tags) }

    private var blobs: [Descriptor] { image.manifest.layers + [image.manifest.config, image.descriptor] }

    private func writeLayout(_ output: OutputSpec) async throws {
        let layout = try ImageLayout(creating: output.destination)
        try await putBlobs(into: layout, mayShare: output.mayShareBlobs)
        guard !tags.isEmpty else {
            try layout.updateIndex { index in
                index.manifests.removeAll { $0.digest == image.descriptor.digest }
                index.manifests.append(image.descriptor)
            }
            return
        }
        for entry in named.indexEntries { try layout.put(entry) }
    }

    private static let smallBlobs: Int64 = 4 << 20

    /// Puts the blobs into the layout that it has not got, where they are large two at a time: they may have to be hashed.
    private func putBlobs(into layout: ImageLayout, mayShare: Bool) async throws {
        let (store, trace) = (store, trace)
        let missing = blobs.filter { !layout.hasBlob($0) }
        guard !missing.isEmpty else { return }
        let threads = missing.reduce(0) { $0 + $1.size } > Self.smallBlobs ? 2 : 1
        let sharing = mayShare ? store.sharing(with: layout) : nil
        try await onThread {
            _ = try inParallel(missing.count, threads: threads, batch: 1) { number in
                let blob = missing[number]
                try trace.span(.blob, detail: blob.digest.description) {
                    try store.export(blob, to: layout, sharing: sharing)
                }
            }
        }
    }

    private func archiveEntries(_ form: ArchiveForm) throws -> [LayerEntry] {
        try store.verify(blobs)
        return try ImageArchive([named], of: store.images).entries(form, platform: image.config.platform)
    }

    // MARK: Root file systems

    private func rootEntries() throws -> [LayerEntry] {
        try store.stack(image.chain).flattenedEntries()
    }

    private func writeTree(_ path: String) throws {
        try HostFile.createDirectories(path)
        switch store.form {
        case .trusted: try TreeWriter.write(rootEntries(), to: path)
        // What a user asked for is to be the user's: nobody could remove files of subordinate ids without swbuild.
        case .user, .userWithMarkedOwners:
            try TreeWriter.write(rootEntries().map(\.ownedByRoot), to: path, devices: .leftOut)
        }
    }

    // MARK: Parts

    private var plainOptions: LayerOptions { LayerOptions(compression: .none) }

    private func writeArchive(_ path: String, entries: [LayerEntry]) throws {
        let sorted = entries.sorted { $0.entry.path < $1.entry.path }
        if path == "-" {
            let output = OwnedDescriptor(owning: dup(1), path: "standard output")
            _ = try output.withDescriptor { try LayerWriter.begin(sorted, blob: $0, options: plainOptions).finish() }
            return
        }
        try HostFile.writeResult(to: path) { file in
            let output = FileDescriptor(rawValue: file)
            do {
                _ = try LayerWriter.begin(sorted, blob: output, options: plainOptions).finish()
            } catch {
                throw OutputError(path: path, reason: error)
            }
        }
    }
}

extension ImageLayout {
    /// Puts an entry into the index in place of one with the same names.
    func put(_ entry: Descriptor) throws {
        let names = ["io.containerd.image.name", Self.referenceName]
        try updateIndex { index in
            index.manifests.removeAll { old in names.allSatisfy { old.annotations[$0] == entry.annotations[$0] } }
            index.manifests.append(entry)
        }
    }
}

/// An output that cannot be written.
struct OutputError: Error, CustomStringConvertible {
    let path: String
    let reason: any Error

    var description: String { "cannot write the output \(path): \(reason)" }
}
