import Glibc
import LayerDiff
import OCI

/// Blobs that go from one layout to another, of which the store's images are one.
///
/// Where two layouts are on one file system, a large blob is one file with a name in each, as the objects of a local clone are
/// with git. Nobody writes to a file that has its digest for its name, but puts another one in its place; whoever does changes
/// what the file system says of it, and it is hashed again before it is handed out once more (``BlobStamp``).
extension Store {
    /// Gives a layout a blob that it has not got whole: the store's own file under a further name where that `mayShare`
    /// and is possible, else a copy.
    ///
    /// A blob that turns out to be corrupt is removed, so that building again makes it anew.
    /// - Throws: ``BlobError`` where the blob is not what its digest says, ``HostFileError``, ``DatabaseError``.
    public func export(_ descriptor: Descriptor, to layout: ImageLayout, mayShare: Bool) throws {
        guard !layout.hasBlob(descriptor) else { return }
        do {
            if mayShare, try share(descriptor, from: images, with: layout) { return }
            let part = "\(layout.blobPath(descriptor.digest)).\(UInt64.random(in: 0...UInt64.max)).part"
            try copy(descriptor, toNew: part)
            try layout.place(part, as: descriptor)
        } catch let error as BlobError {
            unlink(images.blobPath(descriptor.digest))
            throw error
        }
    }

    /// Copies a blob of the store to a new file, and hashes it on the way unless it is known to be what it was when it was
    /// hashed last.
    private func copy(_ descriptor: Descriptor, toNew file: String) throws {
        let path = images.blobPath(descriptor.digest)
        let began = Self.now
        let stamp = descriptor.size >= Self.smallestRemembered ? BlobStamp(path) : nil
        var isKnown = isFresh(descriptor.digest)
        if !isKnown, let stamp { isKnown = try isVerified(descriptor.digest, stamp) }
        try images.copy(descriptor, toNew: file, verifying: !isKnown)
        guard !isKnown, let stamp, stamp.isSettled(at: began), BlobStamp(path)?.text == stamp.text else { return }
        try noteVerified(descriptor.digest, stamp)
    }

    /// Brings a blob of another layout into the store, checked: that one's own file where it is possible, else a copy.
    /// - Throws: ``BlobError`` where the blob is not what its digest says, ``HostFileError``, ``DatabaseError``.
    func bring(_ descriptor: Descriptor, from layout: ImageLayout) throws {
        if try share(descriptor, from: layout, with: images) { return }
        let work = try makeWorkDirectory()
        try layout.copy(descriptor, to: images, by: work.unique("blob"))
    }

    /// Makes a blob of one layout, known to be whole or hashed now, a blob of another by a further name: whether that could
    /// be done.
    private func share(_ descriptor: Descriptor, from source: ImageLayout, with target: ImageLayout) throws -> Bool {
        let began = Self.now
        let digest = descriptor.digest
        let path = source.blobPath(digest)
        guard descriptor.size >= Self.smallestRemembered, let stamp = BlobStamp(path),
            let attributes = FileAttributes(of: digest.hex, in: "\(source.path)/blobs/sha256"),
            attributes == FileAttributes(of: "oci-layout", in: target.path)
        else { return false }
        let isOwn = source.path == images.path
        let isKnown = try isOwn && (isFresh(digest) || isVerified(digest, stamp))
        // Whoever is writing to somebody else's file now could do so without a sign.
        guard isOwn || stamp.isSettled(at: began) else { return false }
        if !isKnown { try source.verify(descriptor) }
        guard Glibc.link(path, target.blobPath(digest)) == 0 else { return false }
        guard BlobStamp(target.blobPath(digest))?.text == stamp.text else {
            unlink(target.blobPath(digest))
            return false
        }
        if !isKnown, stamp.isSettled(at: began) { try noteVerified(digest, stamp) }
        return true
    }
}

/// Whose a file is, and who may do what with it: a file that is shared must look as a copy would.
private struct FileAttributes: Equatable {
    private let owner: uid_t
    private let group: gid_t
    private let mode: mode_t
    /// Access lists and security labels among them.
    private let attributes: [ExtendedAttribute]

    /// The attributes of a file in a directory; `nil` where they cannot be read.
    init?(of name: String, in directory: String) {
        var status = stat()
        guard lstat("\(directory)/\(name)", &status) == 0,
            let attributes = try? Directory(path: directory).extendedAttributes(ContainerPath(name))
        else { return nil }
        owner = status.st_uid
        group = status.st_gid
        mode = status.st_mode
        self.attributes = attributes
    }
}
