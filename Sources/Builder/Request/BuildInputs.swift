import Glibc
import LayerDiff
import OCI
import Store

/// The build file and the context that a caller names, found and read.
public struct BuildInputs: Sendable {
    /// The build file's name for messages.
    public private(set) var buildFileName: String
    /// The build file's bytes.
    public private(set) var buildFile: [UInt8]
    /// The context, absolute; `nil` where there is none.
    public private(set) var contextPath: String?
    /// The ignore file that applies to the context.
    public private(set) var ignoreFile: IgnoreFile?
    /// The build files that are looked for in a context, the first that is there counts.
    static let defaultNames = ["Buildfile", "Dockerfile", "Containerfile"]
    /// Where a context from standard input was unpacked.
    fileprivate var temporary: String?

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
        request.ignoreFile = ignoreFile
    }

    /// Removes what was unpacked.
    public func discard() {
        if let temporary { removeTree(temporary) }
    }
}

/// Finds and reads what a build is made from.
public struct InputLoader: Sendable {
    private let file: String?
    private let context: String
    private let directory: String
    private let temporaryDirectory: String
    private static let largestBuildFile = 64 << 20

    /// A loader for a build file (`-` for standard input, `nil` for the context's own) and a context (`-` too).
    ///
    /// Relative paths are taken from `directory`; a context from standard input is unpacked in `temporaryDirectory`.
    public init(file: String?, context: String, directory: String, temporaryDirectory: String) {
        self.file = file
        self.context = context
        self.directory = directory
        self.temporaryDirectory = temporaryDirectory
    }

    /// Finds and reads the build file and its ignore file.
    /// - Throws: ``HostFileError``, ``LayerError`` for a damaged tar, ``MalformedOption``, ``NoBuildFile``.
    public func load() throws -> BuildInputs {
        if context == "-" { return try loadFromStandardInput() }
        for scheme in ["http://", "https://", "git://", "ssh://", "git@"] where context.hasPrefix(scheme) {
            throw MalformedOption(
                option: "the context",
                value: context,
                expected: "a directory; contexts from URLs are not supported yet"
            )
        }
        let path = absolute(context, in: directory)
        guard let resolved = realpath(path, nil) else {
            throw HostFileError("open the build context", path, code: errno)
        }
        defer { free(resolved) }
        return try load(contextPath: String(cString: resolved))
    }

    private func load(contextPath: String) throws -> BuildInputs {
        var information = stat()
        guard stat(contextPath, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
            throw HostFileError("open the build context", contextPath, code: ENOTDIR)
        }
        guard access(contextPath, R_OK | X_OK) == 0 else {
            throw HostFileError("open the build context", contextPath, code: errno)
        }
        if file == "-" {
            let bytes = try HostFile.read(descriptor: 0, named: "standard input", limit: Self.largestBuildFile)
            return BuildInputs(
                buildFileName: "-",
                buildFile: bytes,
                contextPath: contextPath,
                ignoreFile: try IgnoreFile.find(in: contextPath)
            )
        }
        let name = try file.map { absolute($0, in: directory) } ?? defaultFile(in: contextPath)
        return BuildInputs(
            buildFileName: file ?? name,
            buildFile: try HostFile.read(name, limit: Self.largestBuildFile),
            contextPath: contextPath,
            ignoreFile: try IgnoreFile.find(beside: name, in: contextPath)
        )
    }

    private func defaultFile(in context: String) throws -> String {
        for name in BuildInputs.defaultNames where HostFile.exists("\(context)/\(name)") {
            return "\(context)/\(name)"
        }
        throw NoBuildFile(context: context)
    }

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
        let input = try spool(to: "\(temporary)/input")
        let spooled = try Directory(path: temporary)
        guard try Archive.isArchive(spooled, ContainerPath("input")) else {
            let bytes = try HostFile.read("\(temporary)/input", limit: Self.largestBuildFile)
            removeTree(temporary)
            return BuildInputs(buildFileName: "-", buildFile: bytes, contextPath: nil)
        }
        let context = "\(temporary)/context"
        try HostFile.createDirectories(context)
        let members = "\(temporary)/members"
        try HostFile.createDirectories(members)
        let archive = try Archive.extract(input, into: Directory(path: members), limits: LayerLimits())
        try TreeWriter.write(archive.entries.filter { !$0.entry.path.isRoot }, to: context)
        removeTree(members)
        unlink("\(temporary)/input")
        var inputs = try InputLoader(
            file: file,
            context: context,
            directory: context,
            temporaryDirectory: temporaryDirectory
        ).load(contextPath: context)
        inputs.temporary = temporary
        return inputs
    }

    private func spool(to path: String) throws -> OwnedDescriptor {
        let output = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw HostFileError("create", path, code: errno) }
        let spooled = OwnedDescriptor(owning: output, path: path)
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
        lseek(output, 0, SEEK_SET)
        return spooled
    }
}

/// A context without a build file.
public struct NoBuildFile: Error, Sendable, CustomStringConvertible {
    /// The context's directory.
    public let context: String

    /// One sentence: what is missing where, and what to do.
    public var description: String {
        "there is no Buildfile, Dockerfile or Containerfile in \(context); name the build file with -f"
    }
}
