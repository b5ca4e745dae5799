import Glibc
import SystemPackage

/// A blob's file that may still be growing while it is read: a reader waits for what has not come yet.
///
/// So a layer is unpacked while it is downloaded, and its bytes lie in the page cache alone. Unchecked because the
/// compiler cannot see that all state is touched under the monitor.
public final class GrowingBlob: @unchecked Sendable {
    private let file: OwnedDescriptor
    /// How many bytes there will be.
    public let size: Int64
    private let monitor = Monitor()
    private var available: Int64
    private var isFailed = false

    /// A blob of `size` bytes, of which `available` are in `file`.
    public init(_ file: OwnedDescriptor, size: Int64, available: Int64) {
        self.file = file
        self.size = size
        self.available = available
    }

    /// For the writer: the file holds its first `count` bytes now.
    public func advance(to count: Int64) {
        update { available = max(available, count) }
    }

    /// For the writer: no more will come; whoever waits is told that the blob is incomplete.
    public func fail() {
        update { isFailed = true }
    }

    /// Reads at `offset`, waiting until there is something: how many bytes, 0 at the blob's end.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(LayerError) -> Int {
        monitor.lock()
        while !isFailed, offset >= available, offset < size { monitor.wait() }
        let (readable, isFailed) = (available - offset, isFailed)
        monitor.unlock()
        if isFailed { throw LayerError(.truncated) }
        guard readable > 0 else { return 0 }
        let count = Int(min(readable, Int64(buffer.count)))
        do throws(FileError) {
            return try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
        } catch {
            throw LayerError(.file(error))
        }
    }

    private func update(_ change: () -> Void) {
        monitor.lock()
        change()
        monitor.broadcast()
        monitor.unlock()
    }
}

/// Where a blob's bytes are.
enum BlobFile: Sendable {
    /// In a file that is complete, read from its start, whatever its own position.
    case complete(FileDescriptor)
    case growing(GrowingBlob)

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(LayerError) -> Int {
        switch self {
        case .growing(let blob): return try blob.read(into: buffer, at: offset)
        case .complete(let blob):
            do {
                return try blob.read(fromAbsoluteOffset: offset, into: buffer)
            } catch {
                throw LayerError(.blob(operation: "read", errno: error as? Errno ?? .ioError))
            }
        }
    }

    /// The number of its bytes.
    func size() throws(LayerError) -> Int64 {
        switch self {
        case .growing(let blob): return blob.size
        case .complete(let blob):
            switch FileStatus.read(blob.rawValue, "") {
            case .success(let status): return status.size
            case .failure(let failure):
                throw LayerError(.blob(operation: "examine", errno: Errno(rawValue: CInt(-failure.value))))
            }
        }
    }
}
