import Glibc

/// A lock, and what threads wait for while they hold it.
///
/// For state that one thread waits for another to change; a `Mutex` alone has no way to wait. Unchecked because the
/// compiler cannot see that the C library synchronises what threads do with it.
public final class Monitor: @unchecked Sendable {
    // Their addresses must stay the same.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    /// A monitor that nobody holds.
    public init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Waits until nobody else holds it.
    public func lock() { pthread_mutex_lock(mutex) }

    /// Lets go of it.
    public func unlock() { pthread_mutex_unlock(mutex) }

    /// Lets go of it, waits until somebody tells of a change, and holds it again; it may also come back without one.
    public func wait() { pthread_cond_wait(changed, mutex) }

    /// Tells one of those who wait.
    public func signal() { pthread_cond_signal(changed) }

    /// Tells all who wait.
    public func broadcast() { pthread_cond_broadcast(changed) }
}
