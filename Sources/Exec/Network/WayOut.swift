import Synchronization
import SystemPackage

/// A network namespace with a way out that is made when a step first asks for a socket.
///
/// As a supervisor of the step it sees the calls that make one. They are not refused, and nothing depends on their being
/// seen for the steps' confinement: a namespace without helper leads nowhere.
public final class WayOut: Sendable {
    /// The namespace.
    public let namespace: NetworkNamespace

    private let helpers: [NetworkHelper]
    private let cancellation: Cancellation
    private let state = Mutex<State>(.closed)

    private enum State: Sendable {
        case closed
        case open(HelperProcess)
        case failed([NetworkHelperError])
    }

    /// A new namespace, and the helpers to be tried for it, in this order.
    ///
    /// - Throws: `SandboxError` when the kernel does not give a namespace.
    public init(helpers: [NetworkHelper], cancellation: Cancellation) throws(SandboxError) {
        namespace = try NetworkNamespace()
        self.helpers = helpers
        self.cancellation = cancellation
    }

    /// Whether the way is open.
    public var isOpen: Bool {
        state.withLock { state in
            guard case .open(let process) = state else { return false }
            if process.isRunning { return true }
            state = .closed
            return false
        }
    }

    /// Why there is no way out, though a step asked for one: the reason for each helper.
    public var failures: [NetworkHelperError] {
        state.withLock { state in
            if case .failed(let errors) = state { errors } else { [] }
        }
    }

    /// Opens the way, if nobody has tried to.
    public func open() {
        state.withLock { state in
            guard case .closed = state else { return }
            let surroundings = NetworkHelper.Surroundings.current()
            var errors: [NetworkHelperError] = helpers.isEmpty ? [.missing] : []
            for helper in helpers where !cancellation.isCancelled {
                do throws(NetworkHelperError) {
                    state = .open(
                        try HelperProcess.start(helper, for: namespace, surroundings, cancellation: cancellation)
                    )
                    return
                } catch {
                    errors.append(error)
                }
            }
            state = .failed(errors)
        }
    }
}

extension WayOut: CallSupervisor {
    /// The calls that make a socket of the Internet, one that sees packets, or one that asks for interfaces and routes.
    ///
    /// Other netlink sockets are for the audit and device events, which programs ask for that use no network. A 32-bit
    /// program's `socketcall` is trapped whatever it is a socket for: its arguments are in memory.
    public var traps: [CallTrap] { Self.socketTraps }

    private static let socketTraps: [CallTrap] =
        [internet4, internet6, packet].map { CallTrap(["socket"], where: [CallTrap.lowerHalf(of: 0, is: $0)]) }
        + [
            CallTrap(
                ["socket"],
                where: [CallTrap.lowerHalf(of: 0, is: netlink), CallTrap.lowerHalf(of: 2, is: routes)]
            )
        ]

    // AF_INET, AF_INET6, AF_PACKET, AF_NETLINK, NETLINK_ROUTE (linux/socket.h, linux/netlink.h).
    private static let (internet4, internet6, packet, netlink, routes): (UInt32, UInt32, UInt32, UInt32, UInt32) =
        (2, 10, 17, 16, 0)

    /// Opens the way and lets the call proceed, also where it could not be opened: the loopback interface is there.
    public func answer(_ call: borrowing TrappedCall) -> CallAnswer {
        open()
        return .proceed
    }

    /// Opens the way at once where it cannot be known when it will be needed.
    public func mayRunUnsupervised(_ error: Errno) -> Bool {
        open()
        return true
    }
}
