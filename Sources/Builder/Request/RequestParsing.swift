import OCI

/// A command-line value that does not say what its option needs.
public struct MalformedOption: Error, Sendable, Hashable, CustomStringConvertible {
    /// `--secret`.
    public let option: String
    /// The value as given.
    public let value: String
    /// What was expected.
    public let expected: String

    /// Names an option, its value and what was expected.
    public init(option: String, value: String, expected: String) {
        self.option = option
        self.value = value
        self.expected = expected
    }

    /// One sentence: the option, its value, what was expected.
    public var description: String { "\(option) \(value): expected \(expected)" }
}

/// The fields of a value such as `type=oci,dest=PATH`.
struct OptionFields {
    private(set) var fields: [(key: String, value: String)]

    init(_ text: String) {
        fields = text.split(separator: ",").map { part in
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (pair[0].lowercased(), pair.count > 1 ? String(pair[1]) : "")
        }
    }

    mutating func take(_ names: String...) -> String? {
        var result: String?
        for name in names {
            for field in fields where field.key == name { result = field.value }
            fields.removeAll { $0.key == name }
        }
        return result
    }
}

extension NamedContext {
    /// Parses `NAME=VALUE`; a directory is taken from `directory` where it is relative.
    /// - Throws: ``MalformedOption``.
    public init(parsing text: String, in directory: String) throws(MalformedOption) {
        let option = "--build-context"
        let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard pair.count == 2, !pair[0].isEmpty, !pair[1].isEmpty else {
            throw MalformedOption(
                option: option,
                value: text,
                expected: "NAME=DIRECTORY, NAME=URL, NAME=oci-layout://DIRECTORY[:TAG][@DIGEST], "
                    + "NAME=oci-archive:FILE[:TAG], NAME=docker-archive:FILE[:NAME] or NAME=docker-image://IMAGE"
            )
        }
        name = pair[0]
        let value = pair[1]
        if value.hasPrefix("oci-layout://") {
            source = try Self.layout(String(value.dropFirst("oci-layout://".count)), in: directory, option: text)
        } else if value.hasPrefix("docker-image://") {
            do {
                source = .image(try ImageReference(parsing: String(value.dropFirst("docker-image://".count))))
            } catch {
                throw MalformedOption(option: option, value: text, expected: "an image: \(error)")
            }
        } else if let archive = try Self.archive(value, in: directory, option: text) {
            source = archive
        } else if let remote = try RemoteLocation.parse(value, in: directory, option: option) {
            switch remote {
            case .git(let reference): source = .git(reference)
            case .url(let url): source = .archive(url: url)
            }
        } else {
            source = .directory(absolute(value, in: directory))
        }
    }

    /// `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:NAME]`, as skopeo writes them.
    private static func archive(
        _ text: String,
        in directory: String,
        option: String
    ) throws(MalformedOption) -> Source? {
        for form in ArchiveForm.allCases {
            let prefix = "\(form.rawValue)-archive:"
            guard text.hasPrefix(prefix) else { continue }
            let parts = text.dropFirst(prefix.count)
                .split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard !parts[0].isEmpty, parts.count == 1 || !parts[1].isEmpty else {
                throw MalformedOption(option: "--build-context", value: option, expected: "a file after \(prefix)")
            }
            let name = parts.count > 1 ? parts[1] : nil
            return .imageArchive(path: absolute(parts[0], in: directory), form: form, name: name)
        }
        return nil
    }

    private static func layout(
        _ text: String,
        in directory: String,
        option: String
    ) throws(MalformedOption) -> Source {
        var path = Substring(text)
        var digest: Digest?
        if let at = path.lastIndex(of: "@") {
            do {
                digest = try Digest(parsing: String(path[path.index(after: at)...]))
            } catch {
                throw MalformedOption(option: "--build-context", value: option, expected: "a digest after @: \(error)")
            }
            path = path[..<at]
        }
        var tag: String?
        let lastSlash = path.lastIndex(of: "/") ?? path.startIndex
        if let colon = path[lastSlash...].firstIndex(of: ":") {
            tag = String(path[path.index(after: colon)...])
            path = path[..<colon]
        }
        guard !path.isEmpty else {
            throw MalformedOption(option: "--build-context", value: option, expected: "a directory after oci-layout://")
        }
        return .layout(path: absolute(String(path), in: directory), tag: tag, digest: digest)
    }
}

/// A host path made absolute by joining: only for paths that the user typed.
public func absolute(_ path: String, in directory: String) -> String {
    if path.hasPrefix("/") { return path }
    return path == "." || path.isEmpty ? directory : "\(directory)/\(path)"
}

extension String {
    /// The path without slashes at its end; the root keeps its own.
    var withoutSlashesAtEnd: String {
        let bytes = utf8
        let end = bytes.lastIndex { $0 != UInt8(ascii: "/") }.map(bytes.index(after:))
        return isEmpty ? "" : String(self[..<(end ?? bytes.index(after: startIndex))])
    }
}

extension OutputSpec {
    /// Parses `DIR` or `type=…,dest=…[,tar=…][,compression=…][,copy=…]`.
    /// - Throws: ``MalformedOption``.
    public init(parsing text: String, in directory: String) throws(MalformedOption) {
        func failure(_ expected: String) -> MalformedOption {
            MalformedOption(option: "--output", value: text, expected: expected)
        }
        guard !text.isEmpty else { throw failure("DIR or type=…,dest=PATH") }
        guard text.contains("=") else {
            let isStream = text == "-"
            self.init(
                kind: isStream ? .tar : .oci(tar: false),
                destination: isStream ? "-" : absolute(text, in: directory)
            )
            return
        }
        var fields = OptionFields(text)
        let type = fields.take("type") ?? "oci"
        let (names, push) = (fields.take("name"), fields.take("push"))
        let tar = fields.take("tar")
        let copy = fields.take("copy")
        let destination = fields.take("dest", "destination")
        let compressionName = fields.take("compression") ?? "gzip"
        if let unknown = fields.fields.first {
            throw failure("type, dest, name, push, tar, compression and copy only, not `\(unknown.key)`")
        }
        guard let compression = BlobCompression(rawValue: compressionName == "uncompressed" ? "none" : compressionName)
        else { throw failure("compression=gzip, zstd or uncompressed") }
        if type == "image" || type == "registry" {
            guard destination == nil, tar == nil, copy == nil else {
                throw failure("no dest, no tar and no copy with type=\(type)")
            }
            let kind = try Self.named(type, names, push: push, failure)
            self.init(kind: kind, destination: "", compression: compression)
            return
        }
        guard names == nil, push == nil else { throw failure("name and push with type=image or registry only") }
        guard ["oci", "docker", "tar", "local"].contains(type) else {
            throw failure("type=oci, docker, tar, local, image or registry")
        }
        guard let destination, !destination.isEmpty else { throw failure("dest=PATH") }
        for (name, value) in [("tar", tar), ("copy", copy)] {
            guard [nil, "true", "false"].contains(value) else { throw failure("\(name)=true or \(name)=false") }
        }
        let kind: Kind
        switch type {
        case "oci": kind = .oci(tar: tar.map { $0 == "true" } ?? (destination == "-" || destination.hasSuffix(".tar")))
        case "docker": kind = .docker
        case "tar": kind = .tar
        default: kind = .local
        }
        let isDirectory = kind == .local || kind == .oci(tar: false)
        guard destination != "-" || !isDirectory else { throw failure("a directory's path, not standard output") }
        guard copy == nil || kind == .oci(tar: false) else { throw failure("copy with a layout's directory only") }
        self.init(
            kind: kind,
            destination: destination == "-" ? "-" : absolute(destination, in: directory),
            compression: compression,
            mayShareBlobs: copy != "true"
        )
    }

    /// `type=image` and `type=registry`, as buildx has them: the latter is the former with `push=true`.
    private static func named(
        _ type: String,
        _ names: String?,
        push: String?,
        _ failure: (String) -> MalformedOption
    ) throws(MalformedOption) -> Kind {
        guard push == nil || push == "true" || push == "false" else { throw failure("push=true or push=false") }
        var references: [ImageReference] = []
        for name in names.map({ [$0] }) ?? [] {
            guard let reference = try? ImageReference(parsing: name), reference.digest == nil else {
                throw failure("an image's name after name=, not `\(name)`")
            }
            references.append(reference)
        }
        return type == "registry" || push == "true" ? .registry(names: references) : .image(names: references)
    }
}
