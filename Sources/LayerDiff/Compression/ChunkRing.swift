import Glibc

/// A bounded ring of buffers between one producer and several readers, each on its own thread.
///
/// The producer fills the buffers in turn; every reader sees each of them, in order; a buffer is filled anew when all
/// the readers are done with it. Nothing is copied, and no more than the ring's memory is ever in flight.
///
/// Unchecked because the compiler cannot see the protocol: `memory` is touched only under the lock or by the party
/// that the counters say owns the buffer.
final class ChunkRing: @unchecked Sendable {
    static let chunkSize = 512 << 10

    /// A buffer as a reader has it: how many came before it, and what is in it.
    ///
    /// Unchecked because nobody writes to the bytes until the reader gives them back.
    struct Chunk: @unchecked Sendable {
        let number: Int
        let bytes: UnsafeRawBufferPointer
    }

    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var memory: [UnsafeMutableRawBufferPointer?]
    private var counts: [Int]
    private var published = 0
    private var taken: [Int]
    private var released: [Int]
    private var isFinished = false
    private var failure: LayerError?

    init(chunks: Int, readers: Int) {
        memory = Array(repeating: nil, count: chunks)
        counts = Array(repeating: 0, count: chunks)
        taken = Array(repeating: 0, count: readers)
        released = Array(repeating: 0, count: readers)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(changed, nil)
    }

    deinit {
        for chunk in memory { chunk?.deallocate() }
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(lock)
        lock.deallocate()
        changed.deallocate()
    }

    /// For the producer: the next buffer to fill; waits until there is one.
    ///
    /// - Throws: the failure that another party reported.
    func nextFree() throws(LayerError) -> UnsafeMutableRawBufferPointer {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while failure == nil && published - (released.min() ?? 0) >= memory.count { pthread_cond_wait(changed, lock) }
        if let failure { throw failure }
        let slot = published % memory.count
        if let chunk = memory[slot] { return chunk }
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunkSize, alignment: 4096)
        memory[slot] = chunk
        return chunk
    }

    /// For the producer: hands over the buffer that ``nextFree()`` gave, with `count` bytes in it.
    func publish(_ count: Int) {
        update {
            counts[published % memory.count] = count
            published += 1
        }
    }

    /// How many buffers the slowest reader has before it.
    var waiting: Int {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return published - (released.min() ?? 0)
    }

    /// For the producer: there is no more.
    func finish() {
        update { isFinished = true }
    }

    /// For anybody: gives up; everybody else finds out at the next buffer.
    ///
    /// The first failure counts.
    func fail(_ error: LayerError) {
        update { if failure == nil { failure = error } }
    }

    /// For a reader: the next buffer, waiting until there is one; `nil` at the end.
    ///
    /// The buffer before it is given back.
    /// - Throws: the failure that another party reported.
    func next(reader: Int) throws(LayerError) -> UnsafeRawBufferPointer? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        giveBackLocked(reader: reader, before: taken[reader])
        return try takeLocked(reader: reader)?.bytes
    }

    /// For a reader made of several threads: the next buffer that none of them has had; `nil` at the end.
    ///
    /// It is filled anew only after ``giveBack(reader:before:)``.
    /// - Throws: the failure that another party reported.
    func take(reader: Int) throws(LayerError) -> Chunk? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try takeLocked(reader: reader)
    }

    /// For such a reader: gives back all buffers whose number is smaller.
    func giveBack(reader: Int, before number: Int) {
        pthread_mutex_lock(lock)
        giveBackLocked(reader: reader, before: number)
        pthread_mutex_unlock(lock)
    }

    private func takeLocked(reader: Int) throws(LayerError) -> Chunk? {
        while failure == nil && !isFinished && published == taken[reader] { pthread_cond_wait(changed, lock) }
        if let failure { throw failure }
        guard published > taken[reader] else { return nil }
        let number = taken[reader]
        let slot = number % memory.count
        taken[reader] += 1
        guard let chunk = memory[slot] else { return nil }
        return Chunk(number: number, bytes: UnsafeRawBufferPointer(rebasing: chunk[..<counts[slot]]))
    }

    private func giveBackLocked(reader: Int, before number: Int) {
        guard released[reader] < number else { return }
        released[reader] = number
        pthread_cond_broadcast(changed)
    }

    private func update(_ change: () -> Void) {
        pthread_mutex_lock(lock)
        change()
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(lock)
    }
}
