import Glibc

/// Which of several pieces of work have ended, for those who need the ones before theirs.
///
/// Unchecked because the compiler cannot see that all state is touched under the lock.
final class Milestones: @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    /// Whether each ended well; `nil` where it has not ended.
    private var ends: [Bool?]

    init(count: Int) {
        ends = Array(repeating: nil, count: count)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(lock)
        lock.deallocate()
        changed.deallocate()
    }

    /// Notes the end of one.
    func reach(_ position: Int, isGood: Bool) {
        pthread_mutex_lock(lock)
        ends[position] = isGood
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(lock)
    }

    /// Waits for the first `count`: whether all of them ended well.
    func wait(forFirst count: Int) -> Bool {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while ends[..<count].contains(where: { $0 == nil }) { pthread_cond_wait(changed, lock) }
        return ends[..<count].allSatisfy { $0 == true }
    }
}
