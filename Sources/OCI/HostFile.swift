import Glibc

/// A failed operation on a file of the host.
public struct HostFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried, as a verb: `read`.
    public let operation: String
    /// The path as it was given.
    public let path: String
    /// The system's error number.
    public let code: Int32
    /// Whether a regular file was wanted and something else is there, which no error number says.
    public let isNoRegularFile: Bool

    /// Names the operation, its file and the error number.
    public init(_ operation: String, _ path: String, code: Int32, isNoRegularFile: Bool = false) {
        self.operation = operation
        self.path = path
        self.code = code
        self.isNoRegularFile = isNoRegularFile
    }

    /// One sentence: what could not be done, and why.
    public var description: String {
        if isNoRegularFile {
            let why = "it is a directory, pipe, socket or device; put a regular file in its place"
            return "cannot \(operation) \(path): \(why)"
        }
        return "cannot \(operation) \(path): \(String(cString: strerror(code)))"
    }

    /// Whether the file is not there.
    public var isMissing: Bool { code == ENOENT || code == ENOTDIR }
}

/// Small whole files of the host: documents, never layers.
public enum HostFile {
    /// The content of a file of at most `limit` bytes.
    /// - Throws: ``HostFileError``; `EFBIG` where the file is larger.
    public static func read(_ path: String, limit: Int) throws(HostFileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw HostFileError("open", path, code: errno) }
        defer { close(descriptor) }
        return try read(descriptor: descriptor, named: path, limit: limit)
    }

    /// The content of a regular file of at most `limit` bytes, for names that somebody else has chosen.
    ///
    /// A pipe that nobody writes to would be waited for without end, and a terminal be read from.
    /// - Throws: ``HostFileError``; `EINVAL` where it is anything else.
    public static func readRegular(_ path: String, limit: Int) throws(HostFileError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw HostFileError("open", path, code: errno) }
        defer { close(descriptor) }
        var information = stat()
        guard fstat(descriptor, &information) == 0 else { throw HostFileError("look at", path, code: errno) }
        // A link to /dev/null is a way to say that there is nothing in it.
        let isNull = information.st_mode & S_IFMT == S_IFCHR && information.st_rdev == 0x103
        guard information.st_mode & S_IFMT == S_IFREG || isNull else {
            throw HostFileError("read", path, code: EINVAL, isNoRegularFile: true)
        }
        return try read(descriptor: descriptor, named: path, limit: limit)
    }

    /// What is left to read from an open descriptor, at most `limit` bytes.
    /// - Throws: ``HostFileError``; `EFBIG` where there is more.
    public static func read(descriptor: CInt, named name: String, limit: Int) throws(HostFileError) -> [UInt8] {
        var result: [UInt8] = []
        var information = stat()
        if fstat(descriptor, &information) == 0 {
            guard information.st_size <= limit else { throw HostFileError("read", name, code: EFBIG) }
            result.reserveCapacity(Int(information.st_size))
        }
        // What is small takes one reading, and one more to see the end; of what is in /proc the size is not known.
        var chunk = [UInt8](repeating: 0, count: min(max(Int(information.st_size) + 1, 8 << 10), 64 << 10))
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw HostFileError("read", name, code: errno)
            }
            if count == 0 { return result }
            guard result.count + count <= limit else { throw HostFileError("read", name, code: EFBIG) }
            result.append(contentsOf: chunk[..<count])
        }
    }

    /// Writes a file beside its final place and renames it there: readers see the old one or the new one, whole.
    ///
    /// With `lasting`, its content is on the disk before it has its name: after a power cut it is there whole or not at
    /// all, where a file system may otherwise keep the name and lose the content.
    /// - Throws: ``HostFileError``; nothing is left behind then.
    public static func write(_ bytes: [UInt8], to path: String, lasting: Bool = false) throws(HostFileError) {
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw HostFileError("create", path, code: errno) }
        do throws(HostFileError) {
            defer { close(descriptor) }
            try write(bytes[...], descriptor: descriptor, named: path)
            guard !lasting || fdatasync(descriptor) == 0 else {
                throw HostFileError("write to the disk", path, code: errno)
            }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let code = errno
            unlink(temporary)
            throw HostFileError("rename into place", path, code: code)
        }
    }

    /// Hands `body` a descriptor for a result that a user asked for, and puts it in place when that is complete.
    ///
    /// A symbolic link is followed; a device or pipe is written to, never replaced.
    /// - Throws: ``HostFileError`` and what `body` throws; an incomplete file is removed then.
    public static func writeResult(to path: String, _ body: (CInt) throws -> Void) throws {
        var information = stat()
        let isThere = stat(path, &information) == 0
        if isThere, information.st_mode & S_IFMT != S_IFREG {
            let descriptor = open(path, O_WRONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw HostFileError("write", path, code: errno) }
            defer { close(descriptor) }
            return try body(descriptor)
        }
        var target = path
        if isThere, let resolved = realpath(path, nil) {
            target = String(cString: resolved)
            free(resolved)
        }
        // A new file under a name that nobody can guess: the directory may be one that others write to as well.
        let temporary = "\(target).\(UInt64.random(in: 0...UInt64.max)).part"
        let descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw HostFileError("create", path, code: errno) }
        defer { close(descriptor) }
        do {
            try body(descriptor)
            guard rename(temporary, target) == 0 else { throw HostFileError("rename into place", path, code: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
    }

    /// Writes all of `bytes` to an open descriptor.
    /// - Throws: ``HostFileError``.
    public static func write(
        _ bytes: ArraySlice<UInt8>,
        descriptor: CInt,
        named name: String
    ) throws(HostFileError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw HostFileError("write", name, code: errno)
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Creates a directory and those above it; one that is there already is fine.
    /// - Throws: ``HostFileError``.
    public static func createDirectories(_ path: String) throws(HostFileError) {
        if mkdir(path, 0o755) == 0 { return }
        let code = errno
        switch code {
        case EEXIST:
            var information = stat()
            guard stat(path, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else {
                throw HostFileError("create the directory", path, code: ENOTDIR)
            }
        case ENOENT:
            guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash > path.startIndex else {
                throw HostFileError("create the directory", path, code: code)
            }
            try createDirectories(String(path[..<slash]))
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
                throw HostFileError("create the directory", path, code: errno)
            }
        default:
            throw HostFileError("create the directory", path, code: code)
        }
    }

    /// Whether something is there, a symbolic link's target included.
    public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }
}
