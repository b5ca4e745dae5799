/// A reference to an image: `registry/repository:tag@digest`, with Docker's normalisation.
///
/// Source: distribution's reference grammar; `busybox` means `docker.io/library/busybox`.
public struct ImageReference: Sendable {
    /// The host, with a port where one was given.
    public var registry: String
    /// The path of the repository at the registry.
    public var repository: String
    /// As written; `nil` where none was.
    public var tag: String?
    /// As written; `nil` where none was.
    public var digest: Digest?
    /// The name, where it was written without a registry, which others than Docker's may be meant by.
    ///
    /// It says nothing of what the reference stands for, and does not count in comparisons.
    public private(set) var shortName: String?

    /// Parses a reference.
    /// - Throws: ``MalformedReference`` with the rule that it breaks.
    public init(parsing text: String) throws(MalformedReference) {
        func failure(_ reason: MalformedReference.Reason) -> MalformedReference {
            MalformedReference(text: text, reason: reason)
        }
        guard !text.isEmpty else { throw failure(.empty) }
        guard text.utf8.count <= 1024 else { throw failure(.tooLong) }
        var rest = Substring(text)
        digest = nil
        if let at = rest.firstIndex(of: "@") {
            do {
                digest = try Digest(parsing: String(rest[rest.index(after: at)...]))
            } catch {
                throw failure(.digest)
            }
            rest = rest[..<at]
        }
        tag = nil
        let lastSlash = rest.lastIndex(of: "/") ?? rest.startIndex
        if let colon = rest[lastSlash...].lastIndex(of: ":") {
            let name = String(rest[rest.index(after: colon)...])
            guard Self.isTag(name) else { throw failure(.tag(name)) }
            tag = name
            rest = rest[..<colon]
        }
        shortName = nil
        var components = rest.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if components.count > 1, Self.looksLikeHost(components[0]) {
            registry = components.removeFirst()
            guard Self.isHost(registry) else { throw failure(.registry(registry)) }
            if registry == "index.docker.io" { registry = "docker.io" }
        } else {
            registry = "docker.io"
            shortName = String(rest)
        }
        if registry == "docker.io", components.count == 1 { components.insert("library", at: 0) }
        for component in components where !Self.isPathComponent(component) {
            throw failure(component.contains { $0.isUppercase } ? .upperCase : .repository(component))
        }
        repository = components.joined(separator: "/")
        guard repository.utf8.count <= 255 else { throw failure(.tooLong) }
        guard !Self.isIdentifier(text) else { throw failure(.identifier) }
    }

    /// A name's first part is a host where it could not be a part of a repository's name, or says so.
    private static func looksLikeHost(_ text: String) -> Bool {
        text == "localhost" || text.contains { $0 == "." || $0 == ":" || $0.isUppercase }
    }

    /// Labels of letters, digits and inner dashes between dots, or an IPv6 address in brackets; then maybe a port.
    private static func isHost(_ text: String) -> Bool {
        var name = text[...]
        let end = text.lastIndex(of: "]") ?? text.startIndex
        if let colon = text[end...].firstIndex(of: ":") {
            let port = text[text.index(after: colon)...].utf8
            guard !port.isEmpty, port.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
            name = text[..<colon]
        }
        if name.hasPrefix("["), name.hasSuffix("]") {
            return name.utf8.count > 2 && name.utf8.dropFirst().dropLast().allSatisfy { isHexDigit($0) || $0 == 0x3A }
        }
        return name.utf8.split(separator: 0x2E, omittingEmptySubsequences: false).allSatisfy { label in
            label.first != 0x2D && label.last != 0x2D && !label.isEmpty
                && label.allSatisfy { (isWordByte($0) && $0 != 0x5F) || $0 == 0x2D }
        }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
    }

    private static func isTag(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
        return isWordByte(first) && text.utf8.allSatisfy { isWordByte($0) || $0 == 0x2E || $0 == 0x2D }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        isLowerAlphanumeric(byte) || (0x41...0x5A).contains(byte) || byte == 0x5F
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte)
    }

    /// What other tools take for an image's id.
    private static func isIdentifier(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { isHexDigit($0) && isLowerAlphanumeric($0) }
    }

    /// Lower-case letters and digits, separated by one dot, one or two underscores, or dashes.
    private static func isPathComponent(_ text: String) -> Bool {
        guard let first = text.utf8.first, let last = text.utf8.last else { return false }
        guard isLowerAlphanumeric(first), isLowerAlphanumeric(last) else { return false }
        return text.utf8.split(whereSeparator: isLowerAlphanumeric).allSatisfy { separator in
            let bytes = Array(separator)
            return bytes == [0x2E] || bytes == [0x5F] || bytes == [0x5F, 0x5F] || bytes.allSatisfy { $0 == 0x2D }
        }
    }
}

extension ImageReference: Hashable {
    /// Whether both stand for the same, however they were written.
    public static func == (left: ImageReference, right: ImageReference) -> Bool {
        left.registry == right.registry && left.repository == right.repository && left.tag == right.tag
            && left.digest == right.digest
    }

    /// Hashes what counts in comparisons.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(registry)
        hasher.combine(repository)
        hasher.combine(tag)
        hasher.combine(digest)
    }
}

extension ImageReference: CustomStringConvertible {
    /// The full form, without a tag that was not given.
    public var description: String {
        var text = "\(registry)/\(repository)"
        if let tag { text += ":\(tag)" }
        if let digest { text += "@\(digest)" }
        return text
    }

    /// The full form with `latest` where neither tag nor digest was given.
    public var tagged: ImageReference {
        var result = self
        if tag == nil, digest == nil { result.tag = "latest" }
        return result
    }

    /// The short form that people type: without `docker.io/library/`, where it means the same.
    public var familiar: String {
        let full = description
        for prefix in ["docker.io/library/", "docker.io/"] where full.hasPrefix(prefix) {
            let short = String(full.dropFirst(prefix.count))
            if (try? ImageReference(parsing: short)) == self { return short }
        }
        return full
    }
}

/// A text that is no image reference.
public struct MalformedReference: Error, Sendable, Hashable, CustomStringConvertible {
    /// Which rule is broken.
    public enum Reason: Sendable, Hashable {
        case empty
        case tooLong
        case upperCase
        case tag(String)
        case digest
        case identifier
        case registry(String)
        case repository(String)
    }

    /// The text as it was found.
    public let text: String
    /// Which rule it breaks.
    public let reason: Reason

    /// One sentence: what was found, and which rule it breaks.
    public var description: String {
        "`\(text.prefix(200))` is not an image reference: \(explanation)"
    }

    /// The rule that the text breaks, without the text itself.
    public var explanation: String {
        switch reason {
        case .empty: "it is empty"
        case .tooLong: "its repository name is longer than 255 bytes"
        case .upperCase: "a repository name must be in lower case"
        case .tag(let tag) where tag.isEmpty: "a tag has to follow the colon"
        case .tag(let tag): "`\(tag)` is no tag (letters, digits, `_`, `.` and `-`, at most 128)"
        case .digest: "what follows `@` is no sha256 digest"
        case .identifier: "64 hexadecimal digits are an image's id; write library/ in front of such a name"
        case .registry(let host): "`\(host)` is no host of a registry"
        case .repository(let part) where part.isEmpty: "a part of its repository name is empty"
        case .repository(let part): "`\(part)` is no part of a repository name"
        }
    }
}
