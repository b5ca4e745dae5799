import Builder
import Glibc
import Synchronization

/// For a terminal: a line for each finished step, and one that changes for what runs.
final class TerminalProgress: ProgressSink {
    private struct State {
        var names: [Int: String] = [:]
        var reasons: [Int: String] = [:]
        var running: [Int] = []
        var lastOutput = ""
        /// How far something is that belongs to no step.
        var status: String?
        var isStatusShown = false
    }

    private let state = Mutex(State())

    func emit(_ event: ProgressEvent) {
        state.withLock { state in
            switch event {
            case .started(let step, let name):
                state.names[step] = PlainProgress.firstLine(name)
                state.running.append(step)
            case .missed(let step, let reason): state.reasons[step] = reason
            case .output(_, let line): state.lastOutput = line
            case .finished(let step, let cached, let seconds, _):
                let time = cached ? "CACHED" : PlainProgress.time(seconds)
                Self.finish(step, with: " => \(state.names[step] ?? "")  \(time)", &state)
            case .failed(let step, _):
                Self.finish(step, with: " => \(state.names[step] ?? "")  ERROR", &state)
            case .finding, .times: break
            case .warning(let warning): Self.print(PlainProgress.line(of: warning), &state)
            case .status(nil, let text): state.status = text
            case .status(_, let text): state.lastOutput = text
            case .note(let text):
                state.status = nil
                Self.print(text, &state)
            }
            Self.showStatus(&state)
        }
    }

    /// Removes the line that changes.
    func finish() {
        state.withLock { Self.clear(&$0) }
    }

    private static func finish(_ step: Int, with line: String, _ state: inout State) {
        state.running.removeAll { $0 == step }
        state.lastOutput = ""
        print(line, &state)
        if let reason = state.reasons.removeValue(forKey: step) { print("      not cached: \(reason)", &state) }
    }

    private static func print(_ line: String, _ state: inout State) {
        clear(&state)
        Console.note(line)
    }

    private static func clear(_ state: inout State) {
        guard state.isStatusShown else { return }
        Console.write("\r\u{1B}[K", to: 2)
        state.isStatusShown = false
    }

    private static func showStatus(_ state: inout State) {
        clear(&state)
        var text = state.status.map { "    \($0)" }
        if let step = state.running.first {
            let more = state.running.count > 1 ? " (and \(state.running.count - 1) more)" : ""
            text = "    \(state.names[step] ?? "")\(more) \(state.lastOutput)"
        }
        guard let text else { return }
        let plain = text.unicodeScalars.filter { $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) }
        Console.write(String(String.UnicodeScalarView(plain.prefix(max(20, width - 1)))), to: 2)
        state.isStatusShown = true
    }

    private static var width: Int {
        var size = winsize()
        return ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}
