import CShims
import Glibc
import SystemPackage

/// The files that a thread which makes a system call means: its root, its directories, its memory.
///
/// Paths are resolved by the kernel with the thread's root as root; nothing outside of that is ever opened.
struct CallerFiles {
    let thread: pid_t

    /// PATH_MAX of linux/limits.h.
    private static let longestPath = 4096

    /// The text that an argument leads to, with `nil` for what cannot be read or does not end.
    func path(at address: UInt64) -> [UInt8]? {
        var length = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.longestPath) { buffer, count in
            guard let start = buffer.baseAddress else { return }
            length = swb_read_memory(thread, address, start, Self.longestPath)
            count = max(0, length)
        }
        guard let end = bytes.firstIndex(of: 0) else { return nil }
        return Array(bytes[..<end])
    }

    /// The file that a descriptor of the thread stands for.
    func file(_ descriptor: CInt) throws(Errno) -> Descriptor {
        try open("/proc/\(thread)/fd/\(descriptor)", O_PATH)
    }

    /// The file at a path that counts from a directory of the thread (`AT_FDCWD` for its working directory).
    func file(_ path: [UInt8], from directory: CInt, followsLast: Bool) throws(Errno) -> Descriptor {
        do throws(Errno) {
            return try find(path, from: directory, followsLast: followsLast)
        } catch {
            // The names by which a process calls its own descriptors mean nothing here.
            guard followsLast, error == .noSuchFileOrDirectory, let number = Self.ownDescriptor(path) else {
                throw error
            }
            return try file(number)
        }
    }

    /// The descriptor that a path names in whichever process uses it: proc(5), "/proc/self", and the links in `/dev`.
    static func ownDescriptor(_ path: [UInt8]) -> CInt? {
        let text = String(decoding: path, as: UTF8.self)
        let streams = ["/dev/stdin", "/dev/stdout", "/dev/stderr"]
        if let number = streams.firstIndex(of: text) { return CInt(number) }
        for directory in ["/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"] where text.hasPrefix(directory) {
            let digits = text.dropFirst(directory.count)
            return digits.utf8.allSatisfy { (0x30...0x39).contains($0) } ? CInt(digits) : nil
        }
        return nil
    }

    private func find(_ path: [UInt8], from directory: CInt, followsLast: Bool) throws(Errno) -> Descriptor {
        guard !path.isEmpty else { throw .noSuchFileOrDirectory }
        let flags = O_PATH | O_CLOEXEC | (followsLast ? 0 : O_NOFOLLOW)
        let root = try open("/proc/\(thread)/root", O_PATH | O_DIRECTORY)
        if path.first == UInt8(ascii: "/") { return try resolve(path, in: root, flags) }
        let place = directory == AT_FDCWD ? "/proc/\(thread)/cwd" : "/proc/\(thread)/fd/\(directory)"
        let base = try open(place, O_PATH | O_DIRECTORY)
        let beneath = UInt64(CSHIMS_RESOLVE_BENEATH | CSHIMS_RESOLVE_NO_MAGICLINKS)
        let found = openat2(base.number, path, flags, beneath)
        // EXDEV: the path leads out of the directory, which it may, but not out of the root.
        guard found == -EXDEV else { return try Self.descriptor(found) }
        guard let whole = absolute(place) else { throw .noSuchFileOrDirectory }
        return try resolve(whole + [UInt8(ascii: "/")] + path, in: root, flags)
    }

    /// Whether a device is that of the file system which the thread's root is on.
    func isInRoot(_ device: UInt64) -> Bool {
        let root = Descriptor(Glibc.open("/proc/\(thread)/root", O_PATH | O_DIRECTORY | O_CLOEXEC))
        var status = cshims_status()
        return cshims_status(root.number, "", &status) == 0 && status.device == device
    }

    private func resolve(_ path: [UInt8], in root: borrowing Descriptor, _ flags: CInt) throws(Errno) -> Descriptor {
        try Self.descriptor(openat2(root.number, path, flags, UInt64(CSHIMS_RESOLVE_IN_ROOT)))
    }

    /// Where a directory is, from the thread's root.
    private func absolute(_ place: String) -> [UInt8]? {
        guard let path = Self.link(place), let root = Self.link("/proc/\(thread)/root") else { return nil }
        if root == [UInt8(ascii: "/")] { return path }
        guard path.starts(with: root), path.count == root.count || path[root.count] == UInt8(ascii: "/") else {
            return nil
        }
        return Array(path.dropFirst(root.count))
    }

    private static func link(_ path: String) -> [UInt8]? {
        var buffer = [CChar](repeating: 0, count: longestPath)
        let length = readlink(path, &buffer, buffer.count)
        guard length > 0, length < buffer.count else { return nil }
        return buffer[..<length].map { UInt8(bitPattern: $0) }
    }

    private func openat2(_ directory: CInt, _ path: [UInt8], _ flags: CInt, _ resolve: UInt64) -> CInt {
        let text = path.map { CChar(bitPattern: $0) } + [0]
        return cshims_openat2(directory, text, UInt64(UInt32(bitPattern: flags)), 0, resolve)
    }

    private func open(_ path: String, _ flags: CInt) throws(Errno) -> Descriptor {
        let number = Glibc.open(path, flags | O_CLOEXEC)
        guard number >= 0 else { throw Errno(rawValue: errno == ENOENT ? EBADF : errno) }
        return Descriptor(number)
    }

    private static func descriptor(_ result: CInt) throws(Errno) -> Descriptor {
        guard result >= 0 else { throw Errno(rawValue: -result) }
        return Descriptor(result)
    }
}

/// O_PATH is behind _GNU_SOURCE.
private let O_PATH = CInt(CSHIMS_O_PATH)
