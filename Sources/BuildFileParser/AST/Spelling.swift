/// How an instruction is written: what means nothing to a build, but something to who reads the file.
struct Spelling: Sendable, Hashable {
    /// The instruction's name as it stands there.
    var keyword: Located<String>
    /// From the name to the end of the arguments.
    var range: SourceRange
    /// The `AS` of a FROM.
    var asKeyword: Located<String>?
    /// Whether it is an ENV or LABEL of the old form, `name value`.
    var isOldForm: Bool
    /// The instruction's text, with the place of each of its bytes.
    var line: LogicalLine
    /// The arguments after the flags.
    var body: Range<Int>

    /// The bytes of the arguments.
    var bodyBytes: ArraySlice<UInt8> { line.bytes[body] }

    init(_ statement: Statement) {
        let line = statement.line
        self.line = line
        range = statement.range
        body = statement.body
        let start = statement.keywordRange.start
        var end = start
        end.column += statement.keyword.rawValue.utf8.count
        keyword = Located(
            line.text(0..<statement.keyword.rawValue.utf8.count),
            at: SourceRange(start: start, end: end)
        )
        switch statement.keyword {
        case .from:
            let words = statement.blankSeparated
            asKeyword = words.count == 3 ? line.located(words[1]) : nil
            isOldForm = false
        case .env, .label:
            isOldForm = statement.quotedWords.first.map { !line.bytes[$0].contains(.equals) } ?? false
        case .add, .arg, .cmd, .copy, .entrypoint, .expose, .healthcheck, .maintainer, .onbuild, .run, .shell,
            .stopsignal, .user, .volume, .workdir:
            isOldForm = false
        }
    }

    /// What the comment directly above says about `name`, as in `# name what it is for`.
    func description(of name: String) -> String? {
        for comment in line.comments {
            let words = comment.value.split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].utf8.elementsEqual(name.utf8) else { continue }
            return String(words[1])
        }
        return nil
    }
}
