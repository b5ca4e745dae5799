import BuildFileParser
import Glibc
import LayerDiff
import OCI

/// Lists what a build context holds, what its ignore file drops, and by which line.
///
/// One directory at a time is in memory. What is dropped with all that is in it is not entered.
public struct ContextListing: Sendable {
    /// The ignore file that applies, by the name that messages use; `nil` where there is none.
    public let ignoreFileName: String?
    private let path: String
    private let directory: Directory
    private let rules: IgnoreRules

    /// Opens a context; the build file, which need not be there, says which ignore file applies.
    ///
    /// Relative paths are taken from `workingDirectory`.
    /// - Throws: ``MalformedOption``, ``HostFileError``, ``MalformedIgnoreFile``.
    public init(context: String, buildFile: String?, workingDirectory: String) throws {
        let option = "the context"
        let isElsewhere = try RemoteLocation.parse(context, in: workingDirectory, option: option) != nil
        guard context != "-", !isElsewhere else {
            throw MalformedOption(
                option: option,
                value: withoutCredentials(context),
                expected: "a directory of this machine: what comes from elsewhere cannot be listed"
            )
        }
        let name = absolute(context, in: workingDirectory)
        guard let resolved = realpath(name, nil) else {
            throw HostFileError("open the build context", name, code: errno)
        }
        path = String(cString: resolved)
        free(resolved)
        directory = try Directory(path: path)
        let context = path
        let standard = BuildInputs.defaultNames.map { "\(context)/\($0)" }.first(where: HostFile.exists)
        let file = try IgnoreFile.find(
            beside: buildFile.map { absolute($0, in: workingDirectory) } ?? standard,
            in: path
        )
        ignoreFileName = file?.shortName(in: path)
        rules = try file?.rules() ?? IgnoreRules(patterns: [])
    }

    /// Visits what the context holds in byte order, a directory before what it holds.
    ///
    /// A directory that is kept only for what is below it comes with the first of that.
    ///
    /// - Throws: what `body` throws, and ``FileError`` where the context itself cannot be listed.
    public func walk(_ body: (ContextEntry) throws -> Void) throws {
        let items = try directory.list(.root)
        try withoutActuallyEscaping(body) { body in
            var walk = Walk(body: body)
            try visit(items, in: .root, .included, &walk)
        }
    }

    private struct Walk {
        let body: (ContextEntry) throws -> Void
        /// The directories above that are dropped, though not all that is below them may be.
        var pending: [ContextEntry] = []

        /// Hands on an entry that is kept, and what it is in.
        mutating func keep(_ entry: ContextEntry) throws {
            for directory in pending { try body(directory.with(.kept)) }
            pending = []
            try body(entry)
        }
    }

    private func visit(
        _ items: [DirectoryItem],
        in parent: ContainerPath,
        _ parentVerdict: IgnoreRules.Verdict,
        _ walk: inout Walk
    ) throws {
        for item in items {
            let path = parent.appending(item.name)
            let verdict = rules.verdict(for: path.bytes, parent: parentVerdict)
            let entry = self.entry(path, item.status, verdict)
            let isEntered =
                item.status.kind == .directory
                && (!verdict.ignored || rules.mayContainExceptions(below: path.bytes, ignoredBy: verdict))
            guard isEntered else {
                if entry.fate == .kept { try walk.keep(entry) } else { try walk.body(entry) }
                continue
            }
            let children: [DirectoryItem]
            do throws(FileError) {
                children = try directory.list(path)
            } catch {
                try walk.body(entry.with(.unusable("\(error)")))
                continue
            }
            if verdict.ignored { walk.pending.append(entry) } else { try walk.keep(entry) }
            try visit(children, in: path, verdict, &walk)
            if let last = walk.pending.last, last.path == path.bytes {
                walk.pending.removeLast()
                try walk.body(entry)
            }
        }
    }

    private func entry(_ path: ContainerPath, _ status: FileStatus, _ verdict: IgnoreRules.Verdict) -> ContextEntry {
        let fate: ContextEntry.Fate
        if verdict.ignored, let line = verdict.line, let pattern = rules.pattern(of: verdict) {
            fate = .dropped(line: line, pattern: pattern)
        } else if status.kind == .socket {
            fate = .unusable("sockets are not copied")
        } else if status.kind == .file, !isReadable(path) {
            fate = .unusable("it may not be read")
        } else {
            fate = .kept
        }
        return ContextEntry(
            path: path.bytes,
            kind: status.kind,
            size: status.kind == .file ? status.size : 0,
            fate: fate
        )
    }

    private func isReadable(_ file: ContainerPath) -> Bool {
        let name = Array(path.utf8) + [UInt8(ascii: "/")] + file.bytes + [0]
        return name.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return false }
            return access(start.assumingMemoryBound(to: CChar.self), R_OK) == 0
        }
    }
}
