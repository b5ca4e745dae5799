/// One act of setting a sandbox up, in the order in which the child performs them.
enum Operation: Sendable, Hashable {
    case privateMounts
    case hostname(String)
    case loopbackUp
    /// A directory of the host that the staging area covers, and the mount points of the skeleton in it.
    case staging(directory: String, mountPoints: [String])
    case root(SandboxPlan.Overlay)
    case fileSystem(FileSystem)
    /// Moves what is mounted in the skeleton to its place in the root.
    case attach(FileSystem)
    case device(Device)
    case symbolicLink(directory: String, name: String, text: String)
    case mask(String)
    case readOnly(String)
    /// Its content may be in the staging area already, under a name.
    case mount(SandboxPlan.Mount, staged: String?)
    case changeRoot
    case workingDirectory(String)
    case stagedFile(SandboxPlan.Runtime.File)
    case runtimeBundle(configuration: [UInt8])
}

extension Operation {
    /// A file system of the kernel's.
    struct FileSystem: Sendable, Hashable {
        var type: String
        var target: String
        var options: [Option] = []
        var attributes: MountAttributes = [.noSetUserID, .noDevices, .noExecution]
        /// Goes on without it when the kernel refuses.
        var isOptional = false
        /// What of the host is bound, read-only, when the kernel refuses a new one.
        var fallback: String?

        struct Option: Sendable, Hashable {
            var key: String
            var value: String?
        }
    }

    /// A device of `/dev`, a character device where nothing else is said.
    struct Device: Sendable, Hashable {
        var name: String
        var major: UInt64
        var minor: UInt64
        var isBlockDevice = false
        /// Whether a step does without it: in a user namespace only what the machine has can be had.
        var isOptional = false

        /// The number as the kernel takes it from mknod(2): `makedev` of small numbers.
        var number: UInt64 { major << 8 | minor }
    }
}

/// The attributes of a mount (mount_setattr(2)).
struct MountAttributes: OptionSet, Sendable, Hashable {
    let rawValue: UInt64

    static let readOnly = MountAttributes(rawValue: 0x1)
    static let noSetUserID = MountAttributes(rawValue: 0x2)
    static let noDevices = MountAttributes(rawValue: 0x4)
    static let noExecution = MountAttributes(rawValue: 0x8)
}

extension Operation: CustomStringConvertible {
    /// The operation after the word "cannot".
    var description: String {
        switch self {
        case .privateMounts: "make the mounts of the sandbox private"
        case .hostname(let name): "set the host name \(name)"
        case .loopbackUp: "bring the loopback interface up"
        case .staging(let directory, _): "mount the staging area over \(directory)"
        case .root(let overlay): "mount the root over \(overlay.lowerDirectories.count) layers"
        case .fileSystem(let fileSystem), .attach(let fileSystem): "mount \(fileSystem.type) at \(fileSystem.target)"
        case .device(let device): "provide /dev/\(device.name)"
        case .symbolicLink(let directory, let name, _): "link \(directory)/\(name)"
        case .mask(let path): "hide \(path)"
        case .readOnly(let path): "make \(path) read-only"
        case .mount(let mount, _): mount.description
        case .changeRoot: "change to the step's root"
        case .workingDirectory(let path): "enter \(path)"
        case .stagedFile(let file): "write \(file.name) into the staging area"
        case .runtimeBundle: "make the bundle for the runtime"
        }
    }
}

extension SandboxPlan.Mount: CustomStringConvertible {
    /// The mount after the word "cannot": what at which place.
    public var description: String {
        switch kind {
        case .bind(let source, let relative, _, _), .view(let source, let relative, _):
            "mount \(Self.join(source, relative)) at \(target)"
        case .discardedWrites(let lower, let relative, _, _), .layers(let lower, let relative):
            "mount \(Self.join(lower.first ?? "", relative)) at \(target)"
        case .device(let source, _, _): "provide the device \(source) at \(target)"
        case .tmpfs: "mount tmpfs at \(target)"
        case .file: "mount a file at \(target)"
        }
    }

    private static func join(_ source: String, _ relative: String) -> String {
        guard let whole = ContainerPath.normalized(relative) else { return source }
        return "\(source)/\(whole)"
    }
}

/// Paths inside a root, as text.
enum ContainerPath {
    /// A path without empty components and `.`, without a slash at either end; nil when nothing is left.
    static func normalized(_ path: String) -> String? {
        let components = path.split(separator: "/").filter { $0 != "." }
        return components.isEmpty ? nil : components.joined(separator: "/")
    }
}
