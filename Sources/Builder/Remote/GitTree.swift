import Glibc
import LayerDiff
import OCI
import Store

/// A commit's files, unpacked into a scratch directory.
///
/// They come as an archive, whose names and links exist in a model alone: nothing in a repository leads the file system
/// anywhere, and no filter or hook of anybody's runs.
struct GitTree {
    /// A submodule's place, and the commit that it is at.
    struct Link: Sendable, Hashable {
        var path: ContainerPath
        var commit: String
    }

    var entries: [LayerEntry]
    var links: [Link]
    /// The URLs of the submodules by their paths.
    var addresses: [ContainerPath: String]
    /// When the commit was made, in seconds since 1970.
    var time: Int64
}

extension GitRepository {
    /// The files of a commit that is here, with their contents in `scratch`; `limits` bounds them.
    func tree(of commit: String, scratch: String, limits: LayerLimits) throws -> GitTree {
        let links = try list(commit, limits: limits)
        let archive = "\(scratch)/archive"
        let raw = open(archive, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw HostFileError("create", archive, code: errno) }
        let file = OwnedDescriptor(owning: raw, path: archive)
        unlink(archive)
        try program.run(["archive", "--format=tar", commit], in: stored.path, to: raw, what: "unpack")
        guard lseek(raw, 0, SEEK_SET) == 0 else { throw HostFileError("read", archive, code: errno) }
        let members = "\(scratch)/members"
        try HostFile.createDirectories(members)
        // A commit without a file leaves an archive without a member.
        let entries =
            try file.status().size == 0
            ? [] : Archive.extract(file, into: Directory(path: members), limits: limits).entries
        return GitTree(
            entries: entries.filter { !$0.entry.path.isRoot },
            links: links,
            addresses: links.isEmpty ? [:] : try addresses(commit),
            time: try time(of: commit)
        )
    }

    /// Looks at all names and sizes of a commit before anything of it is unpacked; gives its submodules.
    private func list(_ commit: String, limits: LayerLimits) throws -> [GitTree.Link] {
        let what = "list of files"
        let url = program.reference.remote
        let output = try program.run(
            ["ls-tree", "-r", "-l", "-z", "--full-tree", commit],
            in: stored.path,
            what: "list the files of"
        )
        var links: [GitTree.Link] = []
        var total: Int64 = 0
        var count = 0
        for record in output.split(separator: 0) {
            // MODE TYPE OBJECT SIZE<tab>PATH, see git-ls-tree(1).
            guard let tab = record.firstIndex(of: 0x09) else { throw GitError.unreadable(what: what, url: url) }
            let facts = record[..<tab].split(separator: 0x20).map { String(decoding: $0, as: UTF8.self) }
            guard facts.count == 4 else { throw GitError.unreadable(what: what, url: url) }
            let path = ContainerPath(cleaning: record[(tab + 1)...])
            if let name = path.components.first(where: Self.isReserved) {
                throw GitError.reservedName(String(decoding: name, as: UTF8.self), url: url)
            }
            if facts[1] == "commit" { links.append(GitTree.Link(path: path, commit: facts[2])) }
            total += Int64(facts[3]) ?? 0
            count += 1
            guard total <= limits.maxBytes, count <= limits.maxEntries else {
                throw GitError.tooLarge(url: url, limit: limits.maxBytes)
            }
        }
        return links
    }

    /// A name that no checkout makes: the repository's own directory would be in its place.
    private static func isReserved(_ name: ArraySlice<UInt8>) -> Bool {
        String(decoding: name, as: UTF8.self).lowercased() == ".git"
    }

    /// The URLs that a commit's modules file has, by path.
    ///
    /// Source: gitmodules(5).
    private func addresses(_ commit: String) throws -> [ContainerPath: String] {
        let arguments = ["config", "--no-includes", "--blob=\(commit):.gitmodules", "--null", "--list"]
        guard let output = try? program.run(arguments, in: stored.path, what: "read the submodules of") else {
            return [:]
        }
        var paths: [String: String] = [:]
        var urls: [String: String] = [:]
        for record in output.split(separator: 0) {
            let pair = String(decoding: record, as: UTF8.self).split(separator: "\n", maxSplits: 1).map(String.init)
            guard pair.count == 2, pair[0].hasPrefix("submodule.") else { continue }
            let name = pair[0].dropFirst("submodule.".count)
            if name.hasSuffix(".path") { paths[String(name.dropLast(5))] = pair[1] }
            if name.hasSuffix(".url") { urls[String(name.dropLast(4))] = pair[1] }
        }
        var result: [ContainerPath: String] = [:]
        for name in paths.keys.sorted() {
            if let path = paths[name], let url = urls[name] { result[ContainerPath(path)] = url }
        }
        return result
    }

    /// When a commit was made.
    private func time(of commit: String) throws -> Int64 {
        let output = try program.run(["log", "-1", "--format=%ct", commit], in: stored.path, what: "read the time of")
        let text = String(decoding: output, as: UTF8.self).prefix { $0.isNumber || $0 == "-" }
        return Int64(text) ?? 0
    }
}
