import Glibc
import LayerDiff
import OCI
import Store
import Synchronization

/// Directories that hold the mount points which an image lacks, one for each set of them.
///
/// Such a directory is the topmost lower one of a step's overlay: what is mounted there needs no change to the upper
/// directory, so nothing has to be cleaned up after the step, and no layer shows a trace of it.
final class MountPointStubs: Sendable {
    private let form: OverlayForm
    // A build has one or two: a table would cost more to make, and to let go of, than looking at all of them.
    private let made = Mutex<[(entries: [TreeEntry], path: String)]>([])

    init(form: OverlayForm) { self.form = form }

    /// What every step has mounted.
    static let systemMounts = ["/proc", "/sys", "/dev"]

    /// A place in the container where something is mounted.
    struct Point: Sendable, Hashable {
        var path: String
        var isDirectory: Bool
    }

    /// The directory with what is missing in `stack` of the mount points; `nil` where nothing is.
    func directory(for points: [Point], in stack: LayerStack, work: WorkDirectory) throws -> String? {
        let system = Self.systemMounts.map { Point(path: $0, isDirectory: true) }
        let entries = try Self.missing(system + points, in: stack)
        guard !entries.isEmpty else { return nil }
        return try made.withLock { made in
            if let known = made.first(where: { $0.entries == entries }) { return known.path }
            let path = try work.makeDirectory("mount-points")
            if let root = stack.lookup(.root)?.entry { try setAttributes(root, at: path) }
            try create(entries, in: path)
            made.append((entries, path))
            return path
        }
    }

    /// The entries to make, parents first: those that exist only to hold a missing one look like the image's own.
    private static func missing(_ points: [Point], in stack: LayerStack) throws -> [TreeEntry] {
        var entries: [ContainerPath: TreeEntry] = [:]
        for point in points {
            let path = try stack.resolve(ContainerPath(point.path), followLast: true)
            guard stack.lookup(path) == nil else { continue }
            var current = ContainerPath.root
            for component in path.components {
                current = current.appending(component)
                if entries[current] != nil { continue }
                if var entry = stack.lookup(current)?.entry {
                    guard entry.isDirectory else { throw CopyError.fileInTheWay(current) }
                    entry.kind = .directory(opaque: false)
                    entries[current] = entry
                } else {
                    let isLast = current == path
                    entries[current] = TreeEntry(
                        path: current,
                        kind: isLast && !point.isDirectory ? .file(size: 0) : .directory(opaque: false),
                        mode: isLast && !point.isDirectory ? 0o644 : 0o755,
                        uid: 0,
                        gid: 0,
                        modified: 0
                    )
                }
            }
        }
        return entries.keys.sorted().compactMap { entries[$0] }
    }

    private func create(_ entries: [TreeEntry], in root: String) throws {
        // The tree is new and nobody else's: joining its names is safe here.
        for entry in entries {
            let path = "\(root)\(entry.path)"
            if entry.isDirectory {
                guard mkdir(path, 0o755) == 0 else { throw HostFileError("create", path, code: errno) }
            } else {
                let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
                guard file >= 0 else { throw HostFileError("create", path, code: errno) }
                close(file)
            }
        }
        for entry in entries.reversed() { try setAttributes(entry, at: "\(root)\(entry.path)") }
    }

    private func setAttributes(_ entry: TreeEntry, at path: String) throws {
        var times = [timespec(), timespec()]
        times[0].tv_sec = Int(entry.modified)
        times[1].tv_sec = Int(entry.modified)
        try OwnerMark.set(.init(uid: entry.uid, gid: entry.gid), at: path, form: form)
        guard chmod(path, mode_t(entry.mode)) == 0,
            utimensat(AT_FDCWD, path, &times, 0) == 0
        else { throw HostFileError("set the attributes of", path, code: errno) }
    }
}
