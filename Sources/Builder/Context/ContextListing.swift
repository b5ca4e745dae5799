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
        guard context != "-", !context.contains("://") else {
            throw MalformedOption(option: "the context", value: context, expected: "a directory")
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
    /// - Throws: what `body` throws.
    public func walk(_ body: (ContextEntry) throws -> Void) throws {
        var pending: [Pending] = []
        try walk(.root, .included, &pending, body)
    }

    /// A directory that is dropped, though not all that is below it may be.
    private struct Pending {
        var path: ContainerPath
        var entry: ContextEntry
    }

    private func walk(
        _ path: ContainerPath,
        _ parent: IgnoreRules.Verdict,
        _ pending: inout [Pending],
        _ body: (ContextEntry) throws -> Void
    ) throws {
        let items: [DirectoryItem]
        do throws(FileError) {
            items = try directory.list(path)
        } catch {
            return try body(ContextEntry(path: path.bytes, kind: .directory, size: 0, fate: .unusable("\(error)")))
        }
        for item in items {
            let child = path.appending(item.name)
            let verdict = rules.verdict(for: child.bytes, parent: parent)
            let entry = self.entry(child, item.status, verdict)
            let isDirectory = item.status.kind == .directory
            if case .dropped = entry.fate {
                guard isDirectory, rules.mayContainExceptions(below: child.bytes, ignoredBy: verdict) else {
                    try body(entry)
                    continue
                }
                pending.append(Pending(path: child, entry: entry))
                try walk(child, verdict, &pending, body)
                if let last = pending.last, last.path == child {
                    pending.removeLast()
                    try body(entry)
                }
                continue
            }
            if case .kept = entry.fate {
                for waiting in pending {
                    try body(ContextEntry(path: waiting.entry.path, kind: .directory, size: 0, fate: .kept))
                }
                pending = []
            }
            try body(entry)
            if isDirectory { try walk(child, verdict, &pending, body) }
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

    /// Root may read everything; others are asked for.
    private func isReadable(_ file: ContainerPath) -> Bool {
        if geteuid() == 0 { return true }
        let name = Array(path.utf8) + [UInt8(ascii: "/")] + file.bytes + [0]
        return name.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return false }
            return access(start.assumingMemoryBound(to: CChar.self), R_OK) == 0
        }
    }
}
