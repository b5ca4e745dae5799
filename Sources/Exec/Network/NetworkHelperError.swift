import SystemPackage

/// Why a helper does not give a network namespace a way out.
public enum NetworkHelperError: Error, Sendable, Hashable {
    /// There is none on this machine.
    case missing
    /// It could not be started.
    case start(String, Errno)
    /// It ended before it was ready: how, and the last thing it said.
    case ended(String, ExitStatus?, String)
    /// It was not ready in time, this many seconds.
    case late(String, Int)
    /// The build was cancelled meanwhile.
    case cancelled
}

extension NetworkHelperError: CustomStringConvertible {
    /// What is the matter.
    public var description: String {
        switch self {
        case .missing: "neither slirp4netns nor pasta is installed"
        case .start(let name, let code): "cannot start \(name): \(code)"
        case .ended(let name, let status, let words):
            "\(name) \(Self.describe(status))\(words.isEmpty ? "" : ": \(words)")"
        case .late(let name, let seconds): "\(name) was not ready after \(seconds) seconds"
        case .cancelled: "the build was cancelled while it was made"
        }
    }

    private static func describe(_ status: ExitStatus?) -> String {
        switch status {
        case .exited(127): "could not be executed"
        case .exited(let code): "ended with status \(code)"
        case .signaled(let signal): "was ended by signal \(signal)"
        case nil: "ended"
        }
    }
}
