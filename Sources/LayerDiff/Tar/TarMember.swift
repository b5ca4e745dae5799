/// One member of a tar, as its headers have it: nothing of it is believed yet.
struct TarMember {
    /// The name's bytes, with whatever slashes and dots it has.
    var name: [UInt8]
    var kind: FileKind
    var mode: UInt16
    var uid: UInt32
    var gid: UInt32
    var modified: Int64
    var size: Int64
    /// Set for a hard link: the name of the file.
    var hardLink: [UInt8]?
    /// Set for a symlink.
    var symlink: [UInt8]?
    var deviceMajor: UInt32
    var deviceMinor: UInt32
    var attributes: [ExtendedAttribute]
}
