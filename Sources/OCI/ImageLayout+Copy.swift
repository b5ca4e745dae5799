import Glibc

extension ImageLayout {
    /// Whether a blob is there with the size that its descriptor says.
    public func hasBlob(_ descriptor: Descriptor) -> Bool {
        var information = stat()
        return stat(blobPath(descriptor.digest), &information) == 0 && information.st_size == descriptor.size
    }

    /// Copies a blob to another layout by way of a file on that one's file system, and checks its size and digest.
    /// - Throws: ``BlobError`` where the blob is not what the descriptor says, ``HostFileError``; nothing is left then.
    public func copy(_ descriptor: Descriptor, to target: ImageLayout, by temporary: String) throws {
        try copy(descriptor, toNew: temporary, verifying: true)
        try target.place(temporary, as: descriptor)
    }

    /// A name that nobody else uses, beside a blob's place, for what is to be moved there.
    public func partPath(_ digest: Digest) -> String {
        "\(blobPath(digest)).\(UInt64.random(in: 0...UInt64.max)).part"
    }

    /// Moves a file that holds a blob to its place in the layout.
    /// - Throws: ``HostFileError``; the file is gone then.
    public func place(_ file: String, as descriptor: Descriptor) throws {
        let path = blobPath(descriptor.digest)
        guard rename(file, path) == 0 else {
            let code = errno
            unlink(file)
            throw HostFileError("rename into place", path, code: code)
        }
    }

    /// Copies a blob to a new file; its size is checked, and where `verifying` its digest.
    ///
    /// Where the file system can, both files share what is on the disk until one of them is written to.
    /// - Throws: ``BlobError`` where the blob is not what the descriptor says, ``HostFileError``; nothing is left then.
    public func copy(_ descriptor: Descriptor, toNew path: String, verifying: Bool) throws {
        let input = try openForReading(descriptor)
        defer { close(input) }
        let output = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard output >= 0 else { throw HostFileError("create", path, code: errno) }
        defer { close(output) }
        do {
            if ioctl(output, Self.clone, input) == 0 {
                try verifying ? check(descriptor, output) : checkSize(descriptor, output)
            } else if verifying || !Self.copyInKernel(from: input, to: output, count: descriptor.size) {
                try copy(descriptor, from: input, to: output)
            }
        } catch {
            unlink(path)
            throw error
        }
    }

    /// Reads a blob and checks its size and digest.
    /// - Throws: ``BlobError`` where the blob is not what the descriptor says.
    public func verify(_ descriptor: Descriptor) throws {
        let input = try openForReading(descriptor)
        defer { close(input) }
        try check(descriptor, input)
    }

    /// Opens a blob, without waiting for whoever writes to a pipe that is there in its place.
    private func openForReading(_ descriptor: Descriptor) throws -> CInt {
        let name = blobPath(descriptor.digest)
        let file = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard file >= 0 else { throw failure(descriptor, .unreadable(HostFileError("open", name, code: errno))) }
        var information = stat()
        guard fstat(file, &information) == 0, information.st_mode & S_IFMT == S_IFREG else {
            close(file)
            let problem = HostFileError("read", name, code: EINVAL, isNoRegularFile: true)
            throw failure(descriptor, .unreadable(problem))
        }
        return file
    }

    private func check(_ descriptor: Descriptor, _ file: CInt) throws {
        try copy(descriptor, from: file, to: nil)
    }

    private func checkSize(_ descriptor: Descriptor, _ file: CInt) throws {
        var information = stat()
        guard fstat(file, &information) == 0, information.st_size == descriptor.size else {
            throw failure(descriptor, .size(found: Int64(information.st_size), expected: descriptor.size))
        }
    }

    /// Moves a blob to another layout on the same file system, after its size and digest were checked.
    /// - Throws: ``BlobError`` where the blob is not what the descriptor says, ``HostFileError``.
    public func move(_ descriptor: Descriptor, to target: ImageLayout) throws {
        let source = blobPath(descriptor.digest)
        try verify(descriptor)
        let path = target.blobPath(descriptor.digest)
        guard rename(source, path) == 0 else { throw HostFileError("rename into place", path, code: errno) }
    }

    // A macro of linux/fs.h, FICLONE: gives a file the content of another, which btrfs and XFS do without copying.
    private static let clone: UInt = 0x4004_9409

    /// Copies a file of that length without reading it: whether that was possible; if not, both are at their start.
    private static func copyInKernel(from input: CInt, to output: CInt, count: Int64) -> Bool {
        var information = stat()
        guard fstat(input, &information) == 0, information.st_size == count else { return false }
        var done: Int64 = 0
        while done < count {
            let copied = sendfile(output, input, nil, Int(count - done))
            if copied < 0, errno == EINTR { continue }
            guard copied > 0 else { break }
            done += Int64(copied)
        }
        guard done < count else { return true }
        // Another file system, a full disk: the way by reading and writing finds out, from the start.
        lseek(input, 0, SEEK_SET)
        lseek(output, 0, SEEK_SET)
        return false
    }

    /// Reads a blob and checks it; what is read is written to `output` where there is one.
    private func copy(_ descriptor: Descriptor, from input: CInt, to output: CInt?) throws {
        let name = blobPath(descriptor.digest)
        var hasher = Digest.Hasher()
        var size: Int64 = 0
        // One byte more, to see a blob that is too large.
        var chunk = [UInt8](repeating: 0, count: Int(min(max(0, descriptor.size), (1 << 20) - 1)) + 1)
        while true {
            let count = read(input, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw failure(descriptor, .unreadable(HostFileError("read", name, code: errno))) }
            if count == 0 { break }
            size += Int64(count)
            guard size <= descriptor.size else {
                throw failure(descriptor, .size(found: size, expected: descriptor.size))
            }
            chunk.withUnsafeBytes { hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            if let output { try HostFile.write(chunk[..<count], descriptor: output, named: name) }
        }
        guard size == descriptor.size else { throw failure(descriptor, .size(found: size, expected: descriptor.size)) }
        let found = hasher.finalize()
        guard found == descriptor.digest else { throw failure(descriptor, .digest(found: found)) }
    }

    private func failure(_ descriptor: Descriptor, _ problem: BlobError.Problem) -> BlobError {
        BlobError(digest: descriptor.digest, layout: path, problem: problem)
    }
}
