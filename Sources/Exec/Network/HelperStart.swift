import Glibc

/// What is heard of a helper from its start until it is ready.
struct HelperStart {
    let ready: SharedDescriptor
    let report: SharedDescriptor
    let errors: SharedDescriptor

    /// How long a helper may take, in seconds: on a machine that does much else, too.
    private static let patience = 20
    private static let wordsLimit = 4096

    /// Returns when the helper is ready.
    func wait(for helper: NetworkHelper, _ cancellation: Cancellation) throws(NetworkHelperError) {
        let name = helper.kind.rawValue
        let deadline = Self.now() + Self.patience * 1000
        var words: [UInt8] = []
        var polled = [ready.number, report.number, errors.number, cancellation.event].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while true {
            let left = deadline - Self.now()
            guard left > 0 else { throw .late(name, Self.patience) }
            let most = cancellation.event < 0 ? min(left, 100) : left
            if poll(&polled, nfds_t(polled.count), CInt(most)) < 0, errno != EINTR { throw .late(name, 0) }
            if cancellation.isCancelled { throw .cancelled }
            if polled[2].revents != 0, !hear(&words) { polled[2].fd = -1 }
            if polled[0].revents != 0 {
                var byte: UInt8 = 0
                if read(ready.number, &byte, 1) == 1, helper.readiness == .byte { return }
                polled[0].fd = -1
            }
            guard polled[1].revents != 0 else { continue }
            var status: CInt = 0
            let isTold = read(report.number, &status, MemoryLayout<CInt>.size) == MemoryLayout<CInt>.size
            let ending = isTold ? ExitStatus(waitStatus: status) : nil
            if ending == .exited(0), helper.readiness == .background { return }
            while hear(&words) {}
            throw .ended(name, ending, Self.lastLine(of: words))
        }
    }

    /// Takes what the helper has written; false when there was nothing.
    private func hear(_ words: inout [UInt8]) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = read(errors.number, &buffer, buffer.count)
        guard count > 0 else { return false }
        words = (words + buffer[..<count]).suffix(Self.wordsLimit)
        return true
    }

    /// The last line that says something: pasta also says that there is no system log.
    static func lastLine(of words: [UInt8]) -> String {
        let lines = String(decoding: words, as: UTF8.self).split(separator: "\n").filter {
            !$0.hasPrefix("Failed to send") && $0.contains { !$0.isWhitespace }
        }
        return lines.last.map { String($0.prefix(300)) } ?? ""
    }

    /// CLOCK_MONOTONIC in milliseconds.
    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
