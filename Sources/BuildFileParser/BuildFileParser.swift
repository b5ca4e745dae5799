/// A build file that is longer is refused.
private let sizeLimit = 64 << 20

/// Reads a build file: what it says, unexpanded, with the place of each word.
///
/// Lines may end in `\n` or `\r\n`, and a byte order mark may precede them; text that is not UTF-8 is repaired.
///
/// - Throws: what is wrong with the file, and where; the first problem only.
public func parseBuildFile(_ bytes: [UInt8]) throws(Diagnostic) -> BuildFile {
    guard bytes.count <= sizeLimit else {
        throw Diagnostic("the build file is longer than 64 MiB", at: nil)
    }
    guard !bytes.starts(with: [0xFF, 0xFE]), !bytes.starts(with: [0xFE, 0xFF]) else {
        throw Diagnostic("the build file is encoded in UTF-16", at: nil, notes: ["save it as UTF-8"])
    }
    let header = try DirectiveReader(LineReader(bytes))
    let directives = header.directives
    var lexer = Lexer(header.reader, escape: directives.escape.asciiValue ?? .backslash)
    var assembler = BuildFileAssembler(directives: directives)
    while let line = lexer.nextLine() {
        let statement = try Statement(line, escape: lexer.escape)
        try assembler.add(statement, heredocs: lexer.readHeredocs(of: statement))
    }
    return try assembler.finish()
}

/// Reads an `ONBUILD` trigger as the configuration of an image stores it; places count within `text`.
///
/// - Throws: what is wrong with it, also where it is not exactly one instruction that may be a trigger.
public func parseTrigger(_ text: String, escape: Character = "\\") throws(Diagnostic) -> Located<Instruction> {
    var lexer = Lexer(LineReader(Array(text.utf8)), escape: escape.asciiValue ?? .backslash)
    guard let line = lexer.nextLine() else {
        throw Diagnostic("an ONBUILD trigger of the base image is empty", at: nil)
    }
    let statement = try Statement(line, escape: lexer.escape)
    try statement.checkIsTrigger()
    let instruction = try statement.instruction(heredocs: lexer.readHeredocs(of: statement))
    if let more = lexer.nextLine() {
        throw Diagnostic(
            "an ONBUILD trigger of the base image is more than one instruction",
            at: more.sourceRange(0..<more.bytes.count)
        )
    }
    return Located(instruction, at: statement.range)
}

extension Lexer {
    /// Reads the here-documents that the statement announces, if it is of a kind that takes them.
    mutating func readHeredocs(of statement: Statement) throws(Diagnostic) -> [AnnouncedHeredoc] {
        if let trigger = try statement.trigger() { return try readHeredocs(of: trigger) }
        guard statement.keyword.takesHeredocs else { return [] }
        let bytes = statement.line.bytes
        let words = HeredocScanner.scan(bytes, in: statement.body, isShell: statement.keyword == .run)
        guard !words.isEmpty, try statement.jsonStrings() == nil else { return [] }
        var heredocs: [AnnouncedHeredoc] = []
        for word in words {
            let heredoc = try readHeredoc(word, at: statement.line.sourceRange(word.range))
            heredocs.append(AnnouncedHeredoc(range: word.range, heredoc: heredoc))
        }
        return heredocs
    }
}

/// Puts statements into stages.
private struct BuildFileAssembler {
    private var file: BuildFile

    init(directives: Directives) {
        self.file = BuildFile(directives: directives, globalArguments: [], stages: [])
    }

    mutating func add(_ statement: Statement, heredocs: [AnnouncedHeredoc]) throws(Diagnostic) {
        file.spellings.append(Spelling(statement))
        if statement.keyword == .from {
            try beginStage(statement)
            return
        }
        if file.stages.isEmpty {
            guard statement.keyword == .arg else {
                throw Diagnostic(
                    "\(statement.keyword.rawValue) stands before the first FROM",
                    at: statement.keywordRange,
                    notes: ["only ARG may precede the first FROM"]
                )
            }
            file.globalArguments.append(Located(try statement.argInstruction(), at: statement.range))
            return
        }
        let instruction = try statement.instruction(heredocs: heredocs)
        file.stages[file.stages.count - 1].instructions.append(Located(instruction, at: statement.range))
    }

    private mutating func beginStage(_ statement: Statement) throws(Diagnostic) {
        let from = try statement.fromInstruction()
        file.stages.append(Stage(from: Located(from, at: statement.range), instructions: []))
    }

    func finish() throws(Diagnostic) -> BuildFile {
        guard !file.stages.isEmpty else {
            throw Diagnostic(
                file.globalArguments.isEmpty ? "the build file holds no instructions" : "the build file has no FROM",
                at: nil,
                notes: ["a build file begins with `FROM image`"]
            )
        }
        return file
    }
}
