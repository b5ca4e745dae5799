import CShims
import Glibc
import SystemPackage

/// An EROFS image, mounted where no path leads: it is there as long as this object lives, and goes with the process.
///
/// File systems in plain files can be mounted since Linux 6.12. That overlays take such a mount for a lower directory in
/// another mount namespace is newer: 6.15.
public final class ErofsMount: Sendable {
    private let root: OwnedDescriptor
    /// A path to the mount's root for all processes that see this one in `/proc`.
    public let path: String

    /// Mounts the image in `file`.
    /// - Throws: ``FileError`` where the kernel cannot do that, or there is no image in it.
    public init(_ file: OwnedDescriptor) throws(FileError) {
        let raw = cshims_mount_erofs(file.raw)
        guard raw >= 0 else { throw FileError("mount the EROFS image", file.path, negated: Int(raw)) }
        root = OwnedDescriptor(owning: raw, path: file.path)
        // By what /proc shows: it may belong to another process namespace than this process.
        var buffer = [CChar](repeating: 0, count: 32)
        let count = readlink("/proc/self", &buffer, buffer.count - 1)
        let name = count > 0 ? text(buffer.prefix(count).map { UInt8(bitPattern: $0) }) : "\(getpid())"
        path = "/proc/\(name)/fd/\(raw)"
    }

    /// Writes an image that holds nothing to `file`.
    /// - Throws: ``LayerError`` where it cannot be written.
    public static func writeEmptyImage(_ file: OwnedDescriptor) throws(LayerError) {
        let options = ApplyOptions(
            form: .overlay(attributePrefix: OverlayForm.trusted.attributePrefix),
            devices: OverlayForm.trusted.devices
        )
        _ = try LayerImager(file, options: options).finish()
    }
}
