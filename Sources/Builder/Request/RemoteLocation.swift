import OCI

/// A build context that is not a directory of this machine.
enum RemoteLocation: Sendable, Hashable {
    case git(GitReference)
    /// An archive or a build file, by its http:// or https:// URL.
    case url(String)

    /// Parses what a caller names as a context; `nil` where it is a directory's path, relative to `directory`.
    /// - Throws: ``MalformedOption`` for a URL that is none, or none that contexts can come from.
    static func parse(_ text: String, in directory: String, option: String) throws(MalformedOption) -> RemoteLocation? {
        let lower = text.lowercased()
        let isURL = lower.prefix(12).contains("://")
        // `github.com/a/b` and `git@host:a` could be paths, and are where there is such a directory.
        if !isURL, HostFile.exists(absolute(text, in: directory)) { return nil }
        let reference: GitReference?
        do throws(MalformedGitReference) {
            reference = try GitReference.parse(text, forms: [.file, .bare])
        } catch {
            throw MalformedOption(option: option, value: error.url, expected: "a git URL that holds: \(error.reason)")
        }
        if let reference { return .git(reference) }
        if lower.hasPrefix("http://") || lower.hasPrefix("https://") { return .url(text) }
        guard isURL else { return nil }
        throw MalformedOption(
            option: option,
            value: withoutCredentials(text),
            expected: "a directory, or an http, https, git, ssh or file URL"
        )
    }
}
