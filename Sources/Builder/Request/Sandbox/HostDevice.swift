import Exec
import Glibc

/// A device node of the host that steps are given: `--device`.
public struct HostDevice: Sendable, Hashable {
    /// The node's path on the host.
    public let source: String
    /// Its place in the step's root.
    public let target: String
    /// The device's number.
    let number: UInt64
    let isBlockDevice: Bool

    /// Parses `HOSTPATH[:PATH[:rwm]]`, and looks at the node.
    /// - Throws: ``MalformedOption``.
    public init(parsing text: String, in directory: String) throws(MalformedOption) {
        func failure(_ expected: String) -> MalformedOption {
            MalformedOption(option: "--device", value: text, expected: expected)
        }
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard let first = parts.first, !first.isEmpty, parts.count <= 3 else { throw failure("HOSTPATH[:PATH[:rwm]]") }
        // vendor.com/class=name: the specification of CDI, "CDI JSON Specification".
        if !first.hasPrefix("/"), !first.hasPrefix("."), first.contains("=") {
            throw failure("a device node's path: swbuild has no Container Device Interface for such names")
        }
        if parts.count == 2, !parts[1].hasPrefix("/") { parts.insert(first, at: 1) }
        if parts.count == 3, !["rw", "rwm"].contains(parts[2]) {
            throw failure("rw or rwm: a step that has a device can do all with it that the node's mode allows")
        }
        source = absolute(first, in: directory)
        target = parts.count > 1 ? parts[1] : source
        guard target.hasPrefix("/"), target != "/" else { throw failure("an absolute path in the step's root") }
        var status = stat()
        guard stat(source, &status) == 0 else {
            throw failure("a device that exists: \(source): \(String(cString: strerror(errno)))")
        }
        isBlockDevice = status.st_mode & S_IFMT == S_IFBLK
        guard isBlockDevice || status.st_mode & S_IFMT == S_IFCHR else {
            throw failure("a device node, and \(source) is none")
        }
        number = UInt64(status.st_rdev)
    }

    /// The mount that gives a step the device.
    var mount: SandboxPlan.Mount.Kind { .device(source: source, number: number, isBlockDevice: isBlockDevice) }
}

extension HostDevice: CustomStringConvertible {
    /// `HOSTPATH:PATH`.
    public var description: String { "\(source):\(target)" }
}
