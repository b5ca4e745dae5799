import Glibc
import LayerDiff
import OCI
import Registry
import Store

/// A layer that its registry has not got, and its own URLs have (image-spec 1.1, layer.md, "Non-Distributable Layers").
///
/// The URLs come from whoever made the image: nothing is sent there but the request, and what comes counts only if it
/// has the digest that the image says.
struct ForeignLayer {
    let descriptor: Descriptor

    /// The layer's web addresses; none where it is no such layer.
    var urls: [String] {
        guard descriptor.isForeign else { return [] }
        return (descriptor.others["urls"]?.strings ?? []).filter { $0.hasPrefix("https://") || $0.hasPrefix("http://") }
    }

    /// Brings its bytes from the first URL that gives them.
    /// - Throws: `DownloadError`, ``HostFileError``.
    func fetch(into sink: any BlobSink, store: Store, isCancelled: @escaping @Sendable () -> Bool) throws {
        var failure: (any Error)?
        for url in urls.prefix(4) {
            let work = try store.makeWorkDirectory()
            let path = work.unique("foreign")
            let raw = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard raw >= 0 else { throw HostFileError("create", path, code: errno) }
            let file = OwnedDescriptor(owning: raw, path: path)
            var request = DownloadRequest(HTTPRequest(url: url, isCancelled: isCancelled))
            request.http.limits.maximumSize = descriptor.size
            do {
                _ = try HTTPDownload.fetch(request, to: raw)
            } catch {
                failure = failure ?? error
                continue
            }
            return try Self.hand(file, to: sink)
        }
        if let failure { throw failure }
    }

    private static func hand(_ file: OwnedDescriptor, to sink: any BlobSink) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        while true {
            let count = try file.read(into: buffer, at: sink.received)
            guard count > 0, sink.receive(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else { return }
        }
    }
}
