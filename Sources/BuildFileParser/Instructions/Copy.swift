extension Statement {
    /// `COPY` and `ADD`.
    func copyInstruction(_ heredocs: [AnnouncedHeredoc]) throws(Diagnostic) -> CopyInstruction {
        var sources = try copySources(heredocs)
        guard let last = sources.popLast(), !sources.isEmpty else {
            throw Diagnostic(
                "\(keyword.rawValue) needs at least one source and a destination",
                at: bodyRange,
                notes: ["write `\(keyword.rawValue) SOURCE… DESTINATION`"]
            )
        }
        guard case .path(let destination) = last else {
            throw Diagnostic(
                "the destination of \(keyword.rawValue) cannot be a here-document",
                at: heredocs.last?.heredoc.range ?? range,
                notes: ["here-documents are sources: the destination follows the last of them"]
            )
        }
        var copy = CopyInstruction(sources: sources, destination: destination)
        copy.from = flagWord("from")
        copy.chown = flagWord("chown")
        copy.chmod = flagWord("chmod")
        copy.excludes = flagWords("exclude")
        copy.link = isSet("link") ?? false
        copy.parents = isSet("parents") ?? false
        copy.unpack = isSet("unpack")
        copy.checksum = flagWord("checksum")
        copy.keepGitDirectory = isSet("keep-git-dir") ?? false
        return copy
    }

    /// Sources and, last, the destination.
    private func copySources(_ heredocs: [AnnouncedHeredoc]) throws(Diagnostic) -> [CopyInstruction.Source] {
        var result: [CopyInstruction.Source] = []
        if heredocs.isEmpty {
            result = try listOfWords().map { .path($0) }
        } else {
            var skipped = body.lowerBound
            for announced in heredocs {
                result += separated(skipped..<announced.range.lowerBound).map { .path(word($0)) }
                result.append(.heredoc(announced.heredoc))
                skipped = announced.range.upperBound
            }
            result += separated(skipped..<body.upperBound).map { .path(word($0)) }
        }
        for case .path(let source) in result.dropLast() where keyword == .copy && Self.isURL(source.raw) {
            throw Diagnostic(
                "COPY does not fetch `\(source.raw)`",
                at: source.range,
                notes: ["ADD does"]
            )
        }
        return result
    }

    private static func isURL(_ text: String) -> Bool {
        text.hasPrefix("http://") || text.hasPrefix("https://")
    }
}
