/// An operating system and processor, as images name them.
///
/// Source: image-spec 1.1, image-index.md, "platform".
public struct Platform: Sendable, Hashable {
    /// `linux`.
    public var os: String
    /// A GOARCH value: `amd64`, `arm64`.
    public var architecture: String
    /// `v7`, `v8`: empty where there is none.
    public var variant: String

    /// A platform from its normalised parts.
    public init(os: String, architecture: String, variant: String = "") {
        self.os = os
        self.architecture = architecture
        self.variant = variant
    }

    /// Parses `os/architecture[/variant]` or an architecture alone, with the usual other names (`x86_64`, `aarch64`).
    ///
    /// `nil` where a part is empty or holds other than letters, digits and `_.-+`, or there are more than three.
    public init?(parsing text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { $0.lowercased() }
        guard parts.allSatisfy(Self.isPart) else { return nil }
        switch parts.count {
        case 1:
            if Self.systems.contains(parts[0]) {
                self = Platform(os: parts[0], architecture: Platform.host.architecture)
            } else {
                self = Platform.normalised(os: "linux", architecture: parts[0], variant: "")
            }
        case 2: self = Platform.normalised(os: parts[0], architecture: parts[1], variant: "")
        case 3: self = Platform.normalised(os: parts[0], architecture: parts[1], variant: parts[2])
        default: return nil
        }
    }

    /// The operating systems that Go knows (GOOS), whose names platforms use.
    public static let systems = [
        "linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos", "android",
        "ios", "aix", "plan9", "zos", "hurd", "js", "nacl", "wasip1",
    ]

    /// The architectures that Go knows or reserves (GOARCH), and their usual other names.
    public static let architectures = [
        "amd64", "arm64", "arm", "386", "riscv64", "s390x", "ppc64le", "ppc64", "loong64", "mips64le", "mips64",
        "mipsle", "mips", "wasm", "x86_64", "x86-64", "aarch64", "armhf", "armel", "i386", "amd64p32", "armbe",
        "arm64be", "mips64p32", "mips64p32le", "ppc", "riscv", "s390", "sparc", "sparc64",
    ]

    private static func isPart(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
                    UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"):
                    true
                default: false
                }
            }
    }

    private static func normalised(os: String, architecture: String, variant: String) -> Platform {
        switch (architecture, variant) {
        case ("x86_64", _), ("x86-64", _): normalised(os: os, architecture: "amd64", variant: variant)
        case ("aarch64", _): normalised(os: os, architecture: "arm64", variant: variant)
        case ("amd64", "v1"): Platform(os: os, architecture: "amd64")
        case ("arm64", "v8"), ("arm64", "8"): Platform(os: os, architecture: "arm64")
        case ("armhf", _), ("arm", ""): Platform(os: os, architecture: "arm", variant: "v7")
        case ("armel", _): Platform(os: os, architecture: "arm", variant: "v6")
        case ("arm", "5"), ("arm", "6"), ("arm", "7"), ("arm", "8"):
            Platform(os: os, architecture: "arm", variant: "v\(variant)")
        case ("i386", _): Platform(os: os, architecture: "386")
        default: Platform(os: os, architecture: architecture, variant: variant)
        }
    }

    /// The platform that this program was built for.
    public static var host: Platform {
        #if arch(x86_64)
        Platform(os: "linux", architecture: "amd64")
        #elseif arch(arm64)
        Platform(os: "linux", architecture: "arm64")
        #else
        Platform(os: "linux", architecture: "unknown")
        #endif
    }

    /// Whether an image for this platform serves where `wanted` is asked for; a missing variant serves any.
    public func serves(_ wanted: Platform) -> Bool {
        os == wanted.os && architecture == wanted.architecture
            && (variant == wanted.variant || variant.isEmpty || wanted.variant.isEmpty)
    }
}

extension Platform: CustomStringConvertible {
    /// `os/architecture[/variant]`.
    public var description: String {
        variant.isEmpty ? "\(os)/\(architecture)" : "\(os)/\(architecture)/\(variant)"
    }
}

extension Platform {
    /// Reads a descriptor's `platform`, or the same members of an image configuration.
    public init?(json: JSONValue) {
        guard let os = json["os"]?.string, let architecture = json["architecture"]?.string else { return nil }
        self.init(os: os, architecture: architecture, variant: json["variant"]?.string ?? "")
    }

    /// A descriptor's `platform`.
    public var json: JSONValue {
        var members: [String: JSONValue] = ["os": .string(os), "architecture": .string(architecture)]
        if !variant.isEmpty { members["variant"] = .string(variant) }
        return .object(members)
    }
}
