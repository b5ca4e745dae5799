/// Takes the body of an answer: in memory and bounded, whether it's what was asked for or tells of an error.
class AnswerBody: HTTPBodySink {
    /// More of an error nobody reads.
    static let largestError = 64 << 10

    /// Why the body was not taken to its end.
    var stop: RegistryFailure?
    private(set) var bytes: [UInt8] = []
    private let limit: Int

    init(limit: Int = 0) { self.limit = limit }

    /// The fields of the next request that depend on what has arrived before.
    var resumption: [HTTPField] { [] }

    /// How much has arrived over all connections: a connection that brought something was not in vain.
    var progress: Int64 { 0 }

    /// Prepares for a further answer.
    func begin() {
        stop = nil
        bytes = []
    }

    final func receive(_ piece: UnsafeRawBufferPointer, of head: HTTPHead) -> Bool {
        if head.isSuccess { return take(piece, of: head) }
        // What redirects and refusals say is cut, not refused.
        bytes += piece.prefix(Self.largestError - bytes.count)
        return bytes.count < Self.largestError
    }

    /// Takes a piece of the body of a successful answer.
    func take(_ piece: UnsafeRawBufferPointer, of head: HTTPHead) -> Bool {
        guard piece.count <= limit - bytes.count else {
            stop = RegistryFailure(.tooLarge(limit: Int64(limit)))
            return false
        }
        bytes += piece
        return true
    }

    /// Sees whether a successful answer was whole; called when it is over.
    func finish(_ head: HTTPHead) -> RegistryFailure? { nil }
}

/// Hands the body of an answer on to a blob's sink, from where that stands.
final class BlobBody: AnswerBody {
    private let sink: any BlobSink
    private let size: Int64
    /// How many bytes the sink has.
    private var position: Int64
    /// How many bytes of this answer the sink has already.
    private var skip: Int64 = 0
    private var isDecided = false
    private var avoidsRange = false

    init(_ sink: any BlobSink, size: Int64) {
        self.sink = sink
        self.size = size
        position = sink.received
    }

    override var progress: Int64 { position }

    /// Source: RFC 9110, section 14.2. A blob is named by its content, so no validator is needed (section 13.1.5).
    override var resumption: [HTTPField] {
        position > 0 && !avoidsRange ? [HTTPField(name: "Range", value: "bytes=\(position)-")] : []
    }

    override func begin() {
        super.begin()
        isDecided = false
        skip = 0
    }

    override func take(_ piece: UnsafeRawBufferPointer, of head: HTTPHead) -> Bool {
        guard decide(head) else { return false }
        let skipped = min(skip, Int64(piece.count))
        skip -= skipped
        let rest = UnsafeRawBufferPointer(rebasing: piece.dropFirst(Int(skipped)))
        guard !rest.isEmpty else { return true }
        guard Int64(rest.count) <= size - position else {
            return refuse(RegistryFailure(.wrongSize(expected: size, actual: position + Int64(rest.count))))
        }
        guard sink.receive(rest) else { return refuse(RegistryFailure(.stoppedBySink)) }
        position += Int64(rest.count)
        return true
    }

    override func finish(_ head: HTTPHead) -> RegistryFailure? {
        guard decide(head) else { return stop }
        guard position < size else { return nil }
        // A server may give less of a range than was asked for, but not less of the whole.
        return RegistryFailure(.wrongSize(expected: size, actual: position), mayPass: head.status == 206)
    }

    /// A range that the server does not know: the whole is asked for, and what is there already is left out.
    func giveUpRanges() -> Bool {
        guard position > 0, !avoidsRange else { return false }
        avoidsRange = true
        return true
    }

    /// Sees which part of the blob an answer brings.
    private func decide(_ head: HTTPHead) -> Bool {
        guard !isDecided else { return stop == nil }
        isDecided = true
        switch head.status {
        case 206:
            guard let part = ContentRange(head) else { return refuse(.malformed("a part without Content-Range")) }
            guard part.first <= position, part.first >= 0 else {
                return refuse(.malformed("it sent the part from byte \(part.first) in place of \(position)"))
            }
            if let total = part.total, total != size { return refuse(.wrongSize(expected: size, actual: total)) }
            skip = position - part.first
        case 200:
            // The server may not know ranges, and send all.
            skip = position
            if let length = head.value(of: "Content-Length").flatMap({ Int64($0) }), length != size {
                return refuse(.wrongSize(expected: size, actual: length))
            }
        default: return refuse(.malformed("status \(head.status) for a blob"))
        }
        return true
    }

    private func refuse(_ reason: RegistryError.Reason) -> Bool { refuse(RegistryFailure(reason)) }

    private func refuse(_ failure: RegistryFailure) -> Bool {
        stop = failure
        return false
    }
}

/// A Content-Range field: `bytes 5-9/10`.
///
/// Source: RFC 9110, section 14.4.
struct ContentRange: Hashable {
    let first: Int64
    /// The size of the whole, where the server knows it.
    let total: Int64?

    init?(_ head: HTTPHead) {
        guard let value = head.value(of: "Content-Range"), value.lowercased().hasPrefix("bytes ") else { return nil }
        let parts = value.dropFirst("bytes ".count).split(separator: "/", maxSplits: 1)
        guard let first = parts.first.flatMap({ Int64($0.prefix { $0 != "-" }) }) else { return nil }
        self.first = first
        total = parts.count == 2 ? Int64(parts[1]) : nil
    }
}

/// A blob's bytes in memory.
final class MemorySink: BlobSink {
    private(set) var bytes: [UInt8] = []
    var received: Int64 { Int64(bytes.count) }

    func receive(_ piece: UnsafeRawBufferPointer) -> Bool {
        bytes += piece
        return true
    }
}
