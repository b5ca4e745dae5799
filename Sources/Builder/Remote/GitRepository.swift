import Exec
import Glibc
import LayerDiff
import OCI
import Store

/// What a reference stands for at the moment.
struct GitCommit: Sendable, Hashable {
    /// The commit's name.
    var commit: String
    /// The ref's whole name; `nil` where the commit was named itself.
    var ref: String?
    /// The tag object, where the ref is an annotated tag.
    var tag: String?
}

/// The store's copy of a remote repository: bare, shallow, without refs of anybody's.
struct GitRepository {
    let program: GitProgram
    /// The directory, under a lock as long as the value lives.
    let stored: StoredRepository

    private var reference: GitReference { program.reference }
    private var path: String { stored.path }

    /// The copy of what the program's reference names, made where it is new.
    init(_ program: GitProgram, store: Store) throws {
        self.program = program
        stored = try store.repository(of: program.reference.remote)
        if packCount() > GitLimits.packs { stored.clear() }
        try prepare()
    }

    private func prepare() throws {
        // The marker comes last: a repository that is half-made is made anew.
        let marker = "\(path)/swbuild-complete"
        if HostFile.exists(marker) {
            // Locks of a process that was killed: only one process at a time is here.
            for name in ["shallow.lock", "packed-refs.lock", "config.lock"] { unlink("\(path)/\(name)") }
            return
        }
        stored.clear()
        try HostFile.createDirectories(path)
        try program.run(["init", "--quiet", "--bare", "--template="], in: path, what: "make a copy of")
        try HostFile.createDirectories("\(path)/info")
        // All files as they are: an archive's own rules would leave out some and change others.
        try HostFile.write(Array("* -export-ignore -export-subst\n".utf8), to: "\(path)/info/attributes")
        try HostFile.write([], to: marker)
    }

    private func packCount() -> Int {
        let names = (try? Directory(path: "\(path)/objects/pack").list(.root)) ?? []
        return names.count { $0.name.suffix(5).elementsEqual(".pack".utf8) }
    }

    // MARK: Resolving

    /// The commit that the reference stands for at the remote.
    /// - Throws: ``GitError``, also where it is not the commit that the reference's checksum says.
    func resolve() throws(GitError) -> GitCommit { try reference.checked(look()) }

    private func look() throws(GitError) -> GitCommit {
        let name = reference.ref ?? "HEAD"
        let output = try program.runRemotely(
            ["ls-remote", "--", "origin", name, "\(name)^{}"],
            in: path,
            what: "find `\(name)` in"
        )
        var refs: [String: String] = [:]
        for line in String(decoding: output, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: "\t").map(String.init)
            guard parts.count == 2, GitReference.isCommit(parts[0]) else { continue }
            refs[parts[1]] = parts[0]
        }
        guard let ref = reference.ref else {
            guard let commit = refs["HEAD"] else { throw .noDefault(url: reference.remote) }
            return GitCommit(commit: commit)
        }
        // As git checkout has it: branches come before tags.
        let whole = ref.hasPrefix("refs/") ? [ref] : ["refs/\(ref)", "refs/heads/\(ref)", "refs/tags/\(ref)"]
        for candidate in ref == "HEAD" ? ["HEAD"] : whole {
            guard let object = refs[candidate] else { continue }
            guard let peeled = refs["\(candidate)^{}"] else { return GitCommit(commit: object, ref: candidate) }
            return GitCommit(commit: peeled, ref: candidate, tag: object)
        }
        throw .unknownRef(ref, url: reference.remote)
    }

    // MARK: Fetching

    /// The ref under which a commit is kept.
    static func keptRef(_ commit: GitCommit) -> String { "refs/swbuild/\(commit.tag ?? commit.commit)" }

    /// Sees to it that the commit is here, and its tag where `withTag` says so.
    /// - Throws: ``GitError``.
    func fetch(_ wanted: GitCommit, withTag: Bool) throws(GitError) {
        if has(wanted, withTag: withTag) { return try keep(wanted) }
        var last: GitError?
        for arguments in attempts(wanted, withTag: withTag) {
            do throws(GitError) {
                try program.runRemotely(
                    ["fetch", "--quiet", "--no-tags"] + arguments,
                    in: path,
                    what: "fetch",
                    mayGoOn: { isWithinLimit() }
                )
                if has(wanted, withTag: withTag) { return try keep(wanted) }
            } catch {
                guard Self.isWorthAnotherWay(error) else { throw error }
                last = error
            }
        }
        throw last ?? .missingCommit(wanted.commit, url: reference.remote)
    }

    /// One way after another: servers differ in what they let clients ask for.
    private func attempts(_ wanted: GitCommit, withTag: Bool) -> [[String]] {
        var result: [[String]] = []
        let kept = Self.keptRef(wanted)
        if !withTag || wanted.tag == nil {
            result.append(["--depth=1", "--", "origin", "+\(wanted.commit):\(kept)"])
        }
        if let ref = wanted.ref ?? (reference.ref == nil ? "HEAD" : nil) {
            result.append(["--depth=1", "--", "origin", "+\(ref):\(kept)"])
            result.append(["--", "origin", "+\(ref):\(kept)"])
        }
        let all = ["--", "origin", "+refs/heads/*:refs/all/heads/*", "+refs/tags/*:refs/all/tags/*"]
        result.append(HostFile.exists("\(path)/shallow") ? ["--unshallow"] + all : all)
        return result
    }

    /// Whether git's complaint is about the way of asking, rather than about access or the network.
    private static func isWorthAnotherWay(_ error: GitError) -> Bool {
        guard case .failed(_, _, let message) = error else { return false }
        let complaints = [
            "not our ref", "unadvertised object", "does not allow request", "shallow", "--depth", "dumb http",
            "remote ref", "no such remote ref",
        ]
        return complaints.contains { message.lowercased().contains($0) }
    }

    /// A pack comes with all that its commit needs, and appears whole: the commit stands for the rest.
    private func has(_ wanted: GitCommit, withTag: Bool) -> Bool {
        let object = withTag ? wanted.tag ?? wanted.commit : wanted.commit
        return (try? program.run(["cat-file", "-e", "\(object)^{commit}"], in: path, what: "look into")) != nil
    }

    private func keep(_ wanted: GitCommit) throws(GitError) {
        // The commit as it was resolved: a branch may have moved on in between.
        let object = wanted.tag.flatMap { has(wanted, withTag: true) ? $0 : nil } ?? wanted.commit
        try program.run(["update-ref", Self.keptRef(wanted), object], in: path, what: "keep a commit of")
    }

    private func isWithinLimit() -> Bool {
        guard let packs = try? Directory(path: "\(path)/objects/pack").list(.root) else { return true }
        return packs.reduce(0) { $0 + $1.status.size } <= GitLimits.repositoryBytes
    }
}

extension GitReference {
    /// The commit, if it is the one that the checksum says.
    func checked(_ found: GitCommit) throws(GitError) -> GitCommit {
        guard let checksum, !found.commit.hasPrefix(checksum), found.tag?.hasPrefix(checksum) != true else {
            return found
        }
        throw .wrongCommit(url: shown, expected: checksum, found: found.commit)
    }
}
