import Glibc
import LayerDiff
import OCI

/// Why a file is no archive of images.
public enum ImageArchiveError: Error, Sendable, CustomStringConvertible {
    /// There is nothing in it that lists images.
    case noImages(path: String)
    /// It lists a file that it has not got.
    case missing(file: String, path: String)
    /// An image's configuration does not fit its layers.
    case layers(found: Int, listed: Int, path: String)
    /// A layer is another one than the configuration says.
    case diffID(file: String, found: DiffID, expected: DiffID, path: String)
    /// It is damaged, or no tar.
    case unreadable(path: String, reason: any Error)

    /// One sentence: which file, what is wrong with it.
    public var description: String {
        switch self {
        case .noImages(let path): "\(path) holds no images: it has neither an oci-layout nor a manifest.json"
        case .missing(let file, let path): "\(path) lists the file \(file.prefix(200)), which is not in it"
        case .layers(let found, let listed, let path):
            "\(path) has an image with \(found) layers, but its configuration lists \(listed) diff_ids"
        case .diffID(let file, let found, let expected, let path):
            "the layer \(file.prefix(200)) of \(path) has the DiffID \(found), but its image says \(expected)"
        case .unreadable(let path, let reason): "cannot read the images of \(path): \(reason)"
        }
    }
}

/// The files of an archive, unpacked as numbered files; its own names are in a model alone.
struct ArchiveFiles {
    /// The archive, for messages.
    let path: String
    private let members: String
    private let archive: ExtractedArchive

    /// Unpacks `file` into `members`, an empty directory.
    init(_ file: OwnedDescriptor, path: String, members: String) throws {
        self.path = path
        self.members = members
        do {
            archive = try Archive.extract(file, into: Directory(path: members))
        } catch {
            throw ImageArchiveError.unreadable(path: path, reason: error)
        }
    }

    /// Whether there is a file of that name.
    func has(_ name: String) throws -> Bool { try find(name) != nil }

    private func find(_ name: String) throws -> LayerEntry? {
        guard let entry = try archive.entry(at: ContainerPath(name)), case .file = entry.entry.kind else { return nil }
        return entry
    }

    /// The content of a document.
    /// - Throws: ``ImageArchiveError`` where there is none, ``HostFileError`` where it is too large.
    func document(_ name: String) throws -> [UInt8] {
        let place = try file(name)
        let raw = open(place, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { throw HostFileError("open", place, code: errno) }
        defer { close(raw) }
        return try HostFile.read(descriptor: raw, named: "\(name) of \(path)", limit: JSONValue.largestDocument)
    }

    /// Where the content of a file lies: a name of no meaning.
    /// - Throws: ``ImageArchiveError`` where there is none.
    func file(_ name: String) throws -> String {
        guard let entry = try find(name) else { throw ImageArchiveError.missing(file: name, path: path) }
        guard case .file(_, let place, _) = entry.content else {
            // An empty file has no content that was stored.
            let empty = "\(members)/empty"
            try HostFile.write([], to: empty)
            return empty
        }
        return "\(members)/\(String(decoding: place.bytes, as: UTF8.self))"
    }

    /// Moves the blobs of a layout's archive into a layout; their content is checked by whoever takes them from there.
    func moveBlobs(to layout: ImageLayout) throws {
        let prefix = Array("blobs/sha256/".utf8)
        for entry in archive.entries where entry.entry.path.bytes.starts(with: prefix) {
            let hex = String(decoding: entry.entry.path.bytes.dropFirst(prefix.count), as: UTF8.self)
            guard case .file = entry.entry.kind, case .file(_, let place, _) = entry.content,
                let digest = try? Digest(parsing: "sha256:\(hex)")
            else { continue }
            let source = "\(members)/\(String(decoding: place.bytes, as: UTF8.self))"
            let target = layout.blobPath(digest)
            guard rename(source, target) == 0 else { throw HostFileError("rename into place", target, code: errno) }
        }
    }
}
