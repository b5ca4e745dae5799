import CShims
import Glibc
import Synchronization

/// What is left of sandboxes whose processes have all ended: their mounts.
///
/// The kernel takes the mounts of a namespace away before it tells that the last process has ended, which takes about as
/// long as ending the processes. So the namespace is held until then and let go of on a thread beside: only a step that
/// mounts layers on top of those that were written there has to wait for it (overlayfs.rst: directories that are in use
/// by another mount).
public final class SandboxRemains: Sendable {
    private let worker = RemovalWorker()

    /// Nothing is left of anything yet.
    public init() {}

    deinit { worker.close() }

    /// Waits until all that has been left is gone.
    public func wait() { worker.wait() }

    /// The mounts of a process that is alive; none where the kernel cannot tell (before Linux 6.11).
    static func mounts(of process: borrowing Descriptor) -> Descriptor {
        Descriptor(max(swb_mount_namespace(process.number), -1))
    }

    /// Takes mounts over that no process uses any more.
    func take(_ mounts: consuming Descriptor) {
        if mounts.number >= 0 { worker.take(mounts) }
    }
}

/// The thread that lets go of namespaces.
private final class RemovalWorker: Sendable {
    private let state = Mutex(State())
    /// Counts what is in `State.queue`, and one more when the thread is to end.
    private let work = Semaphore()

    private struct State {
        /// Descriptors of namespaces, this worker's own.
        var queue: [CInt] = []
        /// What was taken over and is not gone.
        var count = 0
        var waiting: [Semaphore] = []
        var hasThread = false
    }

    func take(_ mounts: consuming Descriptor) {
        let hasThread = state.withLock { state in
            state.hasThread = state.hasThread || DetachedThread.start { [self] in run() }
            return state.hasThread
        }
        // Without a thread they go at once, with the parameter.
        guard hasThread else { return }
        let number = mounts.release()
        state.withLock { state in
            state.queue.append(number)
            state.count += 1
        }
        work.signal()
    }

    func wait() {
        let end: Semaphore? = state.withLock { state in
            guard state.count > 0 else { return nil }
            let end = Semaphore()
            state.waiting.append(end)
            return end
        }
        end?.wait()
    }

    func close() { work.signal() }

    private func run() {
        while true {
            work.wait()
            guard let number = state.withLock({ $0.queue.isEmpty ? nil : $0.queue.removeFirst() }) else { return }
            _ = Glibc.close(number)
            let ended: [Semaphore] = state.withLock { state in
                state.count -= 1
                guard state.count == 0 else { return [] }
                defer { state.waiting = [] }
                return state.waiting
            }
            for semaphore in ended { semaphore.signal() }
        }
    }
}
