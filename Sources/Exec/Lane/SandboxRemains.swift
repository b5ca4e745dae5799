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
    private let keeper = NamespaceKeeper()

    /// Nothing is left of anything yet.
    public init() {}

    deinit { keeper.close() }

    /// Waits until all that has been left by now is gone.
    public func wait() { keeper.wait() }

    /// Holds the mounts of a process that is alive, where the kernel and this machine allow it (Linux 6.11).
    func hold(mountsOf process: pid_t) -> Held { Held(keeper: keeper, number: keeper.hold(process)) }

    /// Mounts that are held as long as this is there.
    struct Held: ~Copyable {
        fileprivate let keeper: NamespaceKeeper
        fileprivate let number: Int?

        deinit {
            if let number { keeper.letGo(number) }
        }
    }
}

/// A thread that holds namespaces.
///
/// Its descriptors are its own: a child that another thread starts has a copy of that one's descriptors for a moment, and a
/// namespace goes with the last of them.
private final class NamespaceKeeper: Sendable {
    private let state = Mutex(State())
    /// Counts what is in `State.queue`, and one more when the thread is to end.
    private let work = Semaphore()

    private enum Job {
        /// For which holding, and whose mounts.
        case hold(Int, pid_t)
        case letGo(Int)
    }

    private struct State {
        var queue: [Job] = []
        /// How many holdings there have been.
        var held = 0
        /// How many were to end, and how many have.
        var released = 0
        var gone = 0
        var waiting: [(count: Int, end: Semaphore)] = []
        var hasThread = false
    }

    /// The number of the holding; none without a thread.
    func hold(_ process: pid_t) -> Int? {
        let number: Int? = state.withLock { state in
            state.hasThread = state.hasThread || DetachedThread.start { [self] in run() } == 0
            guard state.hasThread else { return nil }
            state.held += 1
            state.queue.append(.hold(state.held, process))
            return state.held
        }
        if number != nil { work.signal() }
        return number
    }

    func letGo(_ number: Int) {
        state.withLock { state in
            state.queue.append(.letGo(number))
            state.released += 1
        }
        work.signal()
    }

    func wait() {
        let end: Semaphore? = state.withLock { state in
            guard state.gone < state.released else { return nil }
            let end = Semaphore()
            state.waiting.append((state.released, end))
            return end
        }
        end?.wait()
    }

    func close() { work.signal() }

    private func run() {
        let hasOwnDescriptors = swb_leave_descriptors() == 0
        var namespaces: [Int: CInt] = [:]
        while true {
            work.wait()
            guard let job = state.withLock({ $0.queue.isEmpty ? nil : $0.queue.removeFirst() }) else { return }
            switch job {
            case .hold(let number, let process):
                // A process that is gone by now has taken its mounts with it.
                let namespace = hasOwnDescriptors ? swb_mount_namespace(process) : -1
                if namespace >= 0 { namespaces[number] = namespace }
            case .letGo(let number):
                if let namespace = namespaces.removeValue(forKey: number) { _ = Glibc.close(namespace) }
                noteGone()
            }
        }
    }

    private func noteGone() {
        let ended = state.withLock { state in
            state.gone += 1
            let ended = state.waiting.filter { $0.count <= state.gone }
            state.waiting.removeAll { $0.count <= state.gone }
            return ended
        }
        for waiting in ended { waiting.end.signal() }
    }
}
