import Glibc

/// A counter that threads wait for (sem_overview(7)).
final class Semaphore: Sendable {
    // Its address must stay the same, and the C library synchronises what threads do with it.
    nonisolated(unsafe) private let value = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    /// A counter at 0.
    init() { sem_init(value, 0, 0) }

    deinit {
        sem_destroy(value)
        value.deallocate()
    }

    /// Waits until the counter is above 0, and takes one off.
    func wait() {
        while sem_wait(value) != 0, errno == EINTR {}
    }

    /// Adds one.
    func signal() { sem_post(value) }
}
