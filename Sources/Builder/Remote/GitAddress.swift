import Registry

/// The part of a git URL that says where the repository is.
enum GitAddress {
    /// The reference to the whole repository at `address`; `nil` where that is no address of a repository.
    /// - Throws: ``MalformedGitReference`` where it is one with a mistake.
    static func parse(
        _ address: Substring,
        forms: GitReference.Forms
    ) throws(MalformedGitReference) -> GitReference? {
        if let scheme = schemeEnd(of: address) {
            guard let transport = GitReference.Transport(rawValue: address[..<scheme].lowercased()) else { return nil }
            return try parse(address[scheme...].dropFirst(3), transport, forms: forms)
        }
        return try parseRemoteCopyForm(address)
    }

    /// Where `://` begins after letters and digits.
    private static func schemeEnd(of address: Substring) -> Substring.Index? {
        let scheme = address.prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }
        return !scheme.isEmpty && address[scheme.endIndex...].hasPrefix("://") ? scheme.endIndex : nil
    }

    private static func parse(
        _ rest: Substring,
        _ transport: GitReference.Transport,
        forms: GitReference.Forms
    ) throws(MalformedGitReference) -> GitReference? {
        let authority = rest.prefix { $0 != "/" }
        let path = rest[authority.endIndex...]
        let at = authority.lastIndex(of: "@")
        let host = at.map { authority[authority.index(after: $0)...] } ?? authority
        let user = at.map { authority[..<$0] }
        var reference = GitReference(transport: transport, host: host.lowercased(), remote: "")
        switch transport {
        case .https, .http:
            guard path.hasSuffix(".git") || path.hasSuffix(".git/") || forms.contains(.anyHTTP) else { return nil }
            reference.credentials = user.map { percentDecoded($0.utf8) }
            reference.remote = "\(transport)://\(host)\(path)"
        case .git:
            reference.remote = "git://\(host)\(path)"
        case .ssh:
            let name = user.map { $0.prefix { $0 != ":" } + "@" } ?? ""
            reference.remote = "ssh://\(name)\(host)\(path)"
            try check(name, isUserOf: reference)
        case .file:
            guard forms.contains(.file), host.isEmpty else { return nil }
            reference.remote = "file://\(path)"
        }
        try check(reference, host: host, path: path)
        return reference
    }

    /// `git@host:path`, as scp has it.
    private static func parseRemoteCopyForm(_ address: Substring) throws(MalformedGitReference) -> GitReference? {
        let isName = { (character: Character) in
            character.isASCII && (character.isLetter || character.isNumber || character == "-" || character == "_")
        }
        let user = address.prefix(while: isName)
        guard !user.isEmpty, address[user.endIndex...].first == "@" else { return nil }
        let rest = address[user.endIndex...].dropFirst()
        let host = rest.prefix { isName($0) || $0 == "." }
        guard !host.isEmpty, rest[host.endIndex...].first == ":" else { return nil }
        let path = rest[host.endIndex...].dropFirst()
        let reference = GitReference(transport: .ssh, host: host.lowercased(), remote: "\(user)@\(host):\(path)")
        try check(user, isUserOf: reference)
        try check(reference, host: host, path: path)
        return reference
    }

    private static func check(
        _ user: some StringProtocol,
        isUserOf reference: GitReference
    ) throws(MalformedGitReference) {
        guard !user.hasPrefix("-") else {
            throw MalformedGitReference(url: reference.remote, reason: "its user begins with a dash")
        }
    }

    /// What begins with a dash could be an option of some program, of ssh's, say.
    private static func check(
        _ reference: GitReference,
        host: Substring,
        path: Substring
    ) throws(MalformedGitReference) {
        let problem: String? =
            if host.isEmpty, reference.transport != .file {
                "it names no host"
            } else if path.isEmpty || path == "/" {
                "it names no repository"
            } else if host.hasPrefix("-") || path.hasPrefix("-") {
                "a part of it begins with a dash"
            } else if reference.remote.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) {
                "it has a space or control character in it"
            } else {
                nil
            }
        if let problem { throw MalformedGitReference(url: reference.remote, reason: problem) }
    }
}

extension GitReference {
    /// The address of a submodule: a URL of its own, or a path relative to its parent's.
    ///
    /// Another repository never gets to name one of this machine.
    /// Source: git-submodule(1), "add".
    func submodule(_ url: String) throws(MalformedGitReference) -> GitReference {
        var address = url
        if url.hasPrefix("./") || url.hasPrefix("../") { address = joined(url) }
        let beforeQuery = address.prefix { $0 != "?" && $0 != "#" }
        guard beforeQuery.endIndex == address.endIndex,
            var result = try GitAddress.parse(address[...], forms: [.anyHTTP])
        else {
            throw MalformedGitReference(
                url: redacted(address),
                reason: "a submodule's repository must be reached by https, http, ssh or git"
            )
        }
        if result.host == host, result.transport == transport, result.credentials == nil {
            result.credentials = credentials
        }
        return result
    }

    private func joined(_ relative: String) -> String {
        var base = Substring(remote)
        while base.hasSuffix("/") { base = base.dropLast() }
        var rest = Substring(relative)
        while true {
            if rest.hasPrefix("./") {
                rest = rest.dropFirst(2)
            } else if rest.hasPrefix("../") {
                rest = rest.dropFirst(3)
                if let end = base.lastIndex(where: { $0 == "/" || $0 == ":" }) {
                    // `host:name` has nothing above but the host itself.
                    base = base[end] == ":" ? base[...end] : base[..<end]
                }
            } else {
                break
            }
        }
        return base.hasSuffix(":") ? "\(base)\(rest)" : "\(base)/\(rest)"
    }
}
