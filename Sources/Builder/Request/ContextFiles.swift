import Glibc
import LayerDiff
import OCI
import Store
import SystemPackage

/// The files of a context that are read before its steps: build file and ignore file.
struct ContextFiles: Sendable {
    /// The context's directory, absolute.
    let path: String
    /// Whether the context came from elsewhere: nothing outside of it is read then, wherever its links lead.
    let isForeign: Bool

    /// Whether the context has a file of that name.
    func has(_ name: String) -> Bool {
        guard isForeign else { return HostFile.exists("\(path)/\(name)") }
        guard let directory = try? Directory(path: path) else { return false }
        return (try? directory.openFileInRoot(ContainerPath(name))) != nil
    }

    /// The content of one of the context's files.
    func read(_ name: String, limit: Int) throws -> [UInt8] {
        guard isForeign else { return try HostFile.readRegular("\(path)/\(name)", limit: limit) }
        let file: OwnedDescriptor
        do throws(FileError) {
            file = try Directory(path: path).openFileInRoot(ContainerPath(name))
        } catch {
            throw HostFileError("open", "\(name) of the build context", code: error.errno.rawValue)
        }
        guard try file.status().kind == .file else {
            throw HostFileError("read", "\(name) of the build context", code: EISDIR)
        }
        return try withExtendedLifetime(file) {
            try HostFile.read(descriptor: file.raw, named: "\(name) of the build context", limit: limit)
        }
    }

    /// The context's ignore file, `.containerignore` before `.dockerignore`; one beside the build file that is for it
    /// alone comes before both.
    func ignoreFile(beside buildFile: String? = nil) throws -> IgnoreFile? {
        let own = buildFile.map { ["\($0).containerignore", "\($0).dockerignore"] } ?? []
        for name in own + [".containerignore", ".dockerignore"] where has(name) {
            return IgnoreFile(name: isForeign ? name : "\(path)/\(name)", bytes: try read(name, limit: 16 << 20))
        }
        return nil
    }
}

/// Opens the contexts of a graph, and brings here what is elsewhere.
struct ContextOpener {
    let remotes: RemoteSources
    let work: WorkDirectory
    let hashes: ContentHashes?
    /// Where the main context comes from.
    let origin: String?
    let sources: UsedSources

    func open(_ spec: ContextSpec) throws -> ContextTree {
        let (path, isForeign) = try directory(of: spec.location)
        var ignoreFile = spec.ignoreFile
        if spec.name != nil { ignoreFile = try ContextFiles(path: path, isForeign: isForeign).ignoreFile() }
        return try ContextTree(
            path: path,
            name: spec.name.map { "the build context `\($0)`" } ?? "the build context \(origin ?? path)",
            rules: try ignoreFile.map { try $0.rules() },
            ignoreFileName: ignoreFile?.shortName(in: path) ?? "",
            hashes: hashes ?? ContentHashes(path: "\(remotes.store.root)/contexts/other")
        )
    }

    private func directory(of location: ContextSpec.Location) throws -> (path: String, isForeign: Bool) {
        switch location {
        case .directory(let path): return (path, false)
        case .git(let reference):
            let commit = try remotes.git.resolve(reference)
            try sources.use(reference, commit: commit.commit)
            return (try remotes.directory(of: commit, reference, work: work), true)
        case .archive(let url):
            let fetched = try remotes.fetch(url, work: work)
            try sources.use(url: url, digest: fetched.digest)
            guard case .directory(let path) = try remotes.context(of: fetched, work: work) else {
                throw NoArchive(url: url)
            }
            return (path, true)
        }
    }
}
