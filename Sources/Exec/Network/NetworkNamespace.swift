import CShims
import SystemPackage

/// A network namespace that steps join, one after the other: at first there is nothing in it but the loopback interface.
///
/// Gone with the value and the last step in it.
public final class NetworkNamespace: Sendable {
    let descriptor: SharedDescriptor

    /// Makes a namespace.
    ///
    /// - Throws: `SandboxError` when the kernel does not give one.
    public init() throws(SandboxError) {
        let result = swb_new_network()
        let doing = SandboxError.Stage.operation("make a network namespace")
        guard result >= 0 else { throw SandboxError(doing, code: -result) }
        do {
            descriptor = try SharedPipe.high(SharedDescriptor(result))
        } catch {
            throw SandboxError(doing, error)
        }
    }
}

extension NetworkNamespace: Hashable {
    /// Whether both are one namespace.
    public static func == (left: NetworkNamespace, right: NetworkNamespace) -> Bool { left === right }

    /// Feeds the identity.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
