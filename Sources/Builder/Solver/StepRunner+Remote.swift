import LayerDiff
import OCI
import Store

/// What a step's remote sources are at the moment.
struct FetchedSources: Sendable {
    /// By their URLs.
    var files: [String: FetchedFile] = [:]
    var commits: [GitReference: GitCommit] = [:]

    /// The names of a step's commits, where it takes its files from nothing else.
    func commitsAlone(of step: CopyStep) -> String? {
        var names: [String] = []
        for source in step.sources {
            guard case .git(let reference) = source, let commit = commits[reference] else { return nil }
            let keepsGit = reference.keepsGitDirectory == true
            let facts = [
                reference.remote, commit.commit, reference.subdirectory ?? "",
                reference.fetchesSubmodules == false ? "without submodules" : "",
                keepsGit ? "with .git \(commit.ref ?? "") \(commit.tag ?? "")" : "",
            ]
            names.append(facts.joined(separator: "\n"))
        }
        return names.isEmpty ? nil : (["git"] + names).joined(separator: "\n\n")
    }
}

extension StepRunner {
    /// Downloads the files of a step's URLs, and finds the commits that its git references stand for.
    func fetch(_ step: CopyStep) throws -> FetchedSources {
        var result = FetchedSources()
        let remotes = environment.remotes
        for source in step.sources {
            switch source {
            case .path, .inline: continue
            case .url(let url):
                guard result.files[url] == nil else { continue }
                let file = try at(node.display.places.sources[source.name]) {
                    do {
                        return try span(.download, detail: withoutCredentials(url)) {
                            try remotes.urls.fetch(url, checksum: step.checksum, work: environment.work)
                        }
                    } catch let error as ChecksumError {
                        throw StepProblem(error, at: node.display.places.checksum ?? node.display.range)
                    }
                }
                try at(node.display.places.sources[source.name]) {
                    try environment.sources.use(url: url, digest: file.digest)
                }
                guard !file.name.isEmpty || !step.destination.hasSuffix("/") else { throw DownloadNameError(url: url) }
                result.files[url] = file
            case .git(let reference):
                guard result.commits[reference] == nil else { continue }
                result.commits[reference] = try at(node.display.places.sources[source.name]) {
                    let commit = try span(.download, detail: reference.shown) { try remotes.git.resolve(reference) }
                    try environment.sources.use(reference, commit: commit.commit)
                    return commit
                }
            }
        }
        return result
    }

    /// Sees to it that files of earlier builds are what their records say, before they become part of a layer.
    func verify(_ fetched: FetchedSources) throws {
        for url in fetched.files.keys.sorted() {
            if let file = fetched.files[url] { try environment.remotes.urls.verify(file, url) }
        }
    }

    /// Selects a downloaded file.
    func add(_ file: FetchedFile, to selection: inout Selection) throws {
        let name = file.name.isEmpty ? "file" : file.name
        let tree = DownloadTree(directory: try Directory(path: file.directory), name: name, file: file)
        guard let node = try tree.node(ContainerPath(cleaning: name.utf8)) else { return }
        selection.trees.append(tree)
        let item = Selection.Item(relative: node.entry.path, node: node, tree: selection.trees.count - 1)
        selection.groups.append(Selection.Group(form: .file, items: [item]))
    }

    /// Selects the tree of a commit.
    func add(
        _ commit: GitCommit,
        of reference: GitReference,
        for step: CopyStep,
        to selection: inout Selection
    ) throws {
        let directory = try span(.download, detail: reference.shown) {
            try environment.remotes.directory(of: commit, reference, work: environment.work)
        }
        let place = "the repository \(reference.shown)"
        let tree = try ContextTree(path: directory, name: place, rules: nil, hashes: ContentHashes(path: ""))
        selection.trees.append(tree)
        let selector = try Selector(step: step, tree: tree, place: place)
        try selector.select("/", into: &selection, tree: selection.trees.count - 1)
    }
}
