import Exec
import Glibc
import LayerDiff
import OCI
import Registry
import Store

/// Where files come from that are not on this machine.
public struct RemoteSources: Sendable {
    let urls: URLFiles
    let git: GitSource

    /// Sources whose files go through `store`, opened with what `request` gives, until `cancellation` says so.
    /// - Throws: ``HostFileError`` or ``MalformedOption`` where a secret cannot be read.
    public init(store: Store, request: BuildRequest, cancellation: Cancellation) throws {
        let access = GitAccess(
            secrets: try SecretValues.read(request.secrets.filter { $0.id.hasPrefix("GIT_AUTH_") }, cancellation),
            sshAgent: request.sshAgents["default"],
            caller: Privilege.current().idMaps?.own
        )
        self.init(store: store, access: access, cancellation: cancellation)
    }

    init(store: Store, access: GitAccess, cancellation: Cancellation) {
        urls = URLFiles(store: store, cancellation: cancellation)
        git = GitSource(store: store, access: access, cancellation: cancellation)
    }

    var store: Store { urls.store }

    var isCancelled: Bool { urls.cancellation.isCancelled }

    /// The directory that a reference names at a commit, written out in `work`.
    func directory(of commit: GitCommit, _ reference: GitReference, work: WorkDirectory) throws -> String {
        let root = try work.makeDirectory("checkout")
        try git.write(commit, of: reference, to: root, work: work)
        guard let subdirectory = reference.subdirectory else { return root }
        // Links are followed as if the checkout were the whole file system: none leads out of it.
        let tree = try ContextTree(path: root, name: reference.shown, rules: nil, hashes: ContentHashes(path: ""))
        let resolved = try tree.resolve(ContainerPath(subdirectory), followLast: true)
        guard try tree.node(resolved)?.entry.isDirectory == true else {
            throw GitError.noDirectory(subdirectory, url: reference.remote)
        }
        return resolved.isRoot ? root : "\(root)/\(String(decoding: resolved.bytes, as: UTF8.self))"
    }

    /// What a URL's file is as a build context.
    enum Context {
        /// An archive, unpacked.
        case directory(String)
        /// Anything else: its path.
        case file(String)
    }

    /// The file of a URL, whole.
    func fetch(_ url: String, work: WorkDirectory) throws -> FetchedFile {
        let fetched = try urls.fetch(url, checksum: nil, work: work)
        try urls.verify(fetched, url)
        return fetched
    }

    /// The context that a file makes, in `work`.
    func context(of file: FetchedFile, work: WorkDirectory) throws -> Context {
        try ContextArchive.unpack(file.directory, work: { try work.makeDirectory($0) })
    }
}

/// A tar that is a build context.
enum ContextArchive {
    /// Unpacks the archive `file` in `directory` into a directory that `work` makes; what is no archive stays.
    static func unpack(_ directory: String, work: (String) throws -> String) throws -> RemoteSources.Context {
        let file = try Directory(path: directory).openFile(ContainerPath("file"))
        guard try Archive.isArchive(file) else { return .file("\(directory)/file") }
        let members = try work("members")
        let context = try work("context")
        let archive = try Archive.extract(file, into: Directory(path: members), limits: LayerLimits())
        let entries = archive.entries.filter { !$0.entry.path.isRoot }
        // No user namespace can have device nodes: nothing could be made of them there.
        let devices = Privilege.current() == .root ? DevicePolicy.made : .leftOut
        try TreeWriter.write(entries.map(\.ownedByRoot), to: context, devices: devices)
        removeTree(members)
        return .directory(context)
    }
}

extension LayerEntry {
    /// The same, as root's: whose a context's files were does not count, and the ids may not exist here.
    var ownedByRoot: LayerEntry {
        var result = self
        result.entry.uid = 0
        result.entry.gid = 0
        return result
    }
}

/// A named context that is neither a directory nor an archive.
struct NoArchive: Error, CustomStringConvertible {
    let url: String

    var description: String { "\(redacted(url)) is no tar archive, which a build context from a URL must be" }
}
