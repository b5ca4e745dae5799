import Glibc
import SystemPackage

/// What an archive holds, unpacked.
public struct ExtractedArchive: Sendable {
    /// The entries in byte order of their paths, files with their contents.
    public let entries: [LayerEntry]
    /// The directories among ``entries`` that the archive does not list itself, in byte order: 0755, owned by root.
    public let impliedDirectories: [ContainerPath]
}

/// Archives that ADD unpacks: tar, by itself or compressed with gzip, bzip2, xz or zstd.
public enum Archive {
    /// Whether the file at `path` is an archive: by its content, whatever its name.
    /// - Throws: ``LayerError`` when the file cannot be read.
    public static func isArchive(_ directory: Directory, _ path: ContainerPath) throws(LayerError) -> Bool {
        let file = try LayerError.wrapping { () throws(FileError) in try directory.openFile(path) }
        return try isArchive(file)
    }

    /// Whether `file` is an archive: whether there is a valid tar header in it, compressed or not.
    /// - Throws: ``LayerError`` when the file cannot be read.
    public static func isArchive(_ file: OwnedDescriptor) throws(LayerError) -> Bool {
        let status = try LayerError.wrapping { () throws(FileError) in try file.status() }
        guard status.kind == .file, status.size > 0 else { return false }
        do throws(LayerError) {
            return try TarReader(try ArchiveSource(file)).next() != nil
        } catch {
            switch error.reason {
            case .file, .blob, .resources, .missingLibrary: throw error
            case .hostileEntry, .limit, .truncated, .corrupt, .wrongType, .changedWhileRead, .unrepresentable,
                .noImage, .symlinkLoop, .noDirectory:
                return false
            }
        }
    }

    /// Unpacks `file` with the help of `scratch`, an empty directory, which receives the contents.
    ///
    /// Names are made relative to the root and kept in it; what is put through one of the archive's own symlinks lands
    /// where that leads; later entries win. Only plain files are made in `scratch`, under names of no meaning.
    /// - Throws: ``LayerError`` when the archive is damaged, asks for more than `limits`, or `scratch` is not writable.
    public static func extract(
        _ file: OwnedDescriptor,
        into scratch: Directory,
        limits: LayerLimits = LayerLimits()
    ) throws(LayerError) -> ExtractedArchive {
        try Fence.run(writingBeneath: scratch) { () throws(LayerError) in
            let reader = TarReader(try ArchiveSource(file))
            var tree = ArchiveTree(scratch: scratch, limits: limits)
            while let member = try reader.next() { try tree.add(member, contentFrom: reader) }
            return tree.finish()
        }
    }
}
