import Glibc
import LayerDiff
import OCI
import Synchronization

/// What a layer is read from.
enum LayerSource {
    case complete(OwnedDescriptor)
    case growing(GrowingBlob)
}

extension Store {
    /// With so few entries a layer is unpacked to a directory: that is done once, and a mount costs each build something.
    private static let fewEntries = 32
    /// A blob of this many bytes is taken for a layer with few entries where nothing else is known.
    private static let smallBlob: Int64 = 4096

    /// Whether a layer has few entries.
    func isSmall(_ diffID: DiffID) throws -> Bool {
        if let index = indexes.withLock({ $0[diffID] }) { return index.entries.count <= Self.fewEntries }
        return try layer(diffID).map { $0.size <= Self.smallBlob } ?? false
    }

    /// Where the files of the unpacked layer `name` are: its directory, or the root of its image, which is mounted now.
    ///
    /// `nil` where there is none, or none to rely on.
    func place(of name: String) -> String? {
        opened.withLock { opened in
            if let known = opened[name] { return known.path }
            guard let found = findPlace("\(root)/layers/\(name)") else { return nil }
            opened[name] = found
            return found.path
        }
    }

    private func findPlace(_ path: String) -> LayerPlace? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        guard status.st_mode & S_IFMT == S_IFREG else { return .directory(path) }
        guard form == .trusted else { return nil }
        let raw = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else { return nil }
        let file = OwnedDescriptor(owning: raw, path: path)
        guard ImageMark.isComplete(file, boot: imaging.bootName), let mount = try? ErofsMount(file) else {
            return nil
        }
        return .image(mount)
    }

    /// Reads a layer and unpacks it into a work directory: as an image where that is of use, else as a directory.
    func unpack(
        _ source: LayerSource,
        isSmall: Bool,
        lower: @escaping @Sendable () -> LayerStack?,
        in work: WorkDirectory
    ) throws -> (ReadLayer, UnpackedLayer) {
        let options = applyOptions(lower: lower)
        if !isSmall, imaging.isPossible(work: work), let made = try image(source, options, in: work) { return made }
        let path = try work.makeDirectory("unpack")
        let directory = try Directory(path: path)
        let read =
            switch source {
            case .complete(let blob):
                try blob.withDescriptor { try LayerReader.apply($0, to: directory, options: options) }
            case .growing(let blob): try LayerReader.apply(blob, to: directory, options: options)
            }
        return (read, UnpackedLayer(path: path, mount: nil))
    }

    /// A layer as an image; `nil` where it is to be a directory.
    private func image(
        _ source: LayerSource,
        _ options: ApplyOptions,
        in work: WorkDirectory
    ) throws -> (ReadLayer, UnpackedLayer)? {
        let path = work.unique("image")
        let file = try LayerImaging.makeFile(path)
        do {
            let read =
                switch source {
                case .complete(let blob):
                    try blob.withDescriptor { try LayerReader.image($0, to: file, options: options) }
                case .growing(let blob): try LayerReader.image(blob, to: file, options: options)
                }
            ImageMark.set(file, boot: imaging.bootName)
            return (read, UnpackedLayer(path: path, mount: try ErofsMount(file)))
        } catch let error as LayerError {
            unlink(path)
            guard case .noImage = error.reason else { throw error }
            return nil
        } catch is FileError {
            unlink(path)
            imaging.giveUp()
            return nil
        }
    }

    /// Puts an unpacked layer into its place; answers where its files are.
    func publish(_ layer: UnpackedLayer, as name: String) throws -> String {
        let target = "\(root)/layers/\(name)"
        var code = rename(layer.path, target) == 0 ? 0 : errno
        if code == ENOTDIR, unlink(target) == 0 {
            // An image that could not be used, or one of the same layer: no worse, no better.
            code = rename(layer.path, target) == 0 ? 0 : errno
        }
        switch code {
        case 0:
            let place = layer.mount.map(LayerPlace.image) ?? .directory(target)
            return opened.withLock { opened in
                if opened[name] == nil || layer.mount == nil { opened[name] = place }
                return opened[name]?.path ?? place.path
            }
        case EEXIST, ENOTEMPTY, EISDIR:
            removeTree(layer.path)
            guard let place = place(of: name) else { throw HostFileError("rename into place", target, code: code) }
            return place
        default: throw HostFileError("rename into place", target, code: code)
        }
    }
}
