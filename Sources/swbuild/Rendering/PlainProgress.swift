import BuildFileParser
import Builder
import Synchronization

/// One line for each thing that happens, prefixed with the step's number.
final class PlainProgress: ProgressSink {
    private let started = Mutex<[Int: String]>([:])

    func emit(_ event: ProgressEvent) {
        switch event {
        case .started(let step, let name):
            started.withLock { $0[step] = name }
            Console.note("#\(step + 1) \(Self.firstLine(name))")
        case .missed(let step, let reason): Console.note("#\(step + 1) not cached: \(reason)")
        case .output(let step, let line): Console.note("#\(step + 1) | \(line)")
        case .finished(let step, true, _, _): Console.note("#\(step + 1) CACHED")
        case .finished(let step, false, let seconds, _): Console.note("#\(step + 1) DONE \(Self.time(seconds))")
        case .failed(let step, _): Console.note("#\(step + 1) ERROR")
        // Shown together at the end.
        case .finding: break
        case .status: break
        case .warning(let warning): Console.note(Self.line(of: warning))
        case .note(let text): Console.note(text)
        case .times(let times):
            // With every step from the cache there is nothing to tell.
            if !times.steps.isEmpty { Console.note(TimesTable.text(times)) }
        }
    }

    /// A warning that belongs to no place of the file, as one line.
    static func line(of warning: Diagnostic) -> String {
        (["warning: \(warning.message)"] + warning.notes).joined(separator: "; ")
    }

    /// The first line of a text, marked where there are more.
    static func firstLine(_ text: String) -> String {
        guard let end = text.firstIndex(where: \.isNewline) else { return text }
        return text[..<end] + " …"
    }

    /// Seconds with two or three digits that say something.
    static func time(_ seconds: Double) -> String {
        let milliseconds = Int((seconds * 1000).rounded())
        if milliseconds < 1000 { return "\(milliseconds)ms" }
        return "\(milliseconds / 1000).\(milliseconds % 1000 / 100)s"
    }
}
