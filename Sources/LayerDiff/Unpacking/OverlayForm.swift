/// What an unpacked layer looks like on the disk: that depends on what the process that unpacks it may do.
///
/// Source: the kernel's Documentation/filesystems/overlayfs.rst, "User xattr".
public enum OverlayForm: Sendable, Hashable {
    /// As root of the machine: overlayfs keeps its marks in `trusted.overlay.*`, device nodes are device nodes.
    case trusted
    /// In a user namespace: overlayfs keeps its marks in `user.overlay.*`, and placeholders stand for device nodes.
    case user

    /// How the names of overlayfs's own attributes begin.
    public var attributePrefix: String {
        switch self {
        case .trusted: "trusted.overlay."
        case .user: "user.overlay."
        }
    }

    /// What becomes of device nodes.
    public var devices: DevicePolicy {
        switch self {
        case .trusted: .made
        case .user: .placeholders
        }
    }
}

/// What becomes of device nodes when a layer is unpacked.
public enum DevicePolicy: Sendable, Hashable {
    /// A layer that has one is refused.
    case refused
    /// They are made.
    case made
    /// An empty file with a mark stands for each: no user namespace may make device nodes.
    case placeholders
    /// They are left out.
    case leftOut
}
