import LayerDiff
import Registry

/// A git repository, and what is wanted of it.
public struct GitReference: Sendable, Hashable {
    /// How a repository is reached.
    public enum Transport: String, Sendable, Hashable, CaseIterable {
        case https
        case http
        case ssh
        case git
        /// A repository of this machine: only where the caller names it, never a build file or another repository.
        case file
    }

    /// How the repository is reached.
    public var transport: Transport
    /// The host, with its port where one is given; empty for a repository of this machine.
    public var host: String
    /// What `git` is told: without user and password, but for ssh, where the user is no secret.
    public var remote: String
    /// `user:password` of an HTTP URL, decoded.
    public var credentials: String?
    /// A branch, tag, commit or other ref; `nil` for what the repository has as its default.
    public var ref: String?
    /// The commit, or the beginning of its name, that the ref must stand for.
    public var checksum: String?
    /// A directory of the repository, as written; `nil` for the whole.
    public var subdirectory: String?
    /// Whether `.git` stays; `nil` where the URL does not say.
    public var keepsGitDirectory: Bool?
    /// Whether submodules are fetched; `nil` where the URL does not say.
    public var fetchesSubmodules: Bool?

    /// The reference as messages show it.
    public var shown: String {
        let place = [ref ?? "", subdirectory ?? ""]
        if subdirectory != nil { return "\(remote)#\(place.joined(separator: ":"))" }
        return ref.map { "\(remote)#\($0)" } ?? remote
    }
}

/// A URL of a git repository that does not hold together.
public struct MalformedGitReference: Error, Sendable, Hashable, CustomStringConvertible {
    /// The URL, without credentials.
    public let url: String
    /// What is wrong with it.
    public let reason: String

    /// One sentence: which URL, and what is wrong with it.
    public var description: String { "the git URL \(url) cannot be used: \(reason)" }
}

extension GitReference {
    /// What a text may be where it stands.
    public struct Forms: OptionSet, Sendable {
        /// The bits.
        public let rawValue: Int

        /// Forms by their bits.
        public init(rawValue: Int) { self.rawValue = rawValue }

        /// `file:///path/of/repository`.
        public static let file = Forms(rawValue: 1)
        /// `github.com/owner/name`, which could also be a directory's path.
        public static let bare = Forms(rawValue: 2)
        /// An HTTP URL whose path does not end in `.git`.
        public static let anyHTTP = Forms(rawValue: 4)
    }

    /// Parses `text` as a git URL; `nil` where it is something else: a path, or a URL of a file.
    ///
    /// Source: Docker's documentation of build contexts, "Git repositories": `URL#REF:DIRECTORY` and
    /// `URL?ref=REF&subdir=DIRECTORY…`. As there, an HTTP URL is one of a repository if its path ends in `.git`.
    /// - Throws: ``MalformedGitReference`` where it is a git URL with a mistake.
    public static func parse(_ text: String, forms: Forms = []) throws(MalformedGitReference) -> GitReference? {
        if forms.contains(.bare), text.hasPrefix("github.com/") {
            return try parse("https://\(text)", forms: [.anyHTTP])
        }
        let (address, query, fragment) = split(text)
        guard var result = try GitAddress.parse(address, forms: forms) else { return nil }
        let url = result.remote
        if let fragment { result.takeFragment(fragment) }
        for (key, value) in try pairs(query ?? "", url: url) { try result.take(key, value) }
        if result.ref == nil { result.ref = result.checksum }
        try result.check()
        return result
    }

    /// Address, query and fragment.
    private static func split(_ text: String) -> (address: Substring, query: Substring?, fragment: Substring?) {
        let beforeFragment = text.prefix { $0 != "#" }
        let address = beforeFragment.prefix { $0 != "?" }
        let query = address.endIndex == beforeFragment.endIndex ? nil : beforeFragment[address.endIndex...].dropFirst()
        let fragment = beforeFragment.endIndex == text.endIndex ? nil : text[beforeFragment.endIndex...].dropFirst()
        return (address, query, fragment)
    }

    /// `REF:DIRECTORY`; either may be empty.
    private mutating func takeFragment(_ fragment: Substring) {
        let text = percentDecoded(fragment.utf8)
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if let ref = parts.first, !ref.isEmpty { self.ref = ref }
        if parts.count > 1, !parts[1].isEmpty { subdirectory = parts[1] }
    }

    private static func pairs(_ query: Substring, url: String) throws(MalformedGitReference) -> [(String, String)] {
        var result: [(String, String)] = []
        for part in query.split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = percentDecoded(pair[0].utf8)
            guard !result.contains(where: { $0.0 == key }) else {
                throw MalformedGitReference(url: url, reason: "`\(key)` is given twice")
            }
            result.append((key, pair.count > 1 ? percentDecoded(pair[1].utf8) : ""))
        }
        return result
    }

    private mutating func take(_ key: String, _ value: String) throws(MalformedGitReference) {
        switch key {
        case "keep-git-dir": keepsGitDirectory = try flag(key, value)
        case "submodules": fetchesSubmodules = try flag(key, value)
        case "ref", "tag", "branch", "commit", "checksum", "subdir":
            guard !value.isEmpty else { throw problem("`\(key)` has no value") }
            try takeText(key, value)
        default: throw problem("`\(key)` is no query of a git URL: expected ref, tag, branch, commit or subdir, say")
        }
    }

    private mutating func takeText(_ key: String, _ value: String) throws(MalformedGitReference) {
        switch key {
        case "tag": try set(&ref, value.hasPrefix("refs/tags/") ? value : "refs/tags/\(value)", "refs")
        case "branch": try set(&ref, value.hasPrefix("refs/heads/") ? value : "refs/heads/\(value)", "refs")
        case "subdir": try set(&subdirectory, value, "directories")
        case "ref": try set(&ref, value, "refs")
        default: try set(&checksum, value.lowercased(), "commits")
        }
    }

    private func set(_ part: inout String?, _ value: String, _ what: String) throws(MalformedGitReference) {
        if let part, part != value { throw problem("it names two \(what), `\(part)` and `\(value)`") }
        part = value
    }

    private func flag(_ key: String, _ value: String) throws(MalformedGitReference) -> Bool {
        switch value.lowercased() {
        case "", "1", "t", "true": true
        case "0", "f", "false": false
        default: throw problem("`\(value)` is no value of `\(key)`: expected true or false")
        }
    }

    private func problem(_ reason: String) -> MalformedGitReference {
        MalformedGitReference(url: remote, reason: reason)
    }

    /// Refuses names that git could take for something else.
    ///
    /// Source: git-check-ref-format(1).
    private func check() throws(MalformedGitReference) {
        if let ref {
            let isPlain = ref.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && !"~^:?*[\\".utf8.contains($0) }
            let isOrdinary = !ref.hasPrefix("-") && !ref.hasPrefix("/") && !ref.hasSuffix("/") && ref.utf8.count < 1024
            guard isPlain, isOrdinary, !ref.contains(".."), !ref.contains("@{"), !ref.contains("//") else {
                throw problem("`\(ref)` is no name of a branch, tag or commit")
            }
        }
        if let checksum {
            guard GitReference.isCommitPrefix(checksum) else {
                throw problem("`\(checksum)` is no commit: expected 7 to 64 hexadecimal digits")
            }
        }
        if let subdirectory, subdirectory.utf8.contains(0) { throw problem("the directory's name has a null in it") }
    }

    /// Whether a text can be the beginning of a commit's name.
    static func isCommitPrefix(_ text: String) -> Bool {
        (7...64).contains(text.utf8.count) && text.utf8.allSatisfy(isHex)
    }

    /// Whether a text is a commit's whole name, of SHA-1 or SHA-256.
    static func isCommit(_ text: String) -> Bool {
        [40, 64].contains(text.utf8.count) && text.utf8.allSatisfy(isHex)
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }
}
