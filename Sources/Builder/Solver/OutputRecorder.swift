import Exec
import Glibc
import LayerDiff
import OCI

/// Writes a step's output to its log as it comes, and to the progress line by line.
struct OutputRecorder {
    private var log: StepLog
    private let step: Int
    private let progress: any ProgressSink
    private var lines: [LineSplitter] = [LineSplitter(), LineSplitter()]
    private(set) var tail: [String] = []
    /// The first write that failed.
    private(set) var failure: HostFileError?
    private static let tailLength = 20

    init(log: StepLog, step: Int, progress: any ProgressSink) {
        self.log = log
        self.step = step
        self.progress = progress
    }

    mutating func add(_ bytes: UnsafeRawBufferPointer, from stream: OutputStream) {
        do {
            try log.write(Array(bytes)[...])
        } catch {
            failure = failure ?? error
        }
        var found: [String] = []
        lines[stream == .standardOutput ? 0 : 1].add(bytes) { found.append($0) }
        take(found)
    }

    mutating func finish() {
        var found: [String] = []
        for index in lines.indices { lines[index].finish { found.append($0) } }
        take(found)
    }

    /// Sees to it that there is a log, if only an empty one.
    mutating func createLog() {
        do {
            try log.write([])
        } catch {
            failure = failure ?? error
        }
    }

    private mutating func take(_ found: [String]) {
        for line in found { progress.emit(.output(step: step, line: line)) }
        tail = (tail + found.suffix(Self.tailLength)).suffix(Self.tailLength)
    }
}

/// The file with all that a step writes; there is none of a step that is silent and ends well.
struct StepLog {
    let path: String
    private var file: OwnedDescriptor?

    init(path: String) { self.path = path }

    mutating func write(_ bytes: ArraySlice<UInt8>) throws(HostFileError) {
        let file: OwnedDescriptor
        if let known = self.file {
            file = known
        } else {
            let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw HostFileError("create the log", path, code: errno) }
            file = OwnedDescriptor(owning: descriptor, path: path)
            self.file = file
        }
        try HostFile.write(bytes, descriptor: file.raw, named: path)
    }
}
