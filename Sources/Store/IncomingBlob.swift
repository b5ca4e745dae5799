import Glibc
import LayerDiff
import OCI

/// A blob on its way into the store: what has come is kept by its digest, so that another try goes on from there.
///
/// One process at a time brings a blob; the others wait for it and find it. Unchecked because the compiler cannot see
/// that one thread at a time hands bytes over and asks what came of them; readers have ``growing``.
public final class IncomingBlob: @unchecked Sendable {
    /// What was asked for.
    public let descriptor: Descriptor
    /// For readers that do not wait until all of it is there.
    public let growing: GrowingBlob
    private let file: OwnedDescriptor
    private let path: String
    private var state = State()
    private var lock: FileLock?
    /// What came last: it is written, and readers are woken, for many small pieces together.
    private let pending = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)

    private struct State {
        var received: Int64 = 0
        /// How many of the received bytes are in memory alone.
        var pending = 0
        var isTooLong = false
        var hasher = Digest.Hasher()
        var failure: HostFileError?
    }

    /// Takes up what an earlier try has left.
    init(_ descriptor: Descriptor, path: String, lock: FileLock) throws {
        self.descriptor = descriptor
        self.path = path
        self.lock = lock
        let raw = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard raw >= 0 else { throw HostFileError("create", path, code: errno) }
        file = OwnedDescriptor(owning: raw, path: path)
        var state = State()
        try Self.readKept(raw, path, limit: descriptor.size, into: &state)
        growing = GrowingBlob(file, size: descriptor.size, available: state.received)
        self.state = state
    }

    /// What has come stays for another try.
    deinit {
        flush()
        pending.deallocate()
    }

    /// Hashes what is there already; more than the blob can have is none of it.
    private static func readKept(_ raw: CInt, _ path: String, limit: Int64, into state: inout State) throws {
        var information = stat()
        guard fstat(raw, &information) == 0 else { throw HostFileError("examine", path, code: errno) }
        if information.st_size > limit {
            guard ftruncate(raw, 0) == 0 else { throw HostFileError("truncate", path, code: errno) }
            return
        }
        guard information.st_size > 0 else { return }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = pread(raw, buffer.baseAddress, buffer.count, off_t(state.received))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw HostFileError("read", path, code: errno) }
            if count == 0 { return }
            state.hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            state.received += Int64(count)
        }
    }

    /// How many bytes are there.
    public var received: Int64 { state.received }

    /// Takes the next bytes: whether more may come; not if these are too many, or the disk refuses them.
    public func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard failure == nil else { return false }
        guard state.received + Int64(bytes.count) <= descriptor.size else {
            state.isTooLong = true
            return false
        }
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, pending.count - state.pending)
            let space = UnsafeMutableRawBufferPointer(rebasing: pending[state.pending...])
            space.copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            state.pending += count
            state.received += Int64(count)
            let isWhole = state.received == descriptor.size
            guard (state.pending < pending.count && !isWhole) || flush() else { return false }
        }
        return true
    }

    /// Hashes and writes what is in memory alone: whether the disk took it.
    @discardableResult
    private func flush() -> Bool {
        let bytes = UnsafeRawBufferPointer(rebasing: pending[..<state.pending])
        let start = state.received - Int64(state.pending)
        state.pending = 0
        guard state.failure == nil, !bytes.isEmpty else { return state.failure == nil }
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let written = pwrite(file.raw, rest.baseAddress, rest.count, off_t(start) + off_t(done))
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                state.failure = HostFileError("write", path, code: errno)
                return false
            }
            done += written
        }
        state.hasher.update(bytes)
        growing.advance(to: start + Int64(done))
        return true
    }

    /// What went wrong with the bytes as they came: more of them than there should be, or a disk that refused them.
    public var failure: (any Error)? {
        if let failure = state.failure { return failure }
        guard state.isTooLong else { return nil }
        return IncomingBlobError(descriptor: descriptor, problem: .tooMany)
    }

    /// Checks size and digest, and puts the blob into its place; what is wrong is removed.
    /// - Throws: ``IncomingBlobError`` where it is not what was asked for, ``HostFileError``.
    func publish(as target: String) throws {
        if let failure {
            if failure is IncomingBlobError { unlink(path) }
            throw failure
        }
        guard state.received == descriptor.size else {
            throw IncomingBlobError(descriptor: descriptor, problem: .size(state.received))
        }
        let hasher = state.hasher
        let found = hasher.finalize()
        guard found == descriptor.digest else {
            unlink(path)
            throw IncomingBlobError(descriptor: descriptor, problem: .digest(found))
        }
        guard rename(path, target) == 0 else { throw HostFileError("rename into place", target, code: errno) }
        // Whoever waits for the blob need not wait for what is made of it here: that may wait for others in turn.
        lock = nil
    }
}

/// A blob that came from elsewhere and is not what was asked for.
public struct IncomingBlobError: Error, Sendable, CustomStringConvertible {
    /// What is wrong with it.
    public enum Problem: Sendable {
        case tooMany
        case size(Int64)
        case digest(Digest)
    }

    /// What was asked for.
    public let descriptor: Descriptor
    /// What is wrong with it.
    public let problem: Problem

    /// One sentence: which blob, what is wrong.
    public var description: String {
        switch problem {
        case .tooMany: "the blob \(descriptor.digest) has more than the \(descriptor.size) bytes that its image says"
        case .size(let size):
            "the blob \(descriptor.digest) ended after \(size) bytes of \(descriptor.size); what came is kept for "
                + "another try"
        case .digest(let found): "the blob \(descriptor.digest) came with other content: its digest is \(found)"
        }
    }
}
