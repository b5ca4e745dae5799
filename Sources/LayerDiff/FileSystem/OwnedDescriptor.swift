import CShims
import Glibc
import SystemPackage

/// An open file that closes itself.
public final class OwnedDescriptor: Sendable {
    /// The descriptor's number, valid as long as this object lives.
    public let raw: CInt
    /// What was opened, for messages.
    let path: String

    /// Takes over `raw`; `path` stands in messages.
    public init(owning raw: CInt, path: String) {
        self.raw = raw
        self.path = path
    }

    deinit {
        close(raw)
    }

    /// The descriptor as System has it; not to be closed, and valid as long as this object lives.
    public var fileDescriptor: FileDescriptor { FileDescriptor(rawValue: raw) }

    /// Hands the descriptor to `body`, during which this object lives for certain.
    public func withDescriptor<Value>(_ body: (FileDescriptor) throws -> Value) rethrows -> Value {
        try withExtendedLifetime(self) { try body(fileDescriptor) }
    }

    /// Reads at the file's own position into `buffer`: how many bytes there were, 0 at the end.
    /// - Throws: ``FileError`` when the system refuses.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        while true {
            let count = Glibc.read(raw, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            if errno != EINTR { throw FileError("read", path, negated: -Int(errno)) }
        }
    }

    /// Reads at `offset` into `buffer`, whatever the file's own position: how many bytes there were, 0 at the end.
    /// - Throws: ``FileError`` when the system refuses.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        while true {
            let count = pread(raw, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            if errno != EINTR { throw FileError("read", path, negated: -Int(errno)) }
        }
    }

    /// Lets the system begin to write what is not on the disk yet, without waiting for it.
    public func beginWriteback() { _ = cshims_begin_writeback(raw, 0, 0) }

    /// What the file system says of the open file.
    /// - Throws: ``FileError`` when the system refuses.
    public func status() throws(FileError) -> FileStatus {
        switch FileStatus.read(raw, "") {
        case .success(let status): return status
        case .failure(let failure): throw FileError("examine", path, negated: failure.value)
        }
    }
}
