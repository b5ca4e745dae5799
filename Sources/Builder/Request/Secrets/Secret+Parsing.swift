extension Secret {
    /// Parses `id=ID[,src=FILE|,env=NAME|,cmd=COMMAND][,type=file|env|command]`.
    ///
    /// `cmd` is the last field, and takes all that is left with its commas. An id alone is the variable of that name
    /// where there is one, else the file.
    /// - Throws: ``MalformedOption``.
    public init(
        parsing text: String,
        in directory: String,
        hasVariable: (String) -> Bool = { _ in false }
    ) throws(MalformedOption) {
        let (head, command) = Self.takeCommand(text)
        func failure(_ expected: String) -> MalformedOption {
            // A command may have a password among its arguments.
            MalformedOption(option: "--secret", value: command == nil ? text : head + "cmd=…", expected: expected)
        }
        var fields = OptionFields(head)
        let type = fields.take("type")
        let file = fields.take("src", "source")
        let variable = fields.take("env")
        guard let id = fields.take("id"), !id.isEmpty else {
            throw failure("id=ID,src=FILE, id=ID,env=NAME or id=ID,cmd=COMMAND")
        }
        if let unknown = fields.fields.first { throw failure("id, src, env and cmd only, not `\(unknown.key)`") }
        guard file != "", variable != "" else { throw failure("a name after src= or env=") }
        self.id = id
        if command != nil || type == "command" {
            guard let command, file == nil, variable == nil, type == nil || type == "command" else {
                throw failure("id=ID,cmd=COMMAND, without src= and env=")
            }
            guard let words = CommandWords.split(command), words.first?.isEmpty == false else {
                throw failure("a program and its arguments after cmd=, each quote closed")
            }
            source = .command(words)
            return
        }
        switch (type, file, variable) {
        case (nil, let file?, nil), ("file", let file?, nil): source = .file(absolute(file, in: directory))
        case (nil, nil, let variable?), ("env", nil, let variable?): source = .environment(variable)
        case ("env", let variable?, nil): source = .environment(variable)
        case ("env", nil, nil): source = .environment(id)
        case (nil, nil, nil) where hasVariable(id): source = .environment(id)
        case (nil, nil, nil), ("file", nil, nil): source = .file(absolute(id, in: directory))
        default: throw failure("one of src=FILE, env=NAME and cmd=COMMAND")
        }
    }

    private static func takeCommand(_ text: String) -> (head: String, command: String?) {
        let bytes = Array(text.utf8)
        let mark = "cmd="
        var start = 0
        while start < bytes.count {
            // As with all fields, in letters of any case.
            if String(decoding: bytes[start...].prefix(mark.utf8.count), as: UTF8.self).lowercased() == mark {
                return (
                    String(decoding: bytes[..<start], as: UTF8.self),
                    String(decoding: bytes[(start + mark.utf8.count)...], as: UTF8.self)
                )
            }
            guard let comma = bytes[start...].firstIndex(of: UInt8(ascii: ",")) else { break }
            start = comma + 1
        }
        return (text, nil)
    }
}

/// A command as one text, taken apart without a shell.
enum CommandWords {
    /// The words between blanks, quotes and backslashes as in a shell, nothing else expanded; `nil` where a quote is open.
    ///
    /// Source: POSIX.1-2017, Shell Command Language, 2.2 "Quoting".
    static func split(_ text: String) -> [String]? {
        var words: [String] = []
        var word: String?
        var quote: Unicode.Scalar?
        var scalars = text.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            switch (scalar, quote) {
            case ("\\", nil), ("\\", "\""?):
                guard let next = scalars.next() else { return nil }
                let keeps = quote != nil && !["\\", "\"", "$", "`"].contains(next)
                word = (word ?? "") + (keeps ? "\\" : "") + String(next)
            case ("'", nil), ("\"", nil):
                quote = scalar
                word = word ?? ""
            case (let end, let open?) where end == open: quote = nil
            case (" ", nil), ("\t", nil), ("\n", nil):
                if let done = word { words.append(done) }
                word = nil
            default: word = (word ?? "") + String(scalar)
            }
        }
        guard quote == nil else { return nil }
        if let word { words.append(word) }
        return words
    }
}
