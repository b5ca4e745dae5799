/// What the checks know beside the build file.
public struct CheckInput: Sendable {
    /// The directive's options, or those that replace them.
    public var options = CheckOptions()
    /// What the ignore file leaves out of the context; `nil` where there is none.
    public var ignoreRules: IgnoreRules?
    /// The names of variables that base images set, by the number of the stage; a missing one is not known.
    public var baseVariables: [Int: [String]] = [:]
    /// The stage that is built, by name or number; `nil` for the last.
    public var target: String?
    /// Whether a text can be the name of an image.
    public var isImageName: @Sendable (String) -> Bool

    /// Makes an input that knows nothing but how to tell names of images.
    public init(isImageName: @escaping @Sendable (String) -> Bool) {
        self.isImageName = isImageName
    }
}

extension BuildFile {
    /// What the checks find, in the order of the file.
    public func findings(_ input: CheckInput) -> [Finding] {
        let context = CheckContext(file: self, input: input)
        var findings = input.options.unknown
        findings += checkSpelling(context)
        findings += checkStageNames(context)
        findings += checkFrom(context)
        findings += checkVariables(context)
        findings += checkConfiguration(context)
        findings += checkSecrets(context)
        findings += checkCopies(context)
        findings += checkScripts(context)
        return findings.enumerated()
            .filter { input.options.applies($0.element.rule) }
            .sorted { ($0.element.range.start, $0.offset) < ($1.element.range.start, $1.offset) }
            .map(\.element)
    }
}

/// A build file with what the checks know about it.
struct CheckContext {
    let file: BuildFile
    let input: CheckInput
    private let spellings: [SourcePosition: Spelling]
    init(file: BuildFile, input: CheckInput) {
        self.file = file
        self.input = input
        spellings = Dictionary(file.spellings.map { ($0.range.start, $0) }) { first, _ in first }
    }

    /// How the instruction at this place is written.
    func spelling(at range: SourceRange) -> Spelling? { spellings[range.start] }

    /// The instruction's name as it is written, or `name`.
    func keyword(at range: SourceRange, _ name: String) -> Located<String> {
        spelling(at: range)?.keyword ?? Located(name, at: range)
    }
}
