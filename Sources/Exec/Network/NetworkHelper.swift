import CShims
import Glibc

/// A program that carries what a network namespace sends out of it, by sockets of its own.
public struct NetworkHelper: Sendable, Hashable {
    /// The programs that are known, in the order in which they are tried.
    ///
    /// slirp4netns is ready in a fifth of the time, needs no default route, and reaches the machine's own addresses.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case slirp4netns
        case pasta
    }

    /// Which program it is.
    public let kind: Kind

    /// Where it is.
    public let path: String

    /// A program at a path.
    public init(kind: Kind, path: String) {
        self.kind = kind
        self.path = path
    }

    /// The programs that there are in this process's `PATH`, in the order of ``Kind``.
    public static func installed() -> [NetworkHelper] {
        all(searchPath: getenv("PATH").map { String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin")
    }

    /// The programs that there are in the directories of a search path, in the order of ``Kind``.
    public static func all(searchPath: String) -> [NetworkHelper] {
        let directories = searchPath.split(separator: ":").filter { $0.hasPrefix("/") }
        return Kind.allCases.compactMap { kind in
            let places = directories.map { "\($0)/\(kind.rawValue)" }
            return places.first { access($0, X_OK) == 0 }.map { NetworkHelper(kind: kind, path: $0) }
        }
    }

    /// The address at which steps have a name server: the helper passes questions on to the machine's first one,
    /// wherever that listens.
    ///
    /// slirp4netns has it there; pasta is told.
    public static let nameServer = "10.0.2.3"
}

extension NetworkHelper {
    /// What the helper is told: to set the interface up, to let nobody in, to leave the machine's loopback interface
    /// alone, and to confine itself.
    func arguments(_ surroundings: Surroundings) -> [String] {
        let network = "/proc/self/fd/\(SWB_HELPER_NETWORK.rawValue)"
        switch kind {
        case .slirp4netns:
            return [
                path, "--netns-type=path", "--configure", "--mtu=65520", "--disable-host-loopback", "--enable-sandbox",
                "--enable-seccomp", "--ready-fd=\(SWB_HELPER_READY.rawValue)",
            ] + (surroundings.hasIPv6 ? ["--enable-ipv6"] : []) + [network, "tap0"]
        case .pasta:
            return [
                path, "--config-net", "--quiet", "--no-map-gw", "-t", "none", "-u", "none", "-T", "none", "-U", "none",
                "--dns-forward", Self.nameServer, "--no-netns-quit",
            ] + (surroundings.isInitialRoot ? ["--runas", "0:0"] : []) + ["--netns", network]
        }
    }

    /// How the helper says that it is ready.
    enum Readiness {
        /// By a byte on the descriptor that it was given for that.
        case byte
        /// By going into the background: the process that was started ends with 0.
        case background
    }

    var readiness: Readiness {
        switch kind {
        case .slirp4netns: .byte
        case .pasta: .background
        }
    }

    /// What of the machine decides how a helper is called.
    struct Surroundings: Sendable, Hashable {
        /// Whether there is a way out by IPv6.
        var hasIPv6: Bool
        /// Whether this is the machine's root, not that of a user namespace: pasta becomes somebody else then, who may
        /// not enter the namespace.
        var isInitialRoot: Bool

        init(hasIPv6: Bool, isInitialRoot: Bool) {
            self.hasIPv6 = hasIPv6
            self.isInitialRoot = isInitialRoot
        }

        /// Those of this process.
        static func current() -> Surroundings {
            Surroundings(
                hasIPv6: hasDefaultRoute(
                    String(decoding: SmallFile.read("/proc/self/net/ipv6_route") ?? [], as: UTF8.self)
                ),
                isInitialRoot: Privilege.current() == .root
            )
        }

        /// Whether a table of IPv6 routes (`/proc/net/ipv6_route`: destination and its length come first, the interface
        /// last) has one to everywhere.
        static func hasDefaultRoute(_ table: String) -> Bool {
            table.split(separator: "\n").contains { line in
                let fields = line.split(separator: " ")
                guard fields.count >= 10, let interface = fields.last else { return false }
                return fields[0].allSatisfy { $0 == "0" } && fields[1] == "00" && interface != "lo"
            }
        }
    }
}
