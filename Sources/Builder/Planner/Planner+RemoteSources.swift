import BuildFileParser
import OCI

extension Planner {
    /// What a source of COPY or ADD is: a path, the URL of a file, or that of a git repository.
    func planSource(
        _ path: String,
        of copy: CopyInstruction,
        word: Word,
        isAdd: Bool
    ) throws(Diagnostic) -> CopyStep.Source {
        let isWeb = path.hasPrefix("http://") || path.hasPrefix("https://")
        guard isAdd else {
            if isWeb {
                throw Diagnostic("COPY does not fetch URLs: `\(path)`", at: word.range, notes: ["use ADD"])
            }
            return .path(path)
        }
        do throws(MalformedGitReference) {
            if var reference = try GitReference.parse(path) {
                if copy.keepGitDirectory { reference.keepsGitDirectory = true }
                return .git(reference)
            }
        } catch {
            throw Diagnostic("\(error)", at: word.range)
        }
        return isWeb ? .url(path) : .path(path)
    }

    /// Gives a step what `--checksum` says: the digest of a file, or the commit of a repository.
    func set(_ checksum: String, of copy: CopyInstruction, in step: inout CopyStep) throws(Diagnostic) {
        let range = copy.checksum?.range
        guard step.sources.count == 1, let source = step.sources.first, source.isRemote else {
            throw Diagnostic(
                "--checksum needs exactly one source, and that a URL",
                at: range,
                notes: ["split the instruction, or leave the flag away"]
            )
        }
        guard case .git(var reference) = source else {
            guard let digest = try? Digest(parsing: checksum) else {
                throw Diagnostic(
                    "--checksum of a file: `\(checksum.prefix(100))` is no digest",
                    at: range,
                    notes: ["expected `sha256:` and 64 lower-case hexadecimal digits"]
                )
            }
            step.checksum = digest
            return
        }
        let commit = checksum.lowercased()
        guard GitReference.isCommitPrefix(commit) else {
            throw Diagnostic(
                "--checksum of a git repository: `\(checksum)` is no commit",
                at: range,
                notes: ["expected 7 to 64 hexadecimal digits"]
            )
        }
        if let other = reference.checksum, !other.hasPrefix(commit), !commit.hasPrefix(other) {
            throw Diagnostic("--checksum and the URL name two commits, \(commit) and \(other)", at: range)
        }
        reference.checksum = max(commit, reference.checksum ?? "")
        step.sources = [.git(reference)]
    }
}

extension CopyStep.Source {
    /// Whether the source is fetched from somewhere.
    var isRemote: Bool {
        switch self {
        case .path, .inline: false
        case .url, .git: true
        }
    }
}
