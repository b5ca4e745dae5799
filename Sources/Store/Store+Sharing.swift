import Glibc
import LayerDiff
import OCI

/// Blobs that go from one layout to another, of which the store's images are one.
///
/// Where two layouts are on one file system, a blob is one file with a name in each, as the objects of a local clone are with
/// git. Nobody writes to a file that has its digest for its name, but puts another one in its place; whoever does changes
/// what the file system says of it, and it is hashed again before it is handed out once more (``BlobStamp``).
extension Store {
    /// What giving this store's blobs to a layout as further names of their files takes; `nil` where that cannot be done.
    public func sharing(with layout: ImageLayout) -> BlobSharing? { BlobSharing(from: images, to: layout) }

    /// Gives a layout a blob that it has not got whole: by `sharing` where there is one and it can be done, else a copy.
    ///
    /// A blob that turns out to be corrupt is removed, so that building again makes it anew.
    /// - Throws: ``BlobError`` where the blob is not what its digest says, ``HostFileError``, ``DatabaseError``.
    public func export(_ descriptor: Descriptor, to layout: ImageLayout, sharing: BlobSharing?) throws {
        guard !layout.hasBlob(descriptor) else { return }
        do {
            if let sharing, try share(descriptor, by: sharing) { return }
            let part = layout.partPath(descriptor.digest)
            try copy(descriptor, toNew: part)
            try layout.place(part, as: descriptor)
        } catch let error as BlobError {
            drop(descriptor, after: error)
            throw error
        }
    }

    /// Removes a corrupt blob; one that could not be read may be read the next time.
    private func drop(_ descriptor: Descriptor, after error: BlobError) {
        switch error.problem {
        case .size, .digest: unlink(images.blobPath(descriptor.digest))
        case .unreadable, .tooLarge: return
        }
    }

    /// Copies a blob of the store to a new file, and hashes it on the way unless it is known.
    private func copy(_ descriptor: Descriptor, toNew file: String) throws {
        let began = Self.now
        let stamp = BlobStamp(images.blobPath(descriptor.digest))
        let isKnown = try isKnown(descriptor, stamp)
        try images.copy(descriptor, toNew: file, verifying: !isKnown)
        if !isKnown { try noteHashed(descriptor, stamp, at: began) }
    }

    /// Brings a blob of another layout into the store, checked: that one's own file where it is possible, else a copy.
    /// - Throws: ``BlobError`` where the blob is not what its digest says, ``HostFileError``, ``DatabaseError``.
    func bring(_ descriptor: Descriptor, from layout: ImageLayout) throws {
        if let sharing = BlobSharing(from: layout, to: images), try share(descriptor, by: sharing) { return }
        let work = try makeWorkDirectory()
        try layout.copy(descriptor, to: images, by: work.unique("blob"))
    }

    /// Sees to it that blobs are what their digests say before they go elsewhere than into a layout.
    ///
    /// A blob that turns out to be corrupt is removed, so that building again makes it anew.
    /// - Throws: ``BlobError`` where one is not, ``DatabaseError``.
    public func verify(_ blobs: [Descriptor]) throws {
        for blob in blobs {
            do {
                try check(blob, BlobStamp(images.blobPath(blob.digest)))
            } catch let error as BlobError {
                drop(blob, after: error)
                throw error
            }
        }
    }

    /// Hashes a blob of the store that has this stamp, unless it is known.
    private func check(_ descriptor: Descriptor, _ stamp: BlobStamp?) throws {
        let began = Self.now
        guard try !isKnown(descriptor, stamp) else { return }
        try images.verify(descriptor)
        try noteHashed(descriptor, stamp, at: began)
    }

    /// Whether a blob of the store is what it was when it was hashed last; one that somebody else may write to never is.
    private func isKnown(_ descriptor: Descriptor, _ stamp: BlobStamp?) throws -> Bool {
        guard let stamp else { return false }
        if isFresh(descriptor.digest) { return true }
        return try descriptor.size >= Self.smallestRemembered && isVerified(descriptor.digest, stamp)
    }

    /// Remembers a blob that had this stamp when hashing it began, if nobody can have changed it since.
    private func noteHashed(_ descriptor: Descriptor, _ stamp: BlobStamp?, at began: Int64) throws {
        guard descriptor.size >= Self.smallestRemembered, let stamp, stamp.isSettled(at: began),
            BlobStamp(images.blobPath(descriptor.digest))?.text == stamp.text
        else { return }
        try noteVerified(descriptor.digest, stamp)
    }

    /// Gives a blob of one layout a further name in another, checked: whether that could be done.
    private func share(_ descriptor: Descriptor, by sharing: BlobSharing) throws -> Bool {
        let digest = descriptor.digest
        let isOwn = sharing.source.path == images.path
        let part = sharing.target.partPath(digest)
        guard let stamp = BlobStamp(sharing.source.blobPath(digest)), sharing.looksLikeCopy(digest, stamp),
            // Whoever is writing to somebody else's file now could do so without a sign.
            isOwn || stamp.isSettled(at: Self.now)
        else { return false }
        try isOwn ? check(descriptor, stamp) : sharing.source.verify(descriptor)
        guard Glibc.link(sharing.source.blobPath(digest), part) == 0 else { return false }
        // It stays where the file has the other name already: renaming does nothing then.
        defer { unlink(part) }
        guard BlobStamp(part)?.text == stamp.text else { return false }
        try sharing.target.place(part, as: descriptor)
        if !isOwn, descriptor.size >= Self.smallestRemembered { try noteVerified(digest, stamp) }
        return true
    }
}

/// Two layouts of which one can have the other's blobs by further names of their files.
public struct BlobSharing: Sendable {
    let source: ImageLayout
    let target: ImageLayout
    private let blobs: Directory
    /// What files look like that are made in the target: group, mode, access lists and security labels.
    private let usual: BlobStamp
    private let usualAttributes: [ExtendedAttribute]

    init?(from source: ImageLayout, to target: ImageLayout) {
        guard let blobs = try? Directory(path: "\(source.path)/blobs/sha256"),
            let usual = BlobStamp("\(target.path)/oci-layout"),
            let attributes = try? Directory(path: target.path).extendedAttributes(ContainerPath("oci-layout"))
        else { return nil }
        self.source = source
        self.target = target
        self.blobs = blobs
        self.usual = usual
        usualAttributes = attributes
    }

    /// Whether a blob's file is for the same people as a copy of it would be.
    func looksLikeCopy(_ digest: Digest, _ stamp: BlobStamp) -> Bool {
        guard stamp.mode == usual.mode, stamp.group == usual.group,
            let attributes = try? blobs.extendedAttributes(ContainerPath(digest.hex))
        else { return false }
        return attributes == usualAttributes
    }
}
