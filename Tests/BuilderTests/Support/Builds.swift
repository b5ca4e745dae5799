import Exec
import OCI
import Store
import Synchronization

@testable import Builder

/// Keeps what a build tells.
final class Recorder: ProgressSink {
    private let events = Mutex<[ProgressEvent]>([])

    func emit(_ event: ProgressEvent) { events.withLock { $0.append(event) } }

    /// Why steps were not in the cache.
    var reasons: [String] {
        events.withLock { events in
            events.compactMap { event in
                if case .missed(_, let reason) = event { reason } else { nil }
            }
        }
    }
}

/// What a build came to: the image, and which steps ran.
struct Built {
    var result: BuildResult
    var reasons: [String]

    var digest: Digest { result.image.descriptor.digest }
    var diffIDs: [DiffID] { result.image.config.diffIDs }
    /// The steps that were not in the cache, by their instructions.
    var ran: [String] { result.steps.filter { !$0.isCached }.map(\.display.instruction) }
    var history: [HistoryEntry] { result.image.config.history }
}

extension Scratch {
    /// Builds in the state directory `root` from the context `context`, as a process of its own would.
    func build(
        _ text: String,
        root: String = "root",
        context: String = "context",
        trace: Trace = .off,
        _ change: (inout BuildRequest) throws -> Void = { _ in }
    ) async throws -> Built {
        var request = BuildRequest()
        request.buildFile = Array(text.utf8)
        request.contextPath = "\(path)/\(context)"
        request.jobs = 2
        try change(&request)
        let recorder = Recorder()
        let builder = ImageBuilder(
            store: try Store(root: "\(path)/\(root)"),
            progress: recorder,
            cancellation: Cancellation(),
            trace: trace
        )
        return Built(result: try await builder.build(request), reasons: recorder.reasons)
    }
}
