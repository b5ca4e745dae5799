import BuildFileParser

/// Why a step could not be carried out, at the word that asks for what cannot be had.
public struct StepProblem: Error, Sendable, CustomStringConvertible {
    /// One sentence: what failed and why.
    public let message: String
    /// The word's place; `nil` where it stands in no build file.
    public let range: SourceRange?
    /// What may help.
    public let notes: [String]

    init(_ error: any Error, at range: SourceRange?, notes: [String] = []) {
        let copy = error as? CopyError
        message = copy?.sentence ?? "\(error)"
        self.range = range
        self.notes = (copy?.hints ?? []) + notes
    }

    /// What failed, on one line.
    public var description: String { ([message] + notes).joined(separator: "; ") }
}

extension StepRunner {
    /// Does something that a word of the instruction asks for, and puts what goes wrong at that word.
    func at<Value>(_ place: SourceRange?, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as BuildError {
            throw error
        } catch let error as StepProblem {
            throw error
        } catch {
            throw StepProblem(error, at: place ?? node.display.range)
        }
    }
}
