import CShims
import Glibc

/// The mark of an image of which the disk may not have everything yet: an attribute with the name of the machine's start
/// since which that is so.
///
/// Waiting for the disk when an image is made would take as long as all else together. So a power cut may leave an image
/// with holes under its name; it is told by its mark, which then names another start.
public enum ImageMark {
    private static let attribute = "trusted.swbuild.boot"
    /// After so many seconds the kernel has written what was new, and waiting for the disk takes no time.
    private static let writtenAfter: Int64 = 60

    /// Marks an image that was just written.
    public static func set(_ file: OwnedDescriptor, boot: String) {
        let value = Array(boot.utf8)
        if cshims_fsetxattr(file.raw, attribute, value, value.count) != 0 { fdatasync(file.raw) }
    }

    /// Whether all that was written to an image is in it; the mark is removed where the disk has it by now.
    public static func isComplete(_ file: OwnedDescriptor, boot: String) -> Bool {
        var mark = [UInt8](repeating: 0, count: 64)
        let count = cshims_fgetxattr(file.raw, attribute, &mark, mark.count)
        guard count >= 0 else { return count == -Int(ENODATA) || count == -Int(ENOTSUP) }
        guard mark.prefix(count).elementsEqual(boot.utf8) else { return false }
        if let status = try? file.status(), Int64(time(nil)) - status.modified.seconds > writtenAfter,
            fdatasync(file.raw) == 0
        {
            _ = cshims_fremovexattr(file.raw, attribute)
        }
        return true
    }
}
