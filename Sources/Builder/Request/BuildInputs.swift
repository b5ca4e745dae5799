import Glibc
import LayerDiff
import OCI
import Registry
import Store

/// The build file and the context that a caller names, found and read.
public struct BuildInputs: Sendable {
    /// The build file's name for messages.
    public private(set) var buildFileName: String
    /// The build file's bytes.
    public private(set) var buildFile: [UInt8]
    /// The context, absolute; `nil` where there is none.
    public private(set) var contextPath: String?
    /// Where the context comes from, if it was brought here.
    public fileprivate(set) var contextOrigin: String?
    /// What was taken from there: a context, or a build file without one.
    fileprivate var contextSource: UsedSource?
    /// The ignore file that applies to the context.
    public private(set) var ignoreFile: IgnoreFile?
    /// The build files that are looked for in a context, the first that is there counts.
    static let defaultNames = ["Buildfile", "Dockerfile", "Containerfile"]
    /// Where a context from standard input was unpacked.
    fileprivate var temporary: String?
    /// What keeps a context from elsewhere on the disk.
    fileprivate var hold: ContextHold?

    fileprivate init(buildFileName: String, buildFile: [UInt8], contextPath: String?, ignoreFile: IgnoreFile? = nil) {
        self.buildFileName = buildFileName
        self.buildFile = buildFile
        self.contextPath = contextPath
        self.ignoreFile = ignoreFile
    }

    /// Hands what was read to a request.
    public func fill(_ request: inout BuildRequest) {
        request.buildFileName = buildFileName
        request.buildFile = buildFile
        request.contextPath = contextPath
        request.contextOrigin = contextOrigin
        request.contextSource = contextSource
        request.ignoreFile = ignoreFile
    }

    /// Removes what was unpacked.
    public func discard() {
        if let temporary { removeTree(temporary) }
        withExtendedLifetime(hold) {}
    }
}

/// A work directory of the store and the lock that keeps `prune` away from what comes into it.
private struct ContextHold: Sendable {
    let work: WorkDirectory
    let lock: FileLock
}

/// Finds and reads what a build is made from.
public struct InputLoader: Sendable {
    private let file: String?
    private let context: String
    private let directory: String
    private let temporaryDirectory: String
    private let remotes: RemoteSources?
    private static let largestBuildFile = 64 << 20

    /// A loader for a build file (`-` for standard input, `nil` for the context's own) and a context: a directory, a
    /// URL, or `-`.
    ///
    /// Relative paths are taken from `directory`; a context from standard input is unpacked in `temporaryDirectory`,
    /// one from elsewhere is brought by `remotes`.
    public init(
        file: String?,
        context: String,
        directory: String,
        temporaryDirectory: String,
        remotes: RemoteSources? = nil
    ) {
        self.file = file
        self.context = context
        self.directory = directory
        self.temporaryDirectory = temporaryDirectory
        self.remotes = remotes
    }

    /// Whether the context has to be fetched.
    public var isRemote: Bool {
        context != "-" && (try? RemoteLocation.parse(context, in: directory, option: "the context")) != .some(nil)
    }

    /// Where the context has to be fetched from, without credentials; `nil` where it is here.
    public var origin: String? {
        guard context != "-", (try? RemoteLocation.parse(context, in: directory, option: "the context")) != nil else {
            return nil
        }
        return withoutCredentials(context)
    }

    /// Finds and reads the build file and its ignore file.
    /// - Throws: ``HostFileError``, ``LayerError`` for a damaged tar, ``MalformedOption``, ``NoBuildFile``,
    ///   ``DownloadError`` and others where a context cannot be fetched.
    public func load() throws -> BuildInputs {
        if context == "-" { return try loadFromStandardInput() }
        if let location = try RemoteLocation.parse(context, in: directory, option: "the context") {
            return try load(location)
        }
        let path = absolute(context, in: directory)
        guard let resolved = realpath(path, nil) else {
            throw HostFileError("open the build context", path, code: errno)
        }
        defer { free(resolved) }
        return try load(contextPath: String(cString: resolved))
    }

    // MARK: A directory

    private func load(contextPath: String) throws -> BuildInputs {
        var information = stat()
        guard stat(contextPath, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
            throw HostFileError("open the build context", contextPath, code: ENOTDIR)
        }
        guard access(contextPath, R_OK | X_OK) == 0 else {
            throw HostFileError("open the build context", contextPath, code: errno)
        }
        let files = ContextFiles(path: contextPath, isForeign: false)
        guard file != "-" else { return try loadWithBuildFileFromStandardInput(files) }
        let name = try file.map { absolute($0, in: directory) } ?? "\(contextPath)/\(Self.defaultFile(in: files))"
        // What the caller names may be a pipe, as a shell's <(…) is.
        let read = file == nil ? HostFile.readRegular(_:limit:) : HostFile.read(_:limit:)
        return BuildInputs(
            buildFileName: file ?? name,
            buildFile: try read(name, Self.largestBuildFile),
            contextPath: contextPath,
            ignoreFile: try IgnoreFile.find(beside: name, in: contextPath)
        )
    }

    private func loadWithBuildFileFromStandardInput(_ files: ContextFiles) throws -> BuildInputs {
        BuildInputs(
            buildFileName: "-",
            buildFile: try HostFile.read(descriptor: 0, named: "standard input", limit: Self.largestBuildFile),
            contextPath: files.path,
            ignoreFile: try files.ignoreFile()
        )
    }

    private static func defaultFile(in files: ContextFiles) throws -> String {
        for name in BuildInputs.defaultNames where files.has(name) { return name }
        throw NoBuildFile(context: files.path)
    }

    // MARK: What came from elsewhere

    /// Reads what belongs to a context that was brought here: the build file is one of its files.
    private func load(foreign path: String, from origin: String) throws -> BuildInputs {
        let files = ContextFiles(path: path, isForeign: true)
        var inputs: BuildInputs
        if file == "-" {
            inputs = try loadWithBuildFileFromStandardInput(files)
        } else {
            let name: String
            do {
                name = try file ?? Self.defaultFile(in: files)
            } catch is NoBuildFile {
                throw NoBuildFile(context: origin)
            }
            inputs = BuildInputs(
                buildFileName: name,
                buildFile: try files.read(name, limit: Self.largestBuildFile),
                contextPath: path,
                ignoreFile: try files.ignoreFile(beside: name)
            )
        }
        inputs.contextOrigin = origin
        return inputs
    }

    private func load(_ location: RemoteLocation) throws -> BuildInputs {
        guard let remotes else {
            throw MalformedOption(option: "the context", value: withoutCredentials(context), expected: "a directory")
        }
        let hold = ContextHold(work: try remotes.store.makeWorkDirectory(), lock: try remotes.store.holdForBuild())
        var inputs: BuildInputs
        do {
            inputs = try load(location, remotes, work: hold.work)
        } catch {
            throw remotes.isCancelled ? BuildError.cancelled : error
        }
        inputs.hold = hold
        return inputs
    }

    private func load(_ location: RemoteLocation, _ remotes: RemoteSources, work: WorkDirectory) throws -> BuildInputs {
        switch location {
        case .git(let reference):
            let commit = try remotes.git.resolve(reference)
            let path = try remotes.directory(of: commit, reference, work: work)
            var inputs = try load(foreign: path, from: reference.shown)
            inputs.contextSource = .git(reference, commit: commit.commit)
            return inputs
        case .url(let url):
            let file = try remotes.fetch(url, work: work)
            var inputs =
                switch try remotes.context(of: file, work: work) {
                case .directory(let path): try load(foreign: path, from: redacted(url))
                case .file(let path): try load(buildFile: path, from: redacted(url))
                }
            inputs.contextSource = .url(url, file.digest)
            return inputs
        }
    }

    /// A text is a build file that has no context.
    private func load(buildFile path: String, from origin: String) throws -> BuildInputs {
        guard file == nil else {
            throw MalformedOption(
                option: "-f",
                value: file ?? "",
                expected: "no such option, since \(origin) is a build file itself"
            )
        }
        let bytes = try HostFile.read(path, limit: Self.largestBuildFile)
        // No instruction begins so, but every page that a browser would show.
        guard bytes.first(where: { $0 > 0x20 }) != UInt8(ascii: "<") else { throw WebPage(url: origin) }
        return BuildInputs(buildFileName: origin, buildFile: bytes, contextPath: nil)
    }

    // MARK: Standard input

    /// A tar on standard input is a context; anything else is a build file that has none.
    private func loadFromStandardInput() throws -> BuildInputs {
        guard file != "-" else {
            throw MalformedOption(option: "-f", value: "-", expected: "a file, since the context is standard input too")
        }
        let template = "\(temporaryDirectory)/swbuild-context-XXXXXX"
        var name = Array(template.utf8CString)
        guard mkdtemp(&name) != nil else { throw HostFileError("create a directory in", template, code: errno) }
        let temporary = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        do {
            return try unpackStandardInput(into: temporary)
        } catch {
            removeTree(temporary)
            throw error
        }
    }

    private func unpackStandardInput(into temporary: String) throws -> BuildInputs {
        try spool(to: "\(temporary)/file")
        let unpacked = try ContextArchive.unpack(temporary) { name in
            let path = "\(temporary)/\(name)"
            try HostFile.createDirectories(path)
            return path
        }
        switch unpacked {
        case .file(let path):
            let bytes = try HostFile.read(path, limit: Self.largestBuildFile)
            removeTree(temporary)
            return BuildInputs(buildFileName: "-", buildFile: bytes, contextPath: nil)
        case .directory(let context):
            unlink("\(temporary)/file")
            var inputs = try load(foreign: context, from: "standard input")
            inputs.temporary = temporary
            return inputs
        }
    }

    private func spool(to path: String) throws {
        let output = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw HostFileError("create", path, code: errno) }
        defer { close(output) }
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        var size: Int64 = 0
        while true {
            let count = read(0, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw HostFileError("read", "standard input", code: errno) }
            if count == 0 { break }
            size += Int64(count)
            guard size <= LayerLimits().maxBytes else { throw HostFileError("read", "standard input", code: EFBIG) }
            try HostFile.write(chunk[..<count], descriptor: output, named: path)
        }
    }
}

/// A context without a build file.
public struct NoBuildFile: Error, Sendable, CustomStringConvertible {
    /// The context's directory or URL.
    public let context: String

    /// One sentence: what is missing where, and what to do.
    public var description: String {
        "there is no Buildfile, Dockerfile or Containerfile in \(context); name the build file with -f"
    }
}

/// A URL of a context that names a page for people.
public struct WebPage: Error, Sendable, CustomStringConvertible {
    /// The URL, without credentials.
    public let url: String

    /// One sentence: what is there, and what to do.
    public var description: String {
        "\(url) is a web page, neither a tar nor a build file; the URL of a git repository must end in .git"
    }
}
