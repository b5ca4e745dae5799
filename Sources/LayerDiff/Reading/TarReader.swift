import CArchive
import Glibc

/// One header of a tar, as it stands there: nothing of it is believed yet.
struct TarMember {
    /// The name's bytes, with whatever slashes and dots it has.
    var name: [UInt8]
    var kind: FileKind
    var mode: UInt16
    var uid: UInt32
    var gid: UInt32
    var modified: Int64
    var size: Int64
    /// Set for a hard link: the name of the file.
    var hardLink: [UInt8]?
    /// Set for a symlink.
    var symlink: [UInt8]?
    var deviceMajor: UInt32
    var deviceMinor: UInt32
    var attributes: [ExtendedAttribute]
}

/// Reads a tar with libarchive.
///
/// libarchive converts the names of extended headers from UTF-8 to the locale's encoding, and keeps the bytes as they
/// are where that fails. swbuild never sets a locale, so the encoding is ASCII and every name stays as it is.
final class TarReader {
    private let archive: OpaquePointer
    private let feed: Feed

    /// What the read callback is given; keeps the error that libarchive has no room for.
    private final class Feed {
        let source: any TarSource
        var failure: LayerError?
        init(_ source: any TarSource) { self.source = source }
    }

    /// Which compressions libarchive itself undoes.
    enum Filters {
        /// None: the source gives the tar's own bytes.
        case none
        /// gzip, bzip2, xz and zstd.
        case common
    }

    init(_ source: any TarSource, filters: Filters = .none) throws(LayerError) {
        guard let archive = archive_read_new() else { throw LayerError(.resources(what: "memory for an archive")) }
        self.archive = archive
        feed = Feed(source)
        archive_read_support_format_tar(archive)
        switch filters {
        case .none: break
        case .common:
            archive_read_support_filter_gzip(archive)
            archive_read_support_filter_bzip2(archive)
            archive_read_support_filter_xz(archive)
            archive_read_support_filter_zstd(archive)
        }
        let result = archive_read_open(archive, Unmanaged.passUnretained(feed).toOpaque(), nil, Self.readCallback, nil)
        guard result == ARCHIVE_OK else {
            let failure = problem()
            throw failure
        }
    }

    deinit {
        archive_read_free(archive)
    }

    private static let readCallback:
        @convention(c) (
            OpaquePointer?, UnsafeMutableRawPointer?, UnsafeMutablePointer<UnsafeRawPointer?>?
        ) -> Int = { archive, client, buffer in
            guard let client, let buffer else { return -1 }
            let feed = Unmanaged<Feed>.fromOpaque(client).takeUnretainedValue()
            do throws(LayerError) {
                guard let piece = try feed.source.next() else { return 0 }
                buffer.pointee = piece.baseAddress
                return piece.count
            } catch {
                feed.failure = error
                return -1
            }
        }

    /// The next member; `nil` at the end of the archive.
    func next() throws(LayerError) -> TarMember? {
        var entry: OpaquePointer?
        let result = archive_read_next_header(archive, &entry)
        if result == ARCHIVE_EOF { return nil }
        // A warning says that something was converted or left out, and the entry is usable.
        guard result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry else { throw problem() }
        return try member(entry)
    }

    /// Calls `body` with the pieces of the content of the member read last, and where in the file each one goes.
    ///
    /// What lies between the pieces, and between the last one and the size, are holes.
    func content(
        _ body: (UnsafeRawBufferPointer, Int64) throws(LayerError) -> Void
    ) throws(LayerError) {
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: la_int64_t = 0
            let result = archive_read_data_block(archive, &start, &count, &offset)
            if result == ARCHIVE_EOF { return }
            guard result == ARCHIVE_OK || result == ARCHIVE_WARN else { throw problem() }
            if count > 0 { try body(UnsafeRawBufferPointer(start: start, count: count), offset) }
        }
    }

    private func problem() -> LayerError {
        if let failure = feed.failure { return failure }
        let message = archive_error_string(archive).map { String(cString: $0) } ?? "libarchive does not say why"
        if message.hasPrefix("Truncated") { return LayerError(.truncated) }
        return LayerError(.corrupt(why: "it is no readable tar archive (\(message))"))
    }

    // MARK: headers

    private func member(_ entry: OpaquePointer) throws(LayerError) -> TarMember {
        guard let name = Self.bytes(archive_entry_pathname(entry)) else {
            throw LayerError(.corrupt(why: "an entry of its tar has no name"))
        }
        let hardLink = Self.bytes(archive_entry_hardlink(entry))
        let type = UInt32(archive_entry_filetype(entry))
        guard let kind = hardLink == nil ? FileKind(mode: type) : .file else {
            throw LayerError(.hostileEntry(name: text(name), why: "its type is unknown"))
        }
        return TarMember(
            name: name,
            kind: kind,
            mode: UInt16(archive_entry_perm(entry) & 0o7777),
            uid: try Self.identifier(archive_entry_uid(entry), of: name),
            gid: try Self.identifier(archive_entry_gid(entry), of: name),
            modified: Int64(archive_entry_mtime(entry)),
            size: archive_entry_size(entry),
            hardLink: hardLink,
            symlink: kind == .symlink ? Self.bytes(archive_entry_symlink(entry)) : nil,
            deviceMajor: UInt32(truncatingIfNeeded: archive_entry_rdevmajor(entry)),
            deviceMinor: UInt32(truncatingIfNeeded: archive_entry_rdevminor(entry)),
            attributes: Self.attributes(entry)
        )
    }

    private static func bytes(_ string: UnsafePointer<CChar>?) -> [UInt8]? {
        string.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
    }

    private static func identifier(_ number: la_int64_t, of name: [UInt8]) throws(LayerError) -> UInt32 {
        guard let identifier = UInt32(exactly: number) else {
            throw LayerError(.hostileEntry(name: text(name), why: "its owner \(number) is no user or group id"))
        }
        return identifier
    }

    private static func attributes(_ entry: OpaquePointer) -> [ExtendedAttribute] {
        guard archive_entry_xattr_reset(entry) > 0 else { return [] }
        var attributes: [ExtendedAttribute] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK {
            guard let name = bytes(name), ExtendedAttribute.isPortable(name) else { continue }
            // The same name may come twice, once for each way that tars have for attributes.
            if attributes.contains(where: { $0.name == name }) { continue }
            let bytes = Array(UnsafeRawBufferPointer(start: value, count: size))
            attributes.append(ExtendedAttribute(name: name, value: bytes))
        }
        return attributes.sorted { precedes($0.name, $1.name) }
    }
}
