import CShims

extension Operation {
    /// The operation as the C side reads it.
    func lowered(in arena: Arena) -> swb_operation {
        switch self {
        case .privateMounts: return swb_operation(kind: SWB_PRIVATE_MOUNTS)
        case .loopbackUp: return swb_operation(kind: SWB_LOOPBACK_UP)
        case .changeRoot: return swb_operation(kind: SWB_CHANGE_ROOT)
        case .hostname(let name):
            var lowered = swb_operation(kind: SWB_HOSTNAME)
            lowered.setData(Array(name.utf8), in: arena)
            return lowered
        case .staging(let directory, let mountPoints):
            var lowered = swb_operation(kind: SWB_STAGING)
            lowered.work = UnsafePointer(arena.string(directory))
            lowered.list = UnsafePointer(arena.constantStrings(mountPoints))
            lowered.list_count = UInt32(mountPoints.count)
            return lowered
        case .root(let overlay): return Self.root(overlay, in: arena)
        case .fileSystem(let fileSystem): return fileSystem.lowered(in: arena)
        case .attach(let fileSystem):
            var lowered = swb_operation(kind: SWB_ATTACH, target: fileSystem.target, in: arena)
            // A layer in which /proc is a link must not decide where the kernel's files appear.
            lowered.flags = SWB_FLAG_NO_SYMLINKS.rawValue
            lowered.relative = ContainerPath.normalized(fileSystem.target).map { UnsafePointer(arena.string($0)) }
            return lowered
        case .device(let device): return device.lowered(in: arena)
        case .symbolicLink(let directory, let name, let text):
            var lowered = swb_operation(kind: SWB_SYMLINK, target: directory, in: arena)
            lowered.relative = UnsafePointer(arena.string(name))
            lowered.source = UnsafePointer(arena.string(text))
            return lowered
        case .mask(let path):
            var lowered = swb_operation(kind: SWB_MASK, target: path, in: arena)
            lowered.attributes = MountAttributes([.readOnly, .noSetUserID, .noDevices, .noExecution]).rawValue
            return lowered
        case .readOnly(let path):
            var lowered = swb_operation(kind: SWB_READ_ONLY, target: path, in: arena)
            lowered.attributes = MountAttributes([.readOnly, .noSetUserID, .noDevices, .noExecution]).rawValue
            return lowered
        case .mount(let mount, let staged):
            var lowered = mount.lowered(in: arena)
            if let staged { lowered.relative = UnsafePointer(arena.string(staged)) }
            return lowered
        case .workingDirectory(let path): return swb_operation(kind: SWB_WORKING_DIRECTORY, target: path, in: arena)
        case .stagedFile(let file):
            var lowered = swb_operation(kind: SWB_STAGED_FILE)
            lowered.relative = UnsafePointer(arena.string(file.name))
            lowered.setData(file.contents, in: arena)
            (lowered.mode, lowered.uid, lowered.gid) = (file.mode, file.uid, file.gid)
            return lowered
        case .runtimeBundle(let configuration):
            var lowered = swb_operation(kind: SWB_RUNTIME_BUNDLE)
            lowered.setData(configuration, in: arena)
            return lowered
        }
    }

    private static func root(_ overlay: SandboxPlan.Overlay, in arena: Arena) -> swb_operation {
        var lowered = swb_operation(kind: SWB_ROOT_OVERLAY)
        lowered.setOverlay(lower: overlay.lowerDirectories, in: arena)
        lowered.upper = UnsafePointer(arena.string(overlay.upperDirectory))
        lowered.work = UnsafePointer(arena.string(overlay.workDirectory))
        // A step may make any device node, and none must be a way to the machine's devices.
        if !overlay.opensDevices { lowered.attributes = MountAttributes.noDevices.rawValue }
        if overlay.userXattr { lowered.flags |= SWB_FLAG_USER_XATTR.rawValue }
        if overlay.isCovered { lowered.flags |= SWB_FLAG_COVERED.rawValue }
        if overlay.usesFormerMount { lowered.flags |= SWB_FLAG_LEGACY_OVERLAY.rawValue }
        return lowered
    }
}

extension Operation.FileSystem {
    fileprivate func lowered(in arena: Arena) -> swb_operation {
        var lowered = swb_operation(kind: SWB_FILE_SYSTEM, target: target, in: arena)
        lowered.flags = SWB_FLAG_NO_SYMLINKS.rawValue | (isOptional ? SWB_FLAG_OPTIONAL.rawValue : 0)
        lowered.source = UnsafePointer(arena.string(type))
        lowered.relative = fallback.map { UnsafePointer(arena.string($0)) }
        lowered.attributes = attributes.rawValue
        lowered.list = UnsafePointer(arena.constantStrings(options.flatMap { [$0.key, $0.value] }))
        lowered.list_count = UInt32(options.count * 2)
        return lowered
    }
}

extension Operation.Device {
    fileprivate func lowered(in arena: Arena) -> swb_operation {
        var lowered = swb_operation(kind: SWB_DEVICE, target: "/dev/\(name)", in: arena)
        lowered.source = lowered.target
        lowered.device = number
        // S_IFBLK or S_IFCHR.
        lowered.mode = (isBlockDevice ? 0o060000 : 0o020000) | 0o666
        lowered.attributes = MountAttributes([.noSetUserID, .noExecution]).rawValue
        if isOptional { lowered.flags = SWB_FLAG_OPTIONAL.rawValue }
        return lowered
    }
}

extension SandboxPlan.Mount {
    fileprivate func lowered(in arena: Arena) -> swb_operation {
        switch kind {
        case .bind(let source, let relative, let readOnly, let recursive):
            return bind(source: source, relative: relative, readOnly: readOnly, recursive: recursive, in: arena)
        case .device(let source, let number, let isBlockDevice):
            var lowered = swb_operation(kind: SWB_BIND, target: target, in: arena)
            lowered.source = UnsafePointer(arena.string(source))
            lowered.device = number
            lowered.mode = isBlockDevice ? 0o060000 : 0o020000
            lowered.flags = SWB_FLAG_DEVICE.rawValue
            // Read-only: the node's mode and owner are the host's, and writing to the device is not writing to the mount.
            lowered.attributes = MountAttributes([.readOnly, .noSetUserID, .noExecution]).rawValue
            return lowered
        case .discardedWrites(let lower, let relative, let upper, let work):
            var lowered = overlay(lower: lower, relative: relative, in: arena)
            lowered.upper = UnsafePointer(arena.string(upper))
            lowered.work = UnsafePointer(arena.string(work))
            return lowered
        case .view(let source, let relative, let empty):
            // In an overlay each socket and pipe is one of its own, and so are locks. It has two layers, or an upper one.
            var lowered = overlay(lower: [source, empty], relative: relative, in: arena)
            lowered.attributes |= MountAttributes.readOnly.rawValue
            lowered.flags |= SWB_FLAG_OR_BIND.rawValue
            return lowered
        case .layers(let lower, let relative):
            // One layer cannot be an overlay without an upper directory.
            if let only = lower.first, lower.count == 1 {
                return bind(source: only, relative: relative, readOnly: true, recursive: false, in: arena)
            }
            var lowered = overlay(lower: lower, relative: relative, in: arena)
            lowered.attributes |= MountAttributes.readOnly.rawValue
            return lowered
        case .tmpfs(let size, let mode): return tmpfs(size: size, mode: mode, in: arena)
        case .file(let contents, let mode, let uid, let gid, let readOnly):
            var lowered = swb_operation(kind: SWB_FILE, target: target, in: arena)
            lowered.setData(contents, in: arena)
            (lowered.mode, lowered.uid, lowered.gid) = (mode, uid, gid)
            let attributes: MountAttributes = [.noSetUserID, .noDevices]
            lowered.attributes = (readOnly ? attributes.union(.readOnly) : attributes).rawValue
            return lowered
        }
    }

    private func bind(
        source: String,
        relative: String,
        readOnly: Bool,
        recursive: Bool,
        in arena: Arena
    ) -> swb_operation {
        var lowered = swb_operation(kind: SWB_BIND, target: target, in: arena)
        lowered.source = UnsafePointer(arena.string(source))
        lowered.relative = ContainerPath.normalized(relative).map { UnsafePointer(arena.string($0)) }
        lowered.flags = recursive ? SWB_FLAG_RECURSIVE.rawValue : 0
        lowered.attributes = (readOnly ? MountAttributes([.readOnly, .noDevices]) : .noDevices).rawValue
        return lowered
    }

    private func overlay(lower: [String], relative: String, in arena: Arena) -> swb_operation {
        var lowered = swb_operation(kind: SWB_OVERLAY, target: target, in: arena)
        lowered.setOverlay(lower: lower, in: arena)
        lowered.relative = ContainerPath.normalized(relative).map { UnsafePointer(arena.string($0)) }
        lowered.attributes = MountAttributes.noDevices.rawValue
        return lowered
    }

    private func tmpfs(size: UInt64?, mode: UInt32, in arena: Arena) -> swb_operation {
        var options = ["mode", String(mode, radix: 8)]
        if let size { options += ["size", String(size)] }
        var lowered = swb_operation(kind: SWB_FILE_SYSTEM, target: target, in: arena)
        lowered.source = UnsafePointer(arena.string("tmpfs"))
        lowered.list = UnsafePointer(arena.constantStrings(options))
        lowered.list_count = UInt32(options.count)
        lowered.attributes = MountAttributes([.noSetUserID, .noDevices]).rawValue
        return lowered
    }
}

extension swb_operation {
    fileprivate init(kind: swb_operation_kind) {
        self.init()
        self.kind = kind.rawValue
    }

    fileprivate init(kind: swb_operation_kind, target: String, in arena: Arena) {
        self.init(kind: kind)
        self.target = UnsafePointer(arena.string(target))
    }

    fileprivate mutating func setData(_ bytes: [UInt8], in arena: Arena) {
        data = UnsafePointer(arena.copy(bytes))
        data_length = bytes.count
    }

    fileprivate mutating func setOverlay(lower: [String], in arena: Arena) {
        list = UnsafePointer(arena.constantStrings(lower))
        list_count = UInt32(lower.count)
    }
}
