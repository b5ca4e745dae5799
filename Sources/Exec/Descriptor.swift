import CShims
import Glibc
import SystemPackage

/// A file descriptor that is closed when nobody needs it any more.
struct Descriptor: ~Copyable {
    let number: CInt

    /// Takes a descriptor over; a negative number stands for none.
    init(_ number: CInt) {
        self.number = number
    }

    deinit {
        if number >= 0 { close(number) }
    }

    /// The same file under a number of 3 or above: those below are for the streams of the step.
    consuming func lifted() throws(Errno) -> Descriptor {
        if number >= 3 { return self }
        let lifted = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard lifted >= 0 else { throw Errno(rawValue: errno) }
        return Descriptor(lifted)
    }

    /// A pidfd of this process.
    static func ownProcess() throws(Errno) -> Descriptor {
        let number = swb_pidfd_open(getpid())
        guard number >= 0 else { throw Errno(rawValue: -number) }
        return try Descriptor(number).lifted()
    }
}

/// Pipes and files for programs that are not steps.
public enum Descriptors {
    /// The two ends of a new pipe, which no program inherits, whenever another thread starts one.
    public static func pipe() throws(Errno) -> (reader: CInt, writer: CInt) {
        var ends: [CInt] = [-1, -1]
        let failure = swb_pipe(&ends)
        guard failure == 0 else { throw Errno(rawValue: failure) }
        return (ends[0], ends[1])
    }

    /// A new file in memory, which has a name for those who look for it only, and which no program inherits.
    public static func memoryFile(_ name: String) throws(Errno) -> CInt {
        let number = swb_memory_file(name)
        guard number >= 0 else { throw Errno(rawValue: -number) }
        return number
    }
}

/// The two ends of a pipe.
struct Pipe: ~Copyable {
    let reader: Descriptor
    let writer: Descriptor

    /// A pipe whose reader does not block.
    init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        let failure = swb_pipe(&ends)
        guard failure == 0 else { throw Errno(rawValue: failure) }
        // Both are taken over before either is moved: neither is lost when that fails.
        let first = Descriptor(ends[0])
        let second = Descriptor(ends[1])
        let reader = try first.lifted()
        let writer = try second.lifted()
        guard fcntl(reader.number, F_SETFL, O_NONBLOCK) == 0 else { throw Errno(rawValue: errno) }
        self.reader = reader
        self.writer = writer
    }
}
