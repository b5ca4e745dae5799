import OCI
import Synchronization

/// What a build took from elsewhere: base images, files of URLs, commits of git repositories.
///
/// Where there is a lock file that counts, whatever is not in it is an error at the place that asked for it.
final class UsedSources: Sendable {
    private let contexts: [NamedContext]
    private let locked: SourceLock?
    private let used = Mutex(SourceLock(name: ""))

    /// The sources of a build that must be those of `locked`, if there is one.
    init(contexts: [NamedContext], locked: SourceLock?) {
        self.contexts = contexts
        self.locked = locked
    }

    /// What was used so far.
    var all: SourceLock { used.withLock { $0 } }

    /// Notes a base image.
    /// - Throws: ``UnlockedSource``.
    func use(_ image: ResolvedImage, _ source: NamedContext.Source) throws(UnlockedSource) {
        guard let origin = image.origin else {
            return try use(.image, name(of: source), image.descriptor.digest.description)
        }
        // A short name may stand for an image of another registry.
        try use(.image, origin.reference.description, origin.top.digest.description)
    }

    /// Notes the file of a URL.
    /// - Throws: ``UnlockedSource``.
    func use(url: String, digest: Digest) throws(UnlockedSource) {
        try use(.url, withoutCredentials(url), digest.description)
    }

    /// Notes the commit of a git reference.
    /// - Throws: ``UnlockedSource``.
    func use(_ reference: GitReference, commit: String) throws(UnlockedSource) {
        try use(.git, reference.shown, commit)
    }

    /// Notes what was taken before there was a build.
    /// - Throws: ``UnlockedSource``.
    func use(_ source: UsedSource) throws(UnlockedSource) {
        switch source {
        case .url(let url, let digest): try use(url: url, digest: digest)
        case .git(let reference, let commit): try use(reference, commit: commit)
        }
    }

    private func use(_ kind: SourceLock.Kind, _ name: String, _ value: String) throws(UnlockedSource) {
        if let locked, locked.value(of: kind, name) != value {
            throw UnlockedSource(
                lock: locked.name,
                name: name,
                found: value,
                expected: locked.value(of: kind, name)
            )
        }
        used.withLock { $0.set(kind, name, value) }
    }

    /// Names of files mean nothing on another machine: what comes from one goes by the name of its context.
    private func name(of source: NamedContext.Source) -> String {
        if case .image(let reference) = source { return reference.tagged.description }
        return "context:\(contexts.last { $0.source == source }?.name ?? "")"
    }
}

/// Something from elsewhere, and what it was.
enum UsedSource: Sendable {
    case url(String, Digest)
    case git(GitReference, commit: String)
}

/// The digests and commits that a build is held to, as `--lock` writes them.
public struct SourceLock: Sendable, Hashable {
    /// What a source is.
    enum Kind: String, Sendable, Hashable, CaseIterable {
        case git, image, url

        /// The member of the document that lists them.
        var member: String {
            switch self {
            case .git: "git"
            case .image: "images"
            case .url: "urls"
            }
        }

        /// The member of an entry that holds what the name stood for.
        var value: String { self == .git ? "commit" : "digest" }
    }

    private struct Source: Sendable, Hashable {
        var kind: Kind
        var name: String
    }

    /// The file's name, for messages.
    let name: String
    private var values: [Source: String] = [:]

    init(name: String) { self.name = name }

    func value(of kind: Kind, _ name: String) -> String? { values[Source(kind: kind, name: name)] }

    mutating func set(_ kind: Kind, _ name: String, _ value: String) {
        values[Source(kind: kind, name: name)] = value
    }

    /// Reads a lock file.
    /// - Throws: ``DocumentError`` where it is none.
    public init(parsing bytes: [UInt8], as name: String) throws(DocumentError) {
        self.init(name: name)
        let json = try JSONValue(parsing: bytes, as: name)
        guard json["version"]?.integer == 1 else {
            throw DocumentError(document: name, problem: .unsupported("its version"))
        }
        for kind in Kind.allCases {
            for entry in json[kind.member]?.array ?? [] {
                guard let source = entry["name"]?.string, let value = entry[kind.value]?.string else {
                    throw DocumentError(document: name, problem: .missing("\(kind.member): name and \(kind.value)"))
                }
                set(kind, source, value)
            }
        }
    }

    /// The document, sorted by name.
    public var json: JSONValue {
        var members: [String: JSONValue] = ["version": .integer(1)]
        for kind in Kind.allCases {
            let names = values.keys.filter { $0.kind == kind }.map(\.name).sorted()
            members[kind.member] = .array(
                names.map { name in
                    let value = values[Source(kind: kind, name: name)] ?? ""
                    return .object(["name": .string(name), kind.value: .string(value)])
                }
            )
        }
        return .object(members)
    }
}

/// Something from elsewhere that is not what the lock file says.
struct UnlockedSource: Error, CustomStringConvertible {
    let lock: String
    let name: String
    let found: String
    let expected: String?

    var description: String {
        guard let expected else { return "\(lock) does not list \(name), which is \(found) now" }
        return "\(name) is \(found) now, but \(lock) says \(expected)"
    }
}
