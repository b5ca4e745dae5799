import CShims
import Glibc
import Synchronization
import SystemPackage

/// The owner of a symbolic link or a pipe that a step changed.
public struct LinkOwner: Sendable, Hashable {
    /// Whose it is.
    public var owner: FileOwner
    /// What tells it from a later file with its inode number; 0 where the file system does not say.
    public var identity: UInt64
}

/// The owners of a step's symbolic links and pipes, which take no marks.
final class LinkOwners: Sendable {
    /// By inode, of what is in the layers.
    private let ofLayers: [UInt64: FileOwner]
    /// By inode: that which the step sees, and that in the upper directory.
    private let changed = Mutex<[UInt64: LinkOwner]>([:])
    private let upper: UpperFiles

    /// How many are recorded at most; a record takes some fifty bytes.
    private static let most = 1_000_000

    /// The owners where a step has changed none.
    init(ofLayers: [UInt64: FileOwner], upper: UpperFiles) {
        self.ofLayers = ofLayers
        self.upper = upper
    }

    /// Those that the step changed.
    var changes: [UInt64: LinkOwner] { changed.withLock { $0 } }

    /// Whose a link or pipe of the step's root is; `nil` where nothing is known of it.
    func owner(of file: borrowing Descriptor, _ seen: cshims_status) -> FileOwner? {
        record(of: file, seen)?.owner ?? ofLayers[seen.inode]
    }

    /// Whose a link or pipe is that the step has not changed, and that the upper directory may not have.
    func ownerInLayers(of file: borrowing Descriptor, _ seen: cshims_status) -> FileOwner? {
        record(of: file, seen) == nil ? ofLayers[seen.inode] : nil
    }

    /// Whether the step changed a link's or pipe's owner.
    func isRecorded(_ file: borrowing Descriptor, _ seen: cshims_status) -> Bool { record(of: file, seen) != nil }

    /// Whether nothing is known of any.
    var isEmpty: Bool { ofLayers.isEmpty && changed.withLock { $0.isEmpty } }

    /// Records an owner.
    ///
    /// What was copied up from a layer keeps the number that it had there for as long as the kernel remembers. In the upper
    /// directory, where the layer is made from, it has another.
    func set(_ owner: FileOwner, of file: borrowing Descriptor) throws(Errno) {
        var seen = cshims_status()
        guard cshims_status(file.number, "", &seen) == 0 else { throw .badFileDescriptor }
        // No layer has what has no name any more, and another file may get its number.
        guard seen.link_count > 0 else { return }
        // Also where a rename had another one found: the overlay shows the times of the file itself.
        let found = upper.find(file, seen).flatMap { $0.status.hasChangeTime(of: seen) ? $0 : nil }
        let identity = found.map { cshims_identity($0.descriptor.number, "") } ?? 0
        let inodes = [seen.inode] + (found.map { [$0.status.inode] } ?? [])
        let isRecorded = changed.withLock { table in
            guard table.count < Self.most || inodes.allSatisfy({ table[$0] != nil }) else { return false }
            for inode in inodes { table[inode] = LinkOwner(owner: owner, identity: identity) }
            return true
        }
        guard isRecorded else { throw .noSpace }
    }

    /// What is recorded of a file, and not of one that had its number before.
    private func record(of file: borrowing Descriptor, _ seen: cshims_status) -> LinkOwner? {
        guard let record = changed.withLock({ $0[seen.inode] }) else { return nil }
        guard let found = upper.find(file, seen) else { return record }
        return cshims_identity(found.descriptor.number, "") == record.identity ? record : nil
    }
}

extension cshims_status {
    fileprivate func hasChangeTime(of other: Self) -> Bool {
        changed_seconds == other.changed_seconds && changed_nanoseconds == other.changed_nanoseconds
    }
}
