import BuildFileParser
import Builder
import Exec
import OCI
import Synchronization

/// Shows a build's progress and turns its errors into text and an exit status.
final class BuildReporter {
    let sink: any ProgressSink
    private let terminal: TerminalProgress?
    private let findings: FindingCollector
    private let style: ProgressStyle
    /// The build file's name and bytes, for messages that quote it.
    var sourceName = ""
    var source: [UInt8] = []
    /// Where the error was, which says more than a finding at the same words.
    private var errorRange: SourceRange?

    init(style: ProgressStyle) {
        self.style = style.resolved
        let progress: any ProgressSink
        switch style.resolved {
        case .auto:
            let terminal = TerminalProgress()
            self.terminal = terminal
            progress = terminal
        case .plain: (terminal, progress) = (nil, PlainProgress())
        case .rawjson: (terminal, progress) = (nil, JSONProgress())
        case .quiet: (terminal, progress) = (nil, NoProgress())
        }
        findings = FindingCollector(before: progress)
        sink = findings
    }

    /// Whether it shows what the time went to.
    var showsTimes: Bool {
        switch style {
        case .plain, .rawjson: true
        case .auto, .quiet: false
        }
    }

    /// Ends the progress: what follows is on lines of its own.
    func finish() { terminal?.finish() }

    /// Writes what the checks found: after everything else, so that it is seen.
    func reportFindings() {
        switch style {
        case .quiet, .rawjson: return
        case .auto, .plain: break
        }
        let renderer = DiagnosticRenderer(fileName: sourceName, source: source, color: Console.hasColor)
        for diagnostic in findings.all.map(\.diagnostic) where errorRange == nil || diagnostic.range != errorRange {
            Console.write(renderer.render(diagnostic, as: .warning), to: 2)
        }
    }

    /// Writes what went wrong, and gives the exit status that says so.
    func report(_ error: any Error) -> Int32 {
        switch error {
        case let error as BuildError: return report(error)
        case let error as MalformedOption:
            Console.note("swbuild: \(error)")
            return 64
        default:
            Console.note("swbuild: \(error)")
            return 1
        }
    }

    private func report(_ error: BuildError) -> Int32 {
        switch error {
        case .cancelled:
            Console.note("swbuild: the build was interrupted; finished steps are kept")
            return Signals.exitStatus
        case .diagnostic(let diagnostic): Console.note(render(diagnostic))
        case .command(let failure):
            Console.note(text(of: failure))
            return Self.status(of: failure.status)
        case .step(let display, let error):
            let problem = error as? StepProblem
            let range = problem?.range ?? display.range
            Console.note(render(Diagnostic(problem?.message ?? "\(error)", at: range, notes: problem?.notes ?? [])))
            if range == nil { Console.note("note: in the step \(PlainProgress.firstLine(display.name))") }
        case .general(let error as MalformedOption):
            Console.note("swbuild: \(error)")
            return 64
        case .general(let error as MalformedIgnoreFile):
            let file = DiagnosticRenderer(fileName: error.file.name, source: error.file.bytes, color: Console.hasColor)
            Console.note(String(file.render(error.diagnostic).dropLast()))
        case .general(let error): Console.note("swbuild: \(error)")
        }
        return 1
    }

    private func render(_ diagnostic: Diagnostic) -> String {
        guard diagnostic.range != nil else {
            return (["swbuild: \(diagnostic.message)"] + diagnostic.notes.map { "note: \($0)" }).joined(separator: "\n")
        }
        errorRange = diagnostic.range
        let renderer = DiagnosticRenderer(fileName: sourceName, source: source, color: Console.hasColor)
        return String(renderer.render(diagnostic).dropLast())
    }

    private func text(of failure: CommandFailure) -> String {
        let how: String
        switch failure.status {
        case .exited(let code): how = "failed with exit code \(code)"
        case .signaled(let signal): how = "was ended by signal \(signal)"
        }
        var lines = [render(Diagnostic("the command \(how)", at: failure.display.range))]
        if failure.display.range == nil { lines.append("in the step \(failure.display.name)") }
        if !failure.tail.isEmpty {
            lines.append("the last lines of its output:")
            lines += failure.tail.map { "  \($0)" }
        }
        lines += failure.notes.map { "note: \($0)" }
        lines.append("the complete output is in \(failure.logPath)")
        return lines.joined(separator: "\n")
    }

    private static func status(of status: ExitStatus) -> Int32 {
        switch status {
        case .exited(let code): code == 0 ? 1 : code
        case .signaled(let signal): 128 + signal
        }
    }
}

/// Keeps what the checks find until the end of the build.
private final class FindingCollector: ProgressSink {
    private let next: any ProgressSink
    private let findings = Mutex<[Finding]>([])

    init(before next: any ProgressSink) {
        self.next = next
    }

    var all: [Finding] { findings.withLock { $0 } }

    func emit(_ event: ProgressEvent) {
        if case .finding(let finding) = event { findings.withLock { $0.append(finding) } }
        next.emit(event)
    }
}

/// Shows nothing but warnings of the command line, which would otherwise go unseen.
private final class NoProgress: ProgressSink {
    func emit(_ event: ProgressEvent) {
        if case .warning(let warning) = event { Console.note(PlainProgress.line(of: warning)) }
    }
}
