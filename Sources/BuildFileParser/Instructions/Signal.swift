/// Whether `name` is a signal of Linux: a name with or without `SIG`, `RTMIN+n`, `RTMAX-n`, or a number from 1 to 64.
public func isKnownSignal(_ name: String) -> Bool {
    if let number = Int(name) { return (1...64).contains(number) && name.utf8.allSatisfy(\.isASCIIDigit) }
    var signal = name.asciiUppercased
    if signal.hasPrefix("SIG") { signal.removeFirst(3) }
    if knownSignals.contains(signal) { return true }
    return isRealTimeSignal(signal, prefix: "RTMIN+", limit: 15)
        || isRealTimeSignal(signal, prefix: "RTMAX-", limit: 14)
}

/// What to say beside a word that is no signal: the one that it may stand for, or what a signal is.
public func expectedSignal(instead name: String) -> [String] {
    let names = knownSignals.sorted().map { "SIG\($0)" }
    let wanted = name.asciiUppercased
    let near = suggestion(for: wanted.hasPrefix("SIG") ? wanted : "SIG\(wanted)", among: names)
    return near.map { ["did you mean `\($0)`?"] } ?? ["expected a name such as SIGTERM or a number from 1 to 64"]
}

private func isRealTimeSignal(_ signal: String, prefix: String, limit: Int) -> Bool {
    guard signal.hasPrefix(prefix) else { return false }
    let number = signal.dropFirst(prefix.count)
    guard number.utf8.allSatisfy(\.isASCIIDigit), let value = Int(number) else { return false }
    return (1...limit).contains(value)
}

/// signal(7).
private let knownSignals: [String] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL",
    "PROF", "PWR", "QUIT", "RTMAX", "RTMIN", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU",
    "UNUSED", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
]
