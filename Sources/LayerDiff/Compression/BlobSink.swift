import CShims
import Glibc
import OCI
import SystemPackage

/// The end of the line: writes a blob's bytes to a file and hashes them.
final class BlobSink {
    private let blob: FileDescriptor
    private var hasher = Digest.Hasher()
    private(set) var size: Int64 = 0
    private var handedToDisk: Int64 = 0

    init(_ blob: FileDescriptor) {
        self.blob = blob
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(LayerError) {
        hasher.update(bytes)
        size += Int64(bytes.count)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Glibc.write(blob.rawValue, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw LayerError(.blob(operation: "write", errno: Errno(rawValue: errno)))
            }
            rest = rest.dropFirst(count)
        }
        handToDisk()
    }

    /// Has the kernel begin to write what it holds of the blob, so that whoever waits for the disk at the end of the
    /// build has less to wait for.
    private func handToDisk() {
        let interval: Int64 = 8 << 20
        guard size - handedToDisk >= interval else { return }
        // An advice: where it cannot be taken, the wait at the end is longer.
        _ = cshims_begin_writeback(blob.rawValue, handedToDisk, size - handedToDisk)
        handedToDisk = size
    }

    /// The digest of all that was written.
    func digest() -> Digest {
        // The hasher is a value: a copy is finished, and this one could go on.
        let copy = hasher
        return copy.finalize()
    }
}
