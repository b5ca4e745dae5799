import Builder
import Glibc
import LayerDiff
import OCI
import Store
import SystemPackage

/// The build file and the context that the command line names, found and read.
struct BuildInputs {
    var buildFileName: String
    var buildFile: [UInt8]
    var contextPath: String?
    var ignoreFile: IgnoreFile?
    /// Where a context from standard input was unpacked.
    fileprivate var temporary: String?

    static let largestBuildFile = 64 << 20

    /// Fills in what was found.
    func fill(_ request: inout BuildRequest) {
        request.buildFileName = buildFileName
        request.buildFile = buildFile
        request.contextPath = contextPath
        request.ignoreFile = ignoreFile
    }

    /// Removes what was unpacked.
    func discard() {
        if let temporary { removeTree(temporary) }
    }
}

extension BuildSourceOptions {
    /// Finds and reads the build file and its ignore file.
    func load(in directory: String) throws -> BuildInputs {
        if context == "-" { return try loadFromStandardInput(in: directory) }
        for scheme in ["http://", "https://", "git://", "ssh://", "git@"] where context.hasPrefix(scheme) {
            throw MalformedOption(
                option: "the context",
                value: context,
                expected: "a directory; contexts from URLs are not supported yet"
            )
        }
        let path = absolute(context, in: directory)
        guard let resolved = realpath(path, nil) else { throw HostFileError("open the build context", path, code: errno) }
        defer { free(resolved) }
        let contextPath = String(cString: resolved)
        return try load(contextPath: contextPath, in: directory)
    }

    private func load(contextPath: String, in directory: String) throws -> BuildInputs {
        var information = stat()
        guard stat(contextPath, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
            throw HostFileError("open the build context", contextPath, code: ENOTDIR)
        }
        guard access(contextPath, R_OK | X_OK) == 0 else {
            throw HostFileError("open the build context", contextPath, code: errno)
        }
        if file == "-" {
            let bytes = try HostFile.read(descriptor: 0, named: "standard input", limit: BuildInputs.largestBuildFile)
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
            buildFile: try HostFile.read(name, limit: BuildInputs.largestBuildFile),
            contextPath: contextPath,
            ignoreFile: try ignoreFile(beside: name, contextPath: contextPath)
        )
    }

    private func defaultFile(in context: String) throws -> String {
        for name in ["Buildfile", "Dockerfile", "Containerfile"] where HostFile.exists("\(context)/\(name)") {
            return "\(context)/\(name)"
        }
        throw NoBuildFile(context: context)
    }

    /// An ignore file beside the build file is for it alone, and comes before the context's.
    private func ignoreFile(beside buildFile: String, contextPath: String) throws -> IgnoreFile? {
        for suffix in [".containerignore", ".dockerignore"] where HostFile.exists(buildFile + suffix) {
            return IgnoreFile(name: buildFile + suffix, bytes: try HostFile.read(buildFile + suffix, limit: 16 << 20))
        }
        return try IgnoreFile.find(in: contextPath)
    }

    /// A tar on standard input is a context; anything else is a build file that has none.
    private func loadFromStandardInput(in directory: String) throws -> BuildInputs {
        guard file != "-" else {
            throw MalformedOption(option: "-f", value: "-", expected: "a file, since the context is standard input too")
        }
        let template = "\(Console.environment("TMPDIR") ?? "/tmp")/swbuild-context-XXXXXX"
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
            let bytes = try HostFile.read("\(temporary)/input", limit: BuildInputs.largestBuildFile)
            removeTree(temporary)
            return BuildInputs(buildFileName: "-", buildFile: bytes, contextPath: nil)
        }
        let context = "\(temporary)/context"
        try unpack(input, to: context, scratch: temporary)
        unlink("\(temporary)/input")
        var inputs = try load(contextPath: context, in: context)
        inputs.temporary = temporary
        return inputs
    }

    /// Makes a tree of files of an archive: its entries, written as a layer, are put into the directory as any layer is.
    private func unpack(_ archive: OwnedDescriptor, to context: String, scratch: String) throws {
        let contents = "\(scratch)/contents"
        try HostFile.createDirectories(contents)
        try HostFile.createDirectories(context)
        let extracted = try Archive.extract(archive, into: Directory(path: contents), limits: LayerLimits())
        let path = "\(scratch)/layer"
        let layer = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard layer >= 0 else { throw HostFileError("create", path, code: errno) }
        try OwnedDescriptor(owning: layer, path: path).withDescriptor { tar in
            let options = LayerOptions(compression: .none)
            _ = try LayerWriter.begin(extracted.entries, blob: tar, options: options).finish()
            lseek(tar.rawValue, 0, SEEK_SET)
            _ = try LayerReader.apply(tar, to: Directory(path: context), options: ApplyOptions(form: .flat))
        }
        unlink(path)
        removeTree(contents)
    }

    private func spool(to path: String) throws -> OwnedDescriptor {
        let output = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard output >= 0 else { throw HostFileError("create", path, code: errno) }
        let spooled = OwnedDescriptor(owning: output, path: path)
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = read(0, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw HostFileError("read", "standard input", code: errno) }
            if count == 0 { break }
            try HostFile.write(chunk[..<count], descriptor: output, named: path)
        }
        lseek(output, 0, SEEK_SET)
        return spooled
    }
}

/// A context without a build file.
struct NoBuildFile: Error, CustomStringConvertible {
    let context: String

    var description: String {
        "there is no Buildfile, Dockerfile or Containerfile in \(context); name the build file with -f"
    }
}
