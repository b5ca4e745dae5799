extension SandboxPlan {
    /// Something put into the step's root for as long as the step runs.
    ///
    /// A target outside of earlier mounts must exist: mount points leave no trace in a layer. Inside an earlier mount that
    /// can be written to it is made. No device can be opened in them but one that is itself the mount.
    public struct Mount: Sendable, Hashable {
        /// The place inside the root.
        ///
        /// Symbolic links on the way lead to where they lead inside the root.
        public var target: String

        /// What is put there.
        public var kind: Kind

        /// Whether it is nothing but a file that the step can write to, as the names of hosts are: secrets are not.
        var isSameForAll: Bool {
            if case .file(_, _, _, _, readOnly: false) = kind { true } else { false }
        }

        /// Puts something at a place inside the root.
        public init(target: String, kind: Kind) {
            self.target = target
            self.kind = kind
        }
    }
}

extension SandboxPlan.Mount {
    /// What a mount consists of.
    ///
    /// A `relative` path is looked up beneath the source with the source as root: neither a link nor `..` leads out.
    public enum Kind: Sendable, Hashable {
        /// A file or directory of the host, as it is.
        case bind(source: String, relative: String, readOnly: Bool, recursive: Bool)

        /// A device node of the host, which must be this device still.
        case device(source: String, number: UInt64, isBlockDevice: Bool)

        /// A stack of the host's directories (the topmost first) that can be written to; the writes are thrown away.
        case discardedWrites(lower: [String], relative: String, upper: String, work: String)

        /// A directory of the host, read-only, and without a way to whoever is behind its sockets and pipes.
        ///
        /// It takes an empty directory besides.
        case view(source: String, relative: String, empty: String)

        /// A stack of layer directories (the topmost first), read-only.
        case layers(lower: [String], relative: String)

        /// An empty file system in memory, of a size in bytes, with the mode of its root directory.
        case tmpfs(size: UInt64?, mode: UInt32)

        /// A file whose content is in memory only: it is never written to a disk.
        case file(contents: [UInt8], mode: UInt32, uid: UInt32, gid: UInt32, readOnly: Bool)
    }
}
