import CShims
import Synchronization

/// Unpacks on a thread of its own that can change nothing outside of one directory, where the kernel has Landlock.
///
/// A further fence: names are resolved beneath descriptors anyway (``Directory``), and nothing is known that would lead
/// out. It holds against a mistake in that, not against somebody who has taken over the process, whose other threads are
/// free.
enum Fence {
    /// Runs `body` on a fenced thread; `nil` for a directory means that nothing may be created, removed or opened for
    /// writing anywhere.
    ///
    /// - Throws: what `body` throws, or ``LayerError`` when the system gives no thread.
    static func run<Value: Sendable>(
        writingBeneath directory: Directory?,
        _ body: @escaping @Sendable () throws(LayerError) -> Value
    ) throws(LayerError) -> Value {
        let thread = try WorkerThread<Result<Value, LayerError>> {
            // Older kernels have no such fence, and neither do those that are told so.
            _ = cshims_fence_writes(directory?.rawDescriptor ?? -1)
            return Result { () throws(LayerError) in try body() }
        }
        return try thread.result()
    }

    /// The same for what may have to look into the layers below.
    ///
    /// These are unpacked when they are first looked into, which a fenced thread cannot do: the calling one does it.
    static func run<Value: Sendable>(
        writingBeneath directory: Directory?,
        _ options: ApplyOptions,
        _ body: @escaping @Sendable (ApplyOptions) throws(LayerError) -> Value
    ) throws(LayerError) -> Value {
        let outside = Outside()
        let lower = LowerSeenFromInside(options.lower, outside)
        let thread = try WorkerThread<Result<Value, LayerError>> {
            defer { outside.end() }
            _ = cshims_fence_writes(directory?.rawDescriptor ?? -1)
            var fenced = options
            fenced.lower = { lower.stack() }
            return Result { () throws(LayerError) in try body(fenced) }
        }
        outside.serve()
        return try thread.result()
    }
}

/// The layers below, asked for once and unpacked outside.
private final class LowerSeenFromInside: Sendable {
    private let ask: @Sendable () -> LayerStack?
    private let outside: Outside
    private let known = Mutex<LayerStack??>(nil)

    init(_ ask: @escaping @Sendable () -> LayerStack?, _ outside: Outside) {
        self.ask = ask
        self.outside = outside
    }

    func stack() -> LayerStack? {
        known.withLock { known in
            if let known { return known }
            let found = outside.perform(ask) ?? nil
            let stack = found.map { LayerStack($0.layers.map(seenFromInside)) }
            known = stack
            return stack
        }
    }

    private func seenFromInside(_ layer: LayerStack.Layer) -> LayerStack.Layer {
        LayerStack.Layer(index: layer.index) { [outside] in
            guard let result = outside.perform({ Result { try layer.directory() } }) else {
                throw LayerError(.resources(what: "threads"))
            }
            return try result.get()
        }
    }
}

/// The thread outside of a fence, which does for the one inside what that may not do.
///
/// Unchecked because the compiler cannot see that all state is touched under the monitor.
private final class Outside: @unchecked Sendable {
    private let monitor = Monitor()
    private var work: (() -> Void)?
    private var isOver = false

    /// For the thread inside: has `body` run outside, and waits for what it returns.
    func perform<Value>(_ body: @escaping () -> Value) -> Value? {
        var result: Value?
        monitor.lock()
        defer { monitor.unlock() }
        work = { result = body() }
        monitor.broadcast()
        while work != nil, !isOver { monitor.wait() }
        return result
    }

    /// For the thread inside: there is no more to do.
    func end() {
        monitor.lock()
        isOver = true
        monitor.broadcast()
        monitor.unlock()
    }

    /// For the thread outside: does what is asked for until the other ends.
    func serve() {
        monitor.lock()
        defer { monitor.unlock() }
        while !isOver {
            if let next = work {
                monitor.unlock()
                next()
                monitor.lock()
                work = nil
                monitor.broadcast()
            } else {
                monitor.wait()
            }
        }
    }
}
