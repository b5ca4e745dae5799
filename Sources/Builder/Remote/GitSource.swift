import Exec
import Glibc
import LayerDiff
import OCI
import Store

/// Gets commits of git repositories as directories.
struct GitSource: Sendable {
    let store: Store
    let access: GitAccess
    let cancellation: Cancellation

    /// The commit that a reference stands for now; nobody is asked where it names one itself.
    func resolve(_ reference: GitReference) throws -> GitCommit {
        if let ref = reference.ref, GitReference.isCommit(ref) {
            return try reference.checked(GitCommit(commit: ref))
        }
        return try GitRepository(program(for: reference, in: reference), store: store).resolve()
    }

    /// Makes `directory` (which is empty) the tree of a commit; `.git` is in it where the reference asks for that.
    ///
    /// Every file has the commit's time, modes 0644 or 0755, and is root's: the same commit gives the same layer.
    func write(
        _ commit: GitCommit,
        of reference: GitReference,
        to directory: String,
        work: WorkDirectory
    ) throws {
        var checkout = GitCheckout(source: self, root: reference, work: work)
        defer { checkout.discard() }
        let time = try checkout.add(commit, of: reference, at: .root, depth: 0)
        try TreeWriter.write(checkout.entries, to: directory)
        // A directory within a repository has no .git.
        if reference.keepsGitDirectory == true, reference.subdirectory == nil {
            try GitDirectory(source: self, reference: reference, commit: commit).write(to: directory, time: time)
        }
        try FileTimes.set(time, on: directory)
    }

    func program(for reference: GitReference, in root: GitReference) -> GitProgram {
        var access = access
        access.host = root.host
        return GitProgram(reference: reference, access: access, cancellation: cancellation)
    }
}

/// A commit's tree with those of its submodules, while it is put together.
private struct GitCheckout {
    let source: GitSource
    let root: GitReference
    let work: WorkDirectory
    private(set) var entries: [LayerEntry] = []
    private var scratches: [String] = []
    private var submodules = 0
    private var bytes: Int64 = 0

    init(source: GitSource, root: GitReference, work: WorkDirectory) {
        self.source = source
        self.root = root
        self.work = work
    }

    /// Adds a commit's tree at `place`; gives the commit's time.
    mutating func add(
        _ commit: GitCommit,
        of reference: GitReference,
        at place: ContainerPath,
        depth: Int
    ) throws -> Int64 {
        let tree = try unpack(commit, of: reference)
        for entry in tree.entries {
            var placed = entry
            placed.entry.path = place.appending(entry.entry.path.bytes)
            if case .file(let size) = entry.entry.kind { bytes += size }
            entries.append(placed)
        }
        guard bytes <= LayerLimits().maxBytes, entries.count <= LayerLimits().maxEntries else {
            throw GitError.tooLarge(url: root.shown, limit: LayerLimits().maxBytes)
        }
        guard root.fetchesSubmodules != false else { return tree.time }
        for link in tree.links {
            // What .gitmodules does not know stays an empty directory.
            guard let address = tree.addresses[link.path] else { continue }
            try addSubmodule(link, address, of: reference, at: place, depth: depth)
        }
        return tree.time
    }

    private mutating func addSubmodule(
        _ link: GitTree.Link,
        _ address: String,
        of parent: GitReference,
        at place: ContainerPath,
        depth: Int
    ) throws {
        func problem(_ reason: String) -> GitError {
            .submodule(path: String(link.path.description.dropFirst()), url: parent.remote, reason: reason)
        }
        submodules += 1
        guard submodules <= GitLimits.submodules else { throw problem("there are more than \(GitLimits.submodules)") }
        guard depth < GitLimits.submoduleDepth else {
            throw problem("it is nested more than \(GitLimits.submoduleDepth) deep")
        }
        do {
            let reference = try parent.submodule(address)
            let commit = GitCommit(commit: link.commit)
            _ = try add(commit, of: reference, at: place.appending(link.path.bytes), depth: depth + 1)
        } catch let error as MalformedGitReference {
            throw problem(error.description)
        } catch let error as GitError {
            if error == .cancelled || error == .missingProgram { throw error }
            throw problem(error.description)
        }
    }

    /// Holds the repository no longer than it takes: a submodule may be the same one at another commit.
    private mutating func unpack(_ commit: GitCommit, of reference: GitReference) throws -> GitTree {
        let repository = try GitRepository(source.program(for: reference, in: root), store: source.store)
        try repository.fetch(commit, withTag: reference == root && root.keepsGitDirectory == true)
        let scratch = try work.makeDirectory("git", mode: 0o700)
        scratches.append(scratch)
        return try repository.tree(of: commit.commit, scratch: scratch, limits: LayerLimits())
    }

    func discard() { for scratch in scratches { removeTree(scratch) } }
}

/// The `.git` of `--keep-git-dir`: the one commit, with its branch or tag, and the remote's address.
private struct GitDirectory {
    let source: GitSource
    let reference: GitReference
    let commit: GitCommit

    func write(to directory: String, time: Int64) throws {
        let git = "\(directory)/.git"
        var program = source.program(for: reference, in: reference)
        let repository = try GitRepository(program, store: source.store)
        // Git takes percent signs of URLs, this one's too, for codes.
        let path = repository.stored.path.split(separator: "%", omittingEmptySubsequences: false)
        program.reference.remote = "file://\(path.joined(separator: "%25"))"
        program.reference.transport = .file
        func run(_ arguments: [String]) throws {
            try program.run(arguments, in: git, what: "make the git directory of")
        }
        try program.run(
            ["--work-tree=\(directory)", "init", "--quiet", "--template="],
            in: git,
            what: "make the git directory of"
        )
        let name = commit.ref ?? "refs/heads/main"
        let target = name.hasPrefix("refs/") ? name : "refs/heads/main"
        let isCommitNamed = commit.ref == nil && reference.ref != nil
        let kept = isCommitNamed ? "refs/swbuild/head" : target
        try run([
            "fetch", "--quiet", "--no-tags", "--depth=1", "--update-head-ok", "origin",
            "+\(GitRepository.keptRef(commit)):\(kept)",
        ])
        try run(["update-ref", "--no-deref", "HEAD", commit.commit])
        if isCommitNamed { try run(["update-ref", "-d", kept]) }
        try run(["read-tree", commit.commit])
        try run(["config", "core.bare", "false"])
        // Where a caller gave a worktree, init notes its path; the directory goes elsewhere.
        _ = try? program.run(["config", "--unset", "core.worktree"], in: git, what: "make the git directory of")
        try run(["config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"])
        try run(["config", "remote.origin.url", reference.remote])
        for name in ["FETCH_HEAD", "logs", "refs/swbuild"] { removeTree("\(git)/\(name)") }
        try FileTimes.setAll(time, below: git)
    }
}

/// Sets modification times.
private enum FileTimes {
    static func set(_ time: Int64, on path: String) throws {
        let moment = timespec(tv_sec: Int(time), tv_nsec: 0)
        guard utimensat(AT_FDCWD, path, [moment, moment], AT_SYMLINK_NOFOLLOW) == 0 else {
            throw HostFileError("set the time of", path, code: errno)
        }
    }

    /// Sets the time of a directory of our own making and all that is in it, and modes that no umask has a say in.
    static func setAll(_ time: Int64, below path: String) throws {
        for item in try Directory(path: path).list(.root) {
            let child = "\(path)/\(String(decoding: item.name, as: UTF8.self))"
            if item.status.kind == .directory {
                try setAll(time, below: child)
            } else {
                chmod(child, 0o644)
                try set(time, on: child)
            }
        }
        chmod(path, 0o755)
        try set(time, on: path)
    }
}
