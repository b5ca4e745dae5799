import BuildFileParser
import Glibc
import LayerDiff
import OCI
import Registry
import Store

extension StepRunner {
    func copy(_ step: CopyStep) throws -> Outcome {
        let base = try state(of: step.base)
        let fetched = try fetch(step)
        // Where it had to be computed: a hit by a remembered digest needs none.
        var known: Selection?
        if try origin(of: step, fetched) == nil {
            let selection = try span(.key) { try select(step, fetched) }
            if let outcome = try copyInOnePass(step, selection, on: base) { return outcome }
            known = selection
        }
        let key = try span(.key) {
            let content = try contentDigest(of: step, fetched, &known)
            return copyKey(step, on: base, content)
        }
        return try cached(key, on: base) {
            try verify(fetched)
            // Not kept while the layer is written: it may be large.
            return try produce(step, known.take() ?? select(step, fetched), on: base)
        }
    }

    /// Puts the selection at its destination.
    func produce(_ step: CopyStep, _ selection: consuming Selection, on base: StepState) throws -> Produced {
        waitForLayers(base.chain)
        let selecting = environment.trace.start()
        defer { environment.trace.end(.selecting, step: id.index, since: selecting) }
        let stack = try store.stack(base.chain)
        let owner = try at(node.display.places.owner) {
            try step.owner.map { try UserDatabase(in: stack).owner($0) }
        }
        let unpacked = try unpackArchives(in: selection, of: step)
        let entries = try at(node.display.places.destination) {
            try CopyLayer.entries(
                of: unpacked,
                step: step,
                onto: step.link ? nil : stack,
                owner: owner,
                now: environment.now
            )
        }
        return Produced(entries: entries, isGivenByKey: !step.isAdd)
    }

    // MARK: The key

    /// What stays of the instruction when its files change.
    func copyDefinition(of step: CopyStep) -> Digest {
        var fields = StepFields()
        fields.set("kind", step.isAdd ? "add" : "copy")
        fields.set("destination", step.destination)
        // The sources tell one COPY from another; what they come to is in the contents, wherever that was found.
        fields.set("sources", step.sources.map(\.name))
        return fields.digest(domain: "definition")
    }

    func copyKey(_ step: CopyStep, on base: StepState, _ content: SelectionDigest) -> Key {
        var fields = StepFields()
        fields.set("kind", step.isAdd ? "add" : "copy")
        fields.set("destination", step.destination)
        fields.set("owner", step.owner.map { [$0] } ?? [])
        fields.set("mode", step.mode.map { [$0] } ?? [])
        fields.set("excludes", step.excludes)
        fields.set("link", step.link)
        fields.set("parents", step.parents)
        fields.set("unpack", step.unpack.map { ["\($0)"] } ?? [])
        fields.set("content", content.digest.hex)
        fields.files = content.files
        // A linked layer stands alone; but a name in --chown is looked up below.
        let standsAlone = step.link && (step.owner.map(Self.isNumeric) ?? true)
        let identity = StepIdentity(
            key: fields.digest(domain: "step"),
            definition: copyDefinition(of: step),
            parent: standsAlone ? nil : base.chainID
        )
        return Key(identity: identity, fields: fields)
    }

    private static func isNumeric(_ owner: String) -> Bool {
        owner.split(separator: ":").allSatisfy { UInt32($0) != nil }
    }

    private func contentDigest(
        of step: CopyStep,
        _ fetched: FetchedSources,
        _ selected: inout Selection?
    ) throws -> SelectionDigest {
        guard let origin = try origin(of: step, fetched) else {
            let selection = try selected ?? select(step, fetched)
            selected = selection
            return try selection.digest(owner: step.owner, mode: step.mode)
        }
        let selectionName = selectionName(of: step, from: origin)
        if let digest = try store.selectionDigest(selectionName) { return SelectionDigest(digest: digest) }
        let selection = try select(step, fetched)
        let content = try selection.digest(owner: step.owner, mode: step.mode)
        try store.insertSelection(selectionName, digest: content.digest)
        selected = selection
        return content
    }

    /// The name of what a step selects from what `origin` names, whatever that may be.
    func selectionName(of step: CopyStep, from origin: String) -> Digest {
        var name = FieldHasher(domain: "stage selection")
        name.add(origin)
        name.add(step.sources.map(\.name))
        name.add(step.sources.map(\.inlineContent))
        name.add(step.excludes)
        name.add(step.parents ? 1 : 0)
        name.add(step.owner == nil ? 0 : 1)
        name.add(step.mode ?? "")
        return name.finalize()
    }

    /// What names all of a step's files without a look at them: a stage's layers, or commits; `nil` where nothing does.
    ///
    /// What was selected from the same ones before is still that.
    func origin(of step: CopyStep, _ fetched: FetchedSources) throws -> String? {
        if case .node(let source) = step.from { return try state(of: source).chainID?.description ?? "" }
        return fetched.commitsAlone(of: step)
    }

    // MARK: What is selected

    func tree(of source: FileSource) throws -> (tree: any SourceTree, place: String) {
        switch source {
        case .context(let index):
            let tree = environment.contexts[index]
            return (tree, tree.name)
        case .node(let node):
            let state = try state(of: node)
            waitForLayers(state.chain)
            let display = graph.nodes[node.index].display
            return (StackTree(stack: try store.stack(state.chain)), "the stage `\(display.stage)`")
        case .none:
            return (InlineTree(files: [], now: environment.now), "the build file")
        }
    }

    private func select(_ step: CopyStep, _ fetched: FetchedSources) throws -> Selection {
        var selection = Selection()
        let (tree, place) = try tree(of: step.from)
        let inline = InlineTree(files: step.sources.compactMap(\.inlineFile), now: environment.now)
        selection.trees = [tree, inline]
        let selector = try Selector(step: step, tree: tree, place: place)
        for source in step.sources {
            switch source {
            case .path(let text):
                try at(node.display.places.sources[text]) { try selector.select(text, into: &selection, tree: 0) }
            case .inline(let name, _):
                guard let node = try inline.node(ContainerPath(cleaning: name.utf8)) else { continue }
                selection.groups.append(
                    Selection.Group(
                        form: .file,
                        items: [Selection.Item(relative: node.entry.path, node: node, tree: 1)]
                    )
                )
            case .url(let url):
                guard let download = fetched.files[url] else { continue }
                try add(download, to: &selection)
            case .git(let reference):
                guard let commit = fetched.commits[reference] else { continue }
                try add(commit, of: reference, for: step, to: &selection)
            }
        }
        return selection
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
            guard case .file(let directory, let path, _) = try selection.trees[item.tree].content(item.node) else {
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
            result.groups[position] = Selection.Group(form: .archive, items: SelectedItems(items))
        }
        return result
    }
}

extension CopyStep.Source {
    /// The source as written, without inline content and credentials.
    var name: String {
        switch self {
        case .path(let path): path
        case .inline(let name, _): "<<\(name)"
        case .url(let url): withoutCredentials(url)
        case .git(let reference): reference.shown
        }
    }

    var inlineContent: String {
        if case .inline(_, let content) = self { content } else { "" }
    }

    var inlineFile: (name: String, content: [UInt8])? {
        if case .inline(let name, let content) = self { (name, Array(content.utf8)) } else { nil }
    }
}
