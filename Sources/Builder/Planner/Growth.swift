import BuildFileParser
import OCI
import OrderedCollections

/// How much longer the words of one instruction have become by the values of their variables.
///
/// A word is bounded by itself, and the configuration when an instruction is done. But an instruction may have a million
/// words, each of which stands for a megabyte.
struct Growth {
    private var bytes = 0

    /// Takes a word's text in.
    mutating func add(_ text: String, instead raw: String, at range: SourceRange) throws(Diagnostic) {
        bytes += max(0, text.utf8.count - raw.utf8.count)
        guard bytes <= JSONValue.largestDocument else { throw Self.diagnostic(at: range) }
    }

    /// Expands a word, and takes its text in.
    mutating func expand(_ word: Word, in scope: VariableScope) throws(Diagnostic) -> String {
        let text = try word.expand { scope[$0] }.text
        try add(text, instead: word.raw, at: word.range)
        return text
    }

    static func diagnostic(at range: SourceRange?) -> Diagnostic {
        Diagnostic(
            "with the values of this instruction, the image's configuration grows beyond 4 MiB",
            at: range,
            notes: ["no registry takes a larger one; put what is so long into a file"]
        )
    }
}

/// How much the plan keeps of what steps and stages inherit: each has all variables that were set above it.
///
/// A thousand stages, each of which stands on the one above and sets a variable, have half a million.
struct Inheritance {
    /// In bytes, about.
    private static let limit = 400 << 20
    private static let bytesOfWord = 16
    private static let bytesOfEntry = 80

    private var bytes = 0

    /// Takes the variables of a step in.
    mutating func add(step variables: Int, at range: SourceRange?) throws(Diagnostic) {
        try add(variables * Self.bytesOfWord, at: range)
    }

    private mutating func add(_ count: Int, at range: SourceRange?) throws(Diagnostic) {
        bytes += count
        guard bytes <= Self.limit else {
            throw Diagnostic(
                "the stages and steps of this file inherit too many variables and lines of history from one another",
                at: range,
                notes: ["begin stages from those above that have what they need, and no more"]
            )
        }
    }

    /// Takes in what a stage keeps.
    mutating func add(stage: StageState) throws(Diagnostic) {
        let entries = stage.environment.count + stage.labels.count + stage.scope.count + stage.history.count
        try add(entries * Self.bytesOfEntry, at: stage.origin)
    }
}
