import Glibc
import LayerDiff
import OCI
import Store

/// A new directory of this user's alone, held by its descriptor.
///
/// Whoever owns the directory that it is in may rename it and put a link under its name. So the name is used once, to
/// open it; what is made in it goes through the descriptor, to this directory and no other.
struct PrivateDirectory: ~Copyable {
    /// The name it was made under.
    let path: String
    private let descriptor: CInt

    /// Makes a directory.
    init(making path: String) throws {
        guard mkdir(path, 0o700) == 0 else { throw HostFileError("create the directory", path, code: errno) }
        try self.init(holding: path)
    }

    /// Holds a directory that this process has just made, for its user alone.
    init(holding path: String) throws {
        let opened = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard opened >= 0 else { throw ReplacedDirectory(path: path) }
        guard Self.isNew(opened) else {
            close(opened)
            throw ReplacedDirectory(path: path)
        }
        self.path = path
        descriptor = opened
    }

    deinit { close(descriptor) }

    private static func isNew(_ descriptor: CInt) -> Bool {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
            return false
        }
        return names(in: "/proc/self/fd/\(descriptor)")?.isEmpty ?? false
    }

    private static func names(in place: String) -> [String]? {
        (try? Directory(path: place).list(.root))?.map { String(decoding: $0.name, as: UTF8.self) }
    }

    /// A path that leads there for this process and its children, whatever becomes of the name.
    var place: String { "/proc/self/fd/\(descriptor)" }

    /// Makes a directory in it.
    func makeDirectory(_ name: String, mode: mode_t) throws -> Directory {
        let shown = "\(path)/\(name)"
        guard mkdirat(descriptor, name, mode) == 0 else {
            throw HostFileError("create the directory", shown, code: errno)
        }
        let made = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard made >= 0 else { throw HostFileError("open the directory", shown, code: errno) }
        return Directory(owning: made, place: shown)
    }

    /// Writes a file in it.
    func write(_ bytes: [UInt8], to name: String) throws(HostFileError) {
        do throws(HostFileError) {
            try HostFile.write(bytes, to: "\(place)/\(name)")
        } catch {
            throw HostFileError(error.operation, "\(path)/\(name)", code: error.code)
        }
    }

    /// Gives it another name: 0 or the error number.
    func rename(to target: String) throws -> CInt {
        guard Glibc.rename(path, target) == 0 else { return errno }
        var (own, found) = (stat(), stat())
        guard fstat(descriptor, &own) == 0, lstat(target, &found) == 0, own.st_ino == found.st_ino,
            own.st_dev == found.st_dev
        else { throw ReplacedDirectory(path: path) }
        return 0
    }

    /// Removes what is in it, wherever it is by now, and then it.
    func remove() {
        for name in Self.names(in: place) ?? [] { removeTree("\(place)/\(name)") }
        rmdir(path)
    }
}

/// Under the name of a new directory there is something else.
struct ReplacedDirectory: Error, CustomStringConvertible {
    let path: String

    var description: String {
        "the new directory \(path) was replaced by somebody else: name a place that nobody else may write to"
    }
}
