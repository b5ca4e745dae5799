import CShims
import Glibc
import OCI

/// One exchange's progress: takes what arrives from libcurl, and writes and hashes it.
///
/// A class, because libcurl's callbacks reach it through a pointer.
final class HTTPTransfer {
    /// Why the transfer was stopped from this side.
    enum Stop {
        case writeFailed(errno: CInt)
        case tooLarge
        case cancelled
        /// A body that tells of an error is not worth its bytes.
        case errorStatus
    }

    private(set) var stop: Stop?
    private let descriptor: CInt
    private let maximumSize: Int64
    private var hasher = Digest.Hasher()
    private var size: Int64 = 0
    private var etag: String?

    init(writingTo descriptor: CInt, maximumSize: Int64) {
        self.descriptor = descriptor
        self.maximumSize = maximumSize
    }

    /// The file, once all of it has arrived.
    func file(lastModified: Int64) -> DownloadedFile {
        DownloadedFile(
            digest: hasher.finalize(),
            size: size,
            lastModified: lastModified < 0 ? nil : lastModified,
            etag: etag
        )
    }

    /// Makes the request, and returns when the exchange is over.
    func run(_ url: String, headers: [String], limits: DownloadLimits) -> swb_http_result {
        var result = swb_http_result()
        let certificates = getenv("SSL_CERT_FILE")
        withCStrings(headers) { headers in
            url.withCString { url in
                var request = swb_http_request(
                    url: url,
                    headers: headers.baseAddress,
                    header_count: UInt32(headers.count),
                    certificates: certificates,
                    maximum_redirects: limits.maximumRedirects,
                    connect_seconds: limits.connectSeconds,
                    slow_bytes_per_second: limits.slowBytesPerSecond,
                    slow_seconds: limits.slowSeconds,
                    maximum_size: limits.maximumSize,
                    context: Unmanaged.passUnretained(self).toOpaque(),
                    on_header: { HTTPTransfer.at($0).takeHeader(UnsafeBufferPointer(start: $1, count: $2)) },
                    on_body: { HTTPTransfer.at($0).takeBody(status: $1, UnsafeRawBufferPointer(start: $2, count: $3)) },
                    on_tick: { HTTPTransfer.at($0).tick() }
                )
                withExtendedLifetime(self) { swb_http_get(&request, &result) }
            }
        }
        return result
    }
}

// What libcurl calls. The answer is SWB_HTTP_CONTINUE or SWB_HTTP_STOP.
extension HTTPTransfer {
    private static func at(_ context: UnsafeMutableRawPointer) -> HTTPTransfer {
        Unmanaged<HTTPTransfer>.fromOpaque(context).takeUnretainedValue()
    }

    private func takeHeader(_ line: UnsafeBufferPointer<UInt8>) -> CInt {
        // Each response begins anew: a redirect's headers say nothing of the file.
        if line.starts(with: "HTTP/".utf8) { etag = nil }
        if let value = Self.value(of: "etag", in: line) { etag = value }
        return CInt(SWB_HTTP_CONTINUE)
    }

    private func takeBody(status: Int, _ bytes: UnsafeRawBufferPointer) -> CInt {
        guard (200..<300).contains(status) else { return stop(.errorStatus) }
        guard Int64(bytes.count) <= maximumSize - size else { return stop(.tooLarge) }
        if let errno = Self.write(bytes, to: descriptor) { return stop(.writeFailed(errno: errno)) }
        hasher.update(bytes)
        size += Int64(bytes.count)
        return CInt(SWB_HTTP_CONTINUE)
    }

    private func tick() -> CInt {
        Task.isCancelled ? stop(.cancelled) : CInt(SWB_HTTP_CONTINUE)
    }

    private func stop(_ reason: Stop) -> CInt {
        stop = reason
        return CInt(SWB_HTTP_STOP)
    }

    /// The value that `line` gives to the field `name` (in lower case), `nil` where it's another field's line.
    private static func value(of name: String, in line: UnsafeBufferPointer<UInt8>) -> String? {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon == name.utf8.count,
            zip(line, name.utf8).allSatisfy({ $0 | 0x20 == $1 })
        else { return nil }
        let isSpace = { (byte: UInt8) in byte <= 0x20 }
        let value = line[(colon + 1)...].drop(while: isSpace)
        let end = value.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? value.startIndex
        return String(decoding: value[..<end], as: UTF8.self)
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

/// Calls `body` with `strings` as C strings that live as long as the call.
private func withCStrings<Result>(
    _ strings: [String],
    _ body: (UnsafeBufferPointer<UnsafePointer<CChar>>) -> Result
) -> Result {
    var bytes: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
        offsets.append(bytes.count)
        bytes += string.utf8CString
    }
    return bytes.withUnsafeBufferPointer { bytes in
        let pointers = offsets.compactMap { offset in bytes.baseAddress.map { $0 + offset } }
        return pointers.withUnsafeBufferPointer(body)
    }
}
