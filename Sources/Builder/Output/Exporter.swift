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

    func write(_ output: OutputSpec) async throws {
        switch output.kind {
        case .oci(tar: false): try await writeLayout(output.destination)
        case .oci(tar: true): try writeArchive(output.destination, entries: layoutEntries())
        case .docker: try writeArchive(output.destination, entries: dockerEntries())
        case .tar: try writeArchive(output.destination, entries: rootEntries())
        case .local: try writeTree(output.destination)
        }
    }

    // MARK: OCI layouts

    private var blobs: [Descriptor] { image.manifest.layers + [image.manifest.config, image.descriptor] }

    private func writeLayout(_ path: String) async throws {
        let layout = try ImageLayout(creating: path)
        try await copyBlobs(to: layout)
        guard !tags.isEmpty else {
            try layout.updateIndex { index in
                index.manifests.removeAll { $0.digest == image.descriptor.digest }
                index.manifests.append(image.descriptor)
            }
            return
        }
        for tag in tags { try layout.put(indexEntry(tag)) }
    }

    private static let smallBlobs: Int64 = 4 << 20

    /// Copies the blobs that the layout has not got, where they are large two at a time: most of it is hashing.
    private func copyBlobs(to layout: ImageLayout) async throws {
        let (store, trace) = (store, trace)
        let missing = blobs.filter { !layout.hasBlob($0) }
        guard !missing.isEmpty else { return }
        let threads = missing.reduce(0) { $0 + $1.size } > Self.smallBlobs ? 2 : 1
        try await onThread {
            _ = try inParallel(missing.count, threads: threads, batch: 1) { number in
                let blob = missing[number]
                try trace.span(.blob, detail: blob.digest.description) { try store.export(blob, to: layout) }
            }
        }
    }

    /// As buildx names images in a layout: the tag for OCI's tools, the full name for containerd's.
    private func indexEntry(_ tag: ImageReference) -> Descriptor {
        var entry = image.descriptor
        entry.annotations[ImageLayout.referenceName] = tag.tagged.tag ?? "latest"
        entry.annotations["io.containerd.image.name"] = tag.tagged.description
        return entry
    }

    private func layoutEntries() throws -> [LayerEntry] {
        let index = ImageIndex(manifests: tags.isEmpty ? [image.descriptor] : tags.map(indexEntry))
        return try blobEntries() + [
            file("index.json", try index.json.encoded()),
            file("oci-layout", Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)),
        ]
    }

    private func blobEntries() throws -> [LayerEntry] {
        let directory = try Directory(path: store.images.path)
        var entries = [self.directory("blobs"), self.directory("blobs/sha256")]
        var seen: Set<Digest> = []
        for blob in blobs where seen.insert(blob.digest).inserted {
            let path = ContainerPath("blobs/sha256/\(blob.digest.hex)")
            entries.append(
                LayerEntry(entry: plain(path, .file(size: blob.size)), content: .file(directory, path))
            )
        }
        return entries
    }

    // MARK: Archives for docker load

    private func dockerEntries() throws -> [LayerEntry] {
        let manifest = JSONValue.array([
            .object([
                "Config": .string("blobs/sha256/\(image.manifest.config.digest.hex)"),
                "RepoTags": .strings(tags.map { $0.tagged.familiar }),
                "Layers": .strings(image.manifest.layers.map { "blobs/sha256/\($0.digest.hex)" }),
            ])
        ])
        var repositories: [String: JSONValue] = [:]
        for tag in tags {
            let full = tag.tagged
            var name = full
            name.tag = nil
            var known = repositories[name.familiar]?.object ?? [:]
            known[full.tag ?? "latest"] = .string(image.manifest.layers.last?.digest.hex ?? "")
            repositories[name.familiar] = .object(known)
        }
        return try layoutEntries() + [
            file("manifest.json", manifest.encoded()),
            file("repositories", JSONValue.object(repositories).encoded()),
        ]
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

    private func plain(_ path: ContainerPath, _ kind: TreeEntry.Kind) -> TreeEntry {
        TreeEntry(path: path, kind: kind, mode: 0o644, uid: 0, gid: 0, modified: 0)
    }

    private func file(_ name: String, _ bytes: [UInt8]) -> LayerEntry {
        LayerEntry(entry: plain(ContainerPath(name), .file(size: Int64(bytes.count))), content: .bytes(bytes))
    }

    private func directory(_ name: String) -> LayerEntry {
        var entry = plain(ContainerPath(name), .directory(opaque: false))
        entry.mode = 0o755
        return LayerEntry(entry: entry, content: .none)
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
