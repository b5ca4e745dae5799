import CShims
import Glibc
import SystemPackage

/// The mark that says whose a file or directory would be where there is nobody to give it to.
public enum OwnerMark {
    /// The attribute's name.
    public static let name = DeviceMark.ownPrefix + "owner"

    /// A user and a group.
    public struct Owner: Sendable, Hashable {
        /// The user.
        public var uid: UInt32
        /// The group.
        public var gid: UInt32

        /// An owner with these ids.
        public init(uid: UInt32, gid: UInt32) {
            self.uid = uid
            self.gid = gid
        }

        /// User and group 0.
        public static let root = Owner(uid: 0, gid: 0)
    }

    /// The mark for an owner.
    public static func attribute(for owner: Owner) -> ExtendedAttribute {
        ExtendedAttribute(name, "\(owner.uid):\(owner.gid)")
    }

    /// The owner that one of these attributes names, if one does.
    static func owner(in attributes: [ExtendedAttribute]) -> Owner? {
        attributes.first { $0.name.elementsEqual(name.utf8) }.flatMap { owner(of: $0.value) }
    }

    /// The owner that a mark's value means.
    public static func owner(of value: [UInt8]) -> Owner? {
        let fields = value.split(separator: UInt8(ascii: ":")).map { UInt32(String(decoding: $0, as: UTF8.self)) }
        guard fields.count == 2, let uid = fields[0], let gid = fields[1] else { return nil }
        return Owner(uid: uid, gid: gid)
    }
}

/// What is known of a step's files beside the marks on them.
public struct StepOwners: Sendable {
    /// What is recorded of a symbolic link or a pipe, which take no marks.
    public struct Record: Sendable, Hashable {
        /// Whose it is.
        public var owner: OwnerMark.Owner
        /// What tells it from a later file with its inode number (`cshims_identity`); 0 where that is not known.
        public var identity: UInt64

        /// A record of an owner.
        public init(owner: OwnerMark.Owner, identity: UInt64) {
            self.owner = owner
            self.identity = identity
        }
    }

    /// What is recorded of symbolic links and pipes, by inode.
    public var recorded: [UInt64: Record]
    /// Whose the step's new files are.
    public var ofNewFiles: OwnerMark.Owner

    /// What is known of a step that ran as `ofNewFiles`.
    public init(recorded: [UInt64: Record] = [:], ofNewFiles: OwnerMark.Owner = .root) {
        self.recorded = recorded
        self.ofNewFiles = ofNewFiles
    }

    /// What is recorded of a link or a pipe.
    ///
    /// Files and directories take marks, and may have the number of a link that is gone.
    func record(of node: UpperNode) -> OwnerMark.Owner? {
        guard node.status.kind == .symlink || node.status.kind == .fifo, let record = recorded[node.status.inode] else {
            return nil
        }
        let directory = node.directory
        let identity = withExtendedLifetime(directory) {
            withCString(node.name) { cshims_identity(directory.rawDescriptor, $0) }
        }
        return record.identity == identity ? record.owner : nil
    }

    /// Whose a file is, given its mark or record and what was at its place below.
    func owner(_ mark: OwnerMark.Owner?, _ status: FileStatus, before: TreeEntry?) -> OwnerMark.Owner {
        if let mark { return mark }
        guard let before else { return ofNewFiles }
        let isMarkable = status.kind == .file || status.kind == .directory
        // Root's new file has no mark, and neither has a link that was copied up.
        if isMarkable, ofNewFiles == .root { return .root }
        return OwnerMark.Owner(uid: before.uid, gid: before.gid)
    }
}

extension OwnerMark {
    /// Gives a file or directory an owner, or the mark of one; `path` must be known to lead nowhere else.
    /// - Throws: ``FileError`` when the system refuses.
    public static func set(_ owner: Owner, at path: String, form: OverlayForm) throws(FileError) {
        guard form.marksOwners else {
            guard lchown(path, owner.uid, owner.gid) == 0 else {
                let operation = "\(FileError.settingOwner) \(owner.uid):\(owner.gid) of"
                throw FileError(operation, path, negated: -Int(errno))
            }
            return
        }
        if owner == .root { return }
        let value = attribute(for: owner).value
        let result = value.withUnsafeBytes { cshims_lsetxattr(path, name, $0.baseAddress, $0.count) }
        guard result == 0 else { throw FileError("mark the owner of", path, negated: Int(result)) }
    }
}
