import Glibc

/// A program that runs the steps of a build in place of swbuild's own sandbox: runc, crun, or another with their calls.
public struct ContainerRuntime: Sendable, Hashable {
    /// The name as given, for messages.
    public let name: String
    /// The program's path.
    public let path: String

    /// Finds a program by a path, or by a name in the directories of `searchPath`.
    /// - Throws: ``MalformedOption`` where there is none that can be executed.
    public init(parsing text: String, in directory: String, searchPath: String) throws(MalformedOption) {
        name = text
        let candidates =
            text.contains("/")
            ? [absolute(text, in: directory)]
            : searchPath.split(separator: ":").map { "\($0)/\(text)" }
        guard let found = candidates.first(where: Self.isExecutable), !text.isEmpty else {
            throw MalformedOption(
                option: "--runtime",
                value: text,
                expected: text.contains("/")
                    ? "the path of a program" : "a program in PATH, such as runc or crun, or its path"
            )
        }
        path = found
    }

    private static func isExecutable(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}
