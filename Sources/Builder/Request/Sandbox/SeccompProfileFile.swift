import Exec
import Glibc
import OCI

/// A system call filter in Docker's JSON format.
///
/// The format is that of the runtime specification (config-linux.md, "Seccomp") with Docker's additions: `archMap`, and
/// `includes` and `excludes` of a rule.
public struct SeccompProfileFile: Sendable, Hashable {
    /// The file's name for messages.
    public let name: String
    /// The digest of its bytes.
    public let digest: Digest
    let defaultAction: SeccompRules.Action
    /// Libseccomp's names.
    let architectures: [String]
    let entries: [Entry]

    /// A rule with its conditions.
    struct Entry: Sendable, Hashable {
        var rule: SeccompRules.Rule
        var includes: Condition
        var excludes: Condition
    }

    /// What a rule's `includes` or `excludes` names; empty lists name nothing.
    struct Condition: Sendable, Hashable {
        var capabilities: [CapabilitySet] = []
        /// Go's names of architectures.
        var architectures: [String] = []
        var kernel: KernelVersion?
    }

    /// Files above this size are refused; Docker's default profile has 15 KiB.
    static let sizeLimit = 1 << 20

    /// Reads a profile.
    /// - Throws: ``SeccompProfileError``, or `HostFileError`.
    public init(path: String) throws {
        try self.init(parsing: try HostFile.read(path, limit: Self.sizeLimit), name: path)
    }

    /// Parses a profile.
    /// - Throws: ``SeccompProfileError``.
    init(parsing bytes: [UInt8], name: String) throws(SeccompProfileError) {
        let document: JSONValue
        do throws(DocumentError) {
            document = try JSONValue(parsing: bytes, as: name)
        } catch {
            throw SeccompProfileError(file: name, place: "", problem: "\(error)")
        }
        self.name = name
        digest = Digest(of: bytes)
        let reader = SeccompProfileReader(file: name)
        (defaultAction, architectures, entries) = try reader.read(document)
    }

    /// The rules for steps with these capabilities on a machine.
    func rules(_ capabilities: CapabilitySet, on machine: Machine = .current) -> SeccompRules {
        let holding = entries.filter { entry in
            entry.includes.isMet(capabilities, machine) && !entry.excludes.isTouched(capabilities, machine)
        }
        return SeccompRules(
            defaultAction: defaultAction,
            architectures: architectures,
            rules: holding.map(\.rule)
        )
    }
}

extension SeccompProfileFile {
    /// What of the machine a profile can ask for.
    struct Machine: Sendable {
        /// Go's name of the architecture.
        var architecture: String
        var kernel: KernelVersion?

        static var current: Machine {
            var names = utsname()
            uname(&names)
            let release = withUnsafeBytes(of: names.release) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            return Machine(architecture: Platform.host.architecture, kernel: KernelVersion(release: release))
        }
    }
}

/// A kernel's version, as far as profiles look at it.
struct KernelVersion: Sendable, Hashable, Comparable {
    var major: Int
    var minor: Int

    /// The version at the beginning of a text such as `6.1.0-18-amd64`.
    init?(release: String) {
        let parts = release.split(separator: ".", maxSplits: 2).prefix(2).map { part in
            Int(part.prefix { $0.isASCII && $0.isNumber })
        }
        guard parts.count == 2, let major = parts[0], let minor = parts[1] else { return nil }
        (self.major, self.minor) = (major, minor)
    }

    static func < (left: Self, right: Self) -> Bool { (left.major, left.minor) < (right.major, right.minor) }
}

extension SeccompProfileFile.Condition {
    /// Whether all that it names is there.
    fileprivate func isMet(_ held: CapabilitySet, _ machine: SeccompProfileFile.Machine) -> Bool {
        capabilities.allSatisfy { held.isSuperset(of: $0) }
            && (architectures.isEmpty || architectures.contains(machine.architecture))
            && (kernel.map { wanted in machine.kernel.map { $0 >= wanted } ?? false } ?? true)
    }

    /// Whether anything that it names is there.
    fileprivate func isTouched(_ held: CapabilitySet, _ machine: SeccompProfileFile.Machine) -> Bool {
        capabilities.contains { held.isSuperset(of: $0) } || architectures.contains(machine.architecture)
            || (kernel.map { wanted in machine.kernel.map { $0 >= wanted } ?? false } ?? false)
    }
}

/// A system call profile that cannot be used: where in it, and why.
public struct SeccompProfileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file's name.
    public let file: String
    /// The member, such as `syscalls[3].action`; empty for the whole file.
    public let place: String
    /// What is wrong with it.
    public let problem: String

    /// One sentence: the file, the place, the problem.
    public var description: String { place.isEmpty ? problem : "\(file): \(place): \(problem)" }
}
