import CShims
import Glibc
import SystemPackage

/// A system call that waits for its answer.
///
/// Valid until it has been answered.
public struct TrappedCall: ~Copyable {
    /// The call's name: of the calls that a 32-bit program makes through one, that one (`socketcall`, with arguments of
    /// its own).
    public let name: String

    /// The thread that makes the call, as this process numbers it.
    public let thread: pid_t

    /// The arguments as the kernel was given them.
    public let arguments: [UInt64]

    /// Whether the call was made on the machine's own interface; a 32-bit program's structs are laid out otherwise.
    public let isNative: Bool

    private let id: UInt64
    private let listener: CInt

    init(_ notification: swb_notification, name: String, isNative: Bool, listener: CInt) {
        self.name = name
        self.isNative = isNative
        self.listener = listener
        thread = pid_t(bitPattern: notification.thread)
        let values = notification.arguments
        arguments = [values.0, values.1, values.2, values.3, values.4, values.5]
        id = notification.id
    }

    /// Whether the call still waits.
    ///
    /// A thread's number may belong to another one once it is gone: what was opened or read by the number (its memory,
    /// its descriptors) is believed only when this holds afterwards.
    public var isWaiting: Bool { swb_notify_waits(listener, id) != 0 }
}

/// What becomes of a system call that was trapped.
public enum CallAnswer: Sendable, Hashable {
    /// The kernel carries it out.
    ///
    /// No check of memory that a pointer leads to can rely on this: the kernel reads it again.
    case proceed

    /// It returns this without being carried out.
    case value(Int64)

    /// It fails with this.
    case failure(Errno)
}
