import CShims
import Glibc
import SystemPackage

/// A file descriptor with several owners, closed with the last of them.
final class SharedDescriptor: Sendable {
    let number: CInt

    /// Takes a descriptor over.
    init(_ number: CInt) {
        self.number = number
    }

    deinit {
        close(number)
    }
}

/// A pipe whose ends have numbers that a helper's own descriptors do not need.
struct SharedPipe: Sendable {
    let reader: SharedDescriptor
    let writer: SharedDescriptor

    /// A pipe neither of whose ends blocks.
    init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        let failure = swb_pipe(&ends)
        guard failure == 0 else { throw Errno(rawValue: failure) }
        let low = (SharedDescriptor(ends[0]), SharedDescriptor(ends[1]))
        reader = try Self.high(low.0)
        writer = try Self.high(low.1)
        for end in [reader, writer] {
            guard fcntl(end.number, F_SETFL, O_NONBLOCK) == 0 else { throw Errno(rawValue: errno) }
        }
    }

    /// The same file under a number of 5 or above.
    static func high(_ descriptor: SharedDescriptor) throws(Errno) -> SharedDescriptor {
        let number = fcntl(descriptor.number, F_DUPFD_CLOEXEC, 5)
        guard number >= 0 else { throw Errno(rawValue: errno) }
        return SharedDescriptor(number)
    }
}
