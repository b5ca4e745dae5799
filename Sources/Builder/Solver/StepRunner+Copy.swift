import BuildFileParser
import Glibc
import LayerDiff
import OCI
import Registry
import Store

extension StepRunner {
    func copy(_ step: CopyStep) throws -> Outcome {
        let base = try state(of: step.base)
        let downloads = try download(step)
        let key = try copyKey(step, on: base, downloads: downloads)
        return try cached(key.key, on: base) {
            let selection = try key.selection ?? select(step, downloads: downloads)
            environment.inFlight.wait(for: base.chain)
            let stack = try store.stack(base.chain)
            let owner = try step.owner.map { try UserDatabase(in: stack).owner($0) }
            let unpacked = try unpackArchives(in: selection, of: step)
            let entries = try CopyLayer.entries(
                of: unpacked,
                step: step,
                onto: step.link ? nil : stack,
                owner: owner,
                now: environment.now
            )
            return Produced(entries: entries, verify: { try selection.checkUnchanged() })
        }
    }

    /// A URL's file in the work directory.
    struct Download {
        var name: String
        var file: DownloadedFile
        var directory: String
    }

    // MARK: The key

    private struct CopyKey {
        var key: Key
        /// Where it had to be computed: a hit by a remembered digest needs none.
        var selection: Selection?
    }

    private func copyKey(_ step: CopyStep, on base: StepState, downloads: [String: Download]) throws -> CopyKey {
        var fields = StepFields()
        fields.set("kind", step.isAdd ? "add" : "copy")
        fields.set("destination", step.destination)
        // The sources tell one COPY from another; what they come to is in the contents, wherever that was found.
        var definition = fields
        definition.set("sources", step.sources.map(\.name))
        fields.set("owner", step.owner.map { [$0] } ?? [])
        fields.set("mode", step.mode.map { [$0] } ?? [])
        fields.set("excludes", step.excludes)
        fields.set("link", step.link)
        fields.set("parents", step.parents)
        fields.set("unpack", step.unpack.map { ["\($0)"] } ?? [])
        let (digest, selection, files) = try contentDigest(of: step, downloads: downloads)
        fields.set("content", digest.hex)
        // A linked layer stands alone; but a name in --chown is looked up below.
        let standsAlone = step.link && (step.owner.map(Self.isNumeric) ?? true)
        let identity = StepIdentity(
            key: fields.digest(domain: "step"),
            definition: definition.digest(domain: "definition"),
            parent: standsAlone ? nil : base.chainID
        )
        return CopyKey(key: Key(identity: identity, fields: fields.encoded(files: files)), selection: selection)
    }

    private static func isNumeric(_ owner: String) -> Bool {
        owner.split(separator: ":").allSatisfy { UInt32($0) != nil }
    }

    private func contentDigest(
        of step: CopyStep,
        downloads: [String: Download]
    ) throws -> (Digest, Selection?, [String]) {
        guard case .node(let source) = step.from else {
            let selection = try select(step, downloads: downloads)
            let (digest, files) = try selection.digest(owner: step.owner, mode: step.mode)
            return (digest, selection, files)
        }
        // A stage's files are named by its layers: what was selected from the same layers before is still that.
        let chainID = try state(of: source).chainID
        var name = FieldHasher(domain: "stage selection")
        name.add(chainID?.description ?? "")
        name.add(step.sources.map(\.name))
        name.add(step.sources.map(\.inlineContent))
        name.add(step.excludes)
        name.add(step.parents ? 1 : 0)
        name.add(step.owner == nil ? 0 : 1)
        name.add(step.mode ?? "")
        let selectionName = name.finalize()
        if let digest = try store.selectionDigest(selectionName) { return (digest, nil, []) }
        let selection = try select(step, downloads: downloads)
        let (digest, files) = try selection.digest(owner: step.owner, mode: step.mode)
        try store.insertSelection(selectionName, digest: digest)
        return (digest, selection, files)
    }

    // MARK: What is selected

    func tree(of source: FileSource) throws -> (tree: any SourceTree, place: String) {
        switch source {
        case .context(let index):
            let tree = environment.contexts[index]
            return (tree, tree.name)
        case .node(let node):
            let state = try state(of: node)
            environment.inFlight.wait(for: state.chain)
            let display = graph.nodes[node.index].display
            return (StackTree(stack: try store.stack(state.chain)), "the stage '\(display.stage)'")
        case .none:
            return (InlineTree(files: [], now: environment.now), "the build file")
        }
    }

    private func select(_ step: CopyStep, downloads: [String: Download]) throws -> Selection {
        var selection = Selection()
        let (tree, place) = try tree(of: step.from)
        let inline = InlineTree(files: step.sources.compactMap(\.inlineFile), now: environment.now)
        selection.trees = [tree, inline]
        let selector = try Selector(step: step, tree: tree, place: place)
        for source in step.sources {
            switch source {
            case .path(let text): try selector.select(text, into: &selection, tree: 0)
            case .inline(let name, _):
                guard let node = try inline.node(ContainerPath(cleaning: name.utf8)) else { continue }
                selection.groups.append(
                    Selection.Group(
                        form: .file,
                        items: [Selection.Item(relative: node.entry.path, node: node, tree: 1)]
                    )
                )
            case .url(let url):
                guard let download = downloads[url] else { continue }
                try add(download, to: &selection)
            }
        }
        return selection
    }

    // MARK: URLs

    private func download(_ step: CopyStep) throws -> [String: Download] {
        var result: [String: Download] = [:]
        for case .url(let url) in step.sources where result[url] == nil {
            let directory = try environment.work.makeDirectory("download")
            let name = URLName.fileName(of: url)
            guard !name.isEmpty || !step.destination.hasSuffix("/") else { throw DownloadNameError(url: url) }
            let path = "\(directory)/file"
            let file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw HostFileError("create", path, code: errno) }
            let descriptor = OwnedDescriptor(owning: file, path: path)
            let fetched = try HTTPDownload.fetch(url, to: descriptor.raw, limits: DownloadLimits())
            if let expected = step.checksum, expected != fetched.digest {
                throw ChecksumError(url: url, expected: expected, found: fetched.digest)
            }
            result[url] = Download(name: name.isEmpty ? "file" : name, file: fetched, directory: directory)
        }
        return result
    }

    private func add(_ download: Download, to selection: inout Selection) throws {
        let tree = DownloadTree(
            directory: try Directory(path: download.directory),
            name: download.name,
            file: download.file,
            now: environment.now
        )
        guard let node = try tree.node(ContainerPath(cleaning: download.name.utf8)) else { return }
        selection.trees.append(tree)
        let item = Selection.Item(relative: node.entry.path, node: node, tree: selection.trees.count - 1)
        selection.groups.append(Selection.Group(form: .file, items: [item]))
    }

    // MARK: Archives

    /// ADD unpacks the archives among its files: those of the context unless told not to, downloads if told to.
    private func unpackArchives(in selection: Selection, of step: CopyStep) throws -> Selection {
        guard step.isAdd, step.unpack != false else { return selection }
        var result = selection
        for (position, group) in selection.groups.enumerated() {
            guard group.form == .file, let item = group.items.first, item.tree != 1 else { continue }
            let isDownload = selection.trees[item.tree] is DownloadTree
            guard !isDownload || step.unpack == true else { continue }
            guard case .file(let directory, let path) = try selection.trees[item.tree].content(item.node) else {
                continue
            }
            let file = try directory.openFile(path)
            guard try Archive.isArchive(file) else { continue }
            let scratch = try environment.work.makeDirectory("archive")
            let members = try Archive.extract(file, into: Directory(path: scratch), limits: LayerLimits())
            let tree = ArchiveTree(members)
            result.trees.append(tree)
            let items = tree.nodes.map {
                Selection.Item(relative: $0.entry.path, node: $0, tree: result.trees.count - 1)
            }
            result.groups[position] = Selection.Group(form: .archive, items: items)
        }
        return result
    }
}

/// A download that is not what `--checksum` says.
struct ChecksumError: Error, CustomStringConvertible {
    let url: String
    let expected: Digest
    let found: Digest

    var description: String {
        "\(redacted(url)) has the digest \(found), but --checksum says \(expected); nothing was copied"
    }
}

/// A URL that names no file, where a name is needed.
struct DownloadNameError: Error, CustomStringConvertible {
    let url: String

    var description: String { "\(redacted(url)) names no file; give a destination that does not end in a slash" }
}

extension CopyStep.Source {
    /// The source as written, without inline content.
    var name: String {
        switch self {
        case .path(let path): path
        case .inline(let name, _): "<<\(name)"
        case .url(let url): url
        }
    }

    var inlineContent: String {
        if case .inline(_, let content) = self { content } else { "" }
    }

    var inlineFile: (name: String, content: [UInt8])? {
        if case .inline(let name, let content) = self { (name, Array(content.utf8)) } else { nil }
    }
}

/// The name that a URL's path ends in: without query and fragment, `%20` decoded.
enum URLName {
    static func fileName(of url: String) -> String {
        var rest = Array(url.utf8)
        if let end = rest.firstIndex(where: { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }) {
            rest.removeSubrange(end...)
        }
        guard let scheme = String(decoding: rest, as: UTF8.self).firstRange(of: "://") else { return "" }
        let path = String(decoding: rest, as: UTF8.self)[scheme.upperBound...]
        guard let slash = path.lastIndex(of: "/") else { return "" }
        let name = percentDecoded(Array(path[path.index(after: slash)...].utf8))
        return name == "." || name == ".." || name.contains("/") || name.contains("\0") ? "" : name
    }

    private static func percentDecoded(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, bytes[index + 1] != UInt8(ascii: "+"),
                let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
            {
                result.append(value)
                index += 3
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension String {
    fileprivate func firstRange(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            formIndex(after: &start)
        }
        return nil
    }
}
