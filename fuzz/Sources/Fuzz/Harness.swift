import Glibc

/// One reader and what must hold for whatever it is given.
enum Harness: String, CaseIterable {
    case parser, expansion, pattern, ignore, json, reference, tar, archive, index

    /// What this process fuzzes: set once, before libFuzzer begins, whose callback carries no context.
    nonisolated(unsafe) static var chosen = Harness.parser

    /// Gives `input` to the reader; ends the process where something does not hold.
    func run(_ input: [UInt8]) {
        switch self {
        case .parser: fuzzParser(input)
        case .expansion: fuzzExpansion(input)
        case .pattern: fuzzPattern(input)
        case .ignore: fuzzIgnore(input)
        case .json: fuzzJSON(input)
        case .reference: fuzzReference(input)
        case .tar: fuzzTar(input)
        case .archive: fuzzArchive(input)
        case .index: fuzzIndex(input)
        }
    }
}

/// Ends the process, which libFuzzer takes for a crash, unless `condition` holds.
func require(_ condition: Bool, _ problem: @autoclosure () -> String) {
    if !condition { fail(problem()) }
}

private func fail(_ problem: String) -> Never {
    Array("does not hold: \(problem)\n".utf8).withUnsafeBytes { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    abort()
}

/// Runs what must not throw.
func succeed<Value>(_ what: String, _ body: () throws -> Value) -> Value {
    do {
        return try body()
    } catch {
        fail("\(what): \(error)")
    }
}

/// Cuts an input into lines: what the first ones mean is the harness's business.
func lines(_ input: [UInt8]) -> [[UInt8]] {
    input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
}
