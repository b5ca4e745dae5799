/// Why a registry did not do what it was asked for.
///
/// No part of it holds credentials, tokens, or the query of a URL.
public struct RegistryError: Error, Sendable, Hashable {
    /// The reason, with its facts.
    public enum Reason: Sendable, Hashable {
        case notImplemented
    }

    /// The reason.
    public var reason: Reason
    /// The registry that was asked, as a reference names it.
    public var registry: String
    /// What was asked of it, after `cannot`: `pull docker.io/library/busybox:latest`.
    public var action: String
    /// What mirrors said that were asked before, a sentence each.
    public var mirrors: [String] = []

    init(_ reason: Reason, registry: String, action: String) {
        self.reason = reason
        self.registry = registry
        self.action = action
    }
}

extension RegistryError: CustomStringConvertible {
    /// One sentence: what could not be done, why, and what to do.
    public var description: String { "cannot \(action)" }
}
