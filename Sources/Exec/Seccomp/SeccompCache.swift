import Glibc

/// A directory in which compiled programs are kept from one process to the next.
///
/// Whatever goes wrong here costs the time to compile, nothing else: no failure is reported.
struct SeccompCache: ~Copyable {
    private let directory: Descriptor

    /// The directory; nil when it cannot be opened, or others than the effective user decide what is in it.
    init?(_ path: String) {
        let directory = Descriptor(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
        guard directory.isOurs(S_IFDIR) else { return nil }
        self.directory = directory
    }

    /// The program in a file; nil when there is none that can be used.
    borrowing func program(_ name: String) -> SeccompProgram? {
        // Not blocking: what has that name may be a pipe.
        let file = Descriptor(openat(directory.number, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC))
        guard file.isOurs(S_IFREG), let bytes = file.contents(atMost: SeccompProgram.sizeLimit) else { return nil }
        return SeccompProgram(checking: bytes)
    }

    /// Writes a program to a file: all of it or nothing, whoever else does the same, whatever happens to the machine.
    borrowing func keep(_ program: SeccompProgram, as name: String) {
        let temporary = ".\(name).\(String(UInt64.random(in: .min ... .max), radix: 36))"
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = Descriptor(openat(directory.number, temporary, flags, 0o600))
        guard file.number >= 0 else { return }
        let bytes = program.bytes
        guard write(file.number, bytes, bytes.count) == bytes.count, fdatasync(file.number) == 0,
            renameat(directory.number, temporary, directory.number, name) == 0
        else {
            unlinkat(directory.number, temporary, 0)
            return
        }
    }
}

extension Descriptor {
    /// Whether this is a file of that type (S_IFMT) that belongs to the effective user and that only they can write to.
    fileprivate func isOurs(_ type: mode_t) -> Bool {
        var status = stat()
        guard number >= 0, fstat(number, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == type && status.st_uid == geteuid() && status.st_mode & 0o022 == 0
    }

    /// What is in the file from here on; nil when it is more than the limit, or cannot be read.
    func contents(atMost limit: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: limit + 1)
        while true {
            let count = read(number, &buffer, buffer.count)
            if count == 0 { return bytes }
            guard count > 0, bytes.count + count <= limit else { return nil }
            bytes += buffer[..<count]
        }
    }
}
