import Glibc
import OCI

/// The file that a download fills, over as many connections as it takes.
///
/// A connection that broke is taken up where it ended, if the server vouches that the file is still the same one.
final class DownloadSink: HTTPBodySink {
    /// Why an exchange was stopped from this side.
    enum Stop {
        case writeFailed(errno: CInt)
        case tooLarge
        /// A body that tells of an error is not worth its bytes.
        case errorStatus
        /// The server sent another part than it was asked for.
        case wrongPart
    }

    private(set) var stop: Stop?
    /// How many bytes are in the file.
    private(set) var size: Int64 = 0
    /// What the file's first response called it: names it when the rest is asked for.
    private(set) var validator: String?
    private let descriptor: CInt
    private let start: off_t
    private let maximumSize: Int64
    private var hasher = Digest.Hasher()
    private var isDecided = false

    init(writingTo descriptor: CInt, maximumSize: Int64) {
        self.descriptor = descriptor
        self.maximumSize = maximumSize
        start = max(0, lseek(descriptor, 0, SEEK_CUR))
    }

    /// The fields that ask for the rest of the file, empty where it has to be asked for whole.
    ///
    /// Source: RFC 9110, sections 13.1.5 and 14.2.
    var resumption: [HTTPField] {
        guard size > 0, let validator else { return [] }
        return [HTTPField(name: "Range", value: "bytes=\(size)-"), HTTPField(name: "If-Range", value: validator)]
    }

    /// Prepares for a further response.
    func begin() {
        stop = nil
        isDecided = false
    }

    func receive(_ bytes: UnsafeRawBufferPointer, of head: HTTPHead) -> Bool {
        guard decide(head) else { return false }
        guard Int64(bytes.count) <= maximumSize - size else { return refuse(.tooLarge) }
        if let errno = Self.write(bytes, to: descriptor) { return refuse(.writeFailed(errno: errno)) }
        hasher.update(bytes)
        size += Int64(bytes.count)
        return true
    }

    /// Sees what a response is: the whole file, its rest, or nothing of it.
    ///
    /// Called for responses without a body, too.
    func decide(_ head: HTTPHead) -> Bool {
        guard !isDecided else { return stop == nil }
        isDecided = true
        guard head.isSuccess else { return refuse(.errorStatus) }
        if head.status == 206 {
            guard size > 0, Self.firstByte(ofPart: head) == size else {
                _ = startOver()
                return refuse(.wrongPart)
            }
            return true
        }
        guard startOver() else { return refuse(.writeFailed(errno: errno)) }
        validator = Self.validator(of: head)
        return true
    }

    /// Drops what has arrived.
    func startOver() -> Bool {
        validator = nil
        guard size > 0 else { return true }
        size = 0
        hasher = Digest.Hasher()
        return ftruncate(descriptor, start) == 0 && lseek(descriptor, start, SEEK_SET) == start
    }

    /// The digest of all that arrived; the download is over with it.
    func finish() -> Digest { hasher.finalize() }

    private func refuse(_ reason: Stop) -> Bool {
        stop = reason
        return false
    }

    /// Only a strong name vouches for each byte.
    ///
    /// Source: RFC 9110, sections 8.8.1 and 13.1.5.
    private static func validator(of head: HTTPHead) -> String? {
        guard let etag = head.value(of: "ETag") else { return head.value(of: "Last-Modified") }
        return etag.hasPrefix("W/") ? nil : etag
    }

    /// The first byte of a Content-Range field: `bytes 5-9/10`.
    ///
    /// Source: RFC 9110, section 14.4.
    private static func firstByte(ofPart head: HTTPHead) -> Int64? {
        guard let range = head.value(of: "Content-Range"), range.lowercased().hasPrefix("bytes ") else { return nil }
        return Int64(range.dropFirst("bytes ".count).prefix { $0 != "-" })
    }

    /// Writes all of `bytes`; returns the error number when that fails.
    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt) -> CInt? {
        var rest = bytes
        while let start = rest.baseAddress, !rest.isEmpty {
            let count = Glibc.write(descriptor, start, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                return errno
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return nil
    }
}
