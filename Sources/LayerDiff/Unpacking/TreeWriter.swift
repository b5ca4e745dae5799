import Glibc
import SystemPackage

/// Writes entries as files of a directory.
public enum TreeWriter {
    /// Makes a tree in an empty directory as unpacked layers are made: with devices and owners, or what stands for them.
    /// - Throws: ``LayerError`` when a content cannot be read or something cannot be made.
    public static func write(
        _ entries: [LayerEntry],
        to directory: String,
        as form: OverlayForm
    ) throws(LayerError) {
        try write(entries, to: directory, devices: form.devices, marksOwners: form.marksOwners)
    }

    /// Makes a tree of `entries` (in any order) in an empty directory, by way of a nameless tar beside it: unpacking is
    /// the one place that knows how to set every attribute in the right order.
    /// - Parameters:
    ///   - entries: What is to be there.
    ///   - directory: The path of the empty directory.
    ///   - devices: What becomes of device nodes.
    ///   - marksOwners: Whether owners are written on files as marks.
    /// - Throws: ``LayerError`` when a content cannot be read or something cannot be made.
    public static func write(
        _ entries: [LayerEntry],
        to directory: String,
        devices: DevicePolicy = .made,
        marksOwners: Bool = false
    ) throws(LayerError) {
        let target = try LayerError.wrapping { () throws(FileError) in try Directory(path: directory) }
        try write(entries, to: target, devices: devices, marksOwners: marksOwners)
    }

    /// The same in an empty directory that is open: whatever its name stands for by now, nothing is made elsewhere.
    /// - Throws: ``LayerError`` when a content cannot be read or something cannot be made.
    public static func write(
        _ entries: [LayerEntry],
        to target: Directory,
        devices: DevicePolicy = .made,
        marksOwners: Bool = false
    ) throws(LayerError) {
        let name = ".swbuild-\(UInt64.random(in: 0...UInt64.max))"
        let raw = openat(target.rawDescriptor, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard raw >= 0 else {
            throw LayerError(
                .file(FileError(operation: "create a file in", path: target.place, errno: Errno(rawValue: errno)))
            )
        }
        unlinkat(target.rawDescriptor, name, 0)
        let tar = OwnedDescriptor(owning: raw, path: target.place)
        try withExtendedLifetime(tar) { () throws(LayerError) in
            let sorted = entries.sorted { $0.entry.path < $1.entry.path }
            let options = LayerOptions(compression: .none)
            _ = try LayerWriter.begin(sorted, blob: tar.fileDescriptor, options: options).finish()
            lseek(raw, 0, SEEK_SET)
            _ = try LayerReader.apply(
                tar.fileDescriptor,
                to: target,
                options: ApplyOptions(form: .flat, devices: devices, marksOwners: marksOwners)
            )
        }
    }
}
