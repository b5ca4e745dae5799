import Exec
import Synchronization

/// Says of each thing that sandboxes have to do in a weaker way that it is so, and why: once in a build.
final class CompromiseNotes: Sendable {
    private let told = Mutex<Compromises>([])

    /// The sentences for what was not told before.
    func sentences(for found: Compromises) -> [String] {
        let fresh = told.withLock { told in
            defer { told.formUnion(found) }
            return found.subtracting(told)
        }
        return Self.texts.filter { fresh.contains($0.compromise) }.map(\.text)
    }

    private static let texts: [(compromise: Compromises, text: String)] = [
        (
            .swap,
            "secrets of steps may be swapped out: the kernel has no tmpfs without swap here (it takes Linux 6.4, and root)"
        ),
        (.hostSystemInformation, "steps see the machine's own /sys, read-only: the kernel does not let them have one"),
        (
            .sharedKeyring,
            "steps share the session keyring that swbuild has: a system call filter around swbuild forbids another one"
        ),
        (
            .movedRoot,
            "the root of steps is moved over that of the machine, since an initial RAM file system cannot be left"
        ),
        (
            .openContext,
            """
            sockets and pipes of the context lead to programs of the machine where it is mounted: its file system, or \
            another one mounted in it, cannot be a layer, or the state directory lies in it
            """
        ),
    ]
}
