import Glibc

extension BuildRequest {
    /// Takes a value of `--ssh`: `ID`, `ID=SOCKET` or `ID=KEY[,KEY…]`.
    ///
    /// `agent` is the caller's own socket, which `ID` alone stands for.
    /// - Throws: ``MalformedOption``.
    public mutating func addAgent(_ text: String, own agent: String?, in directory: String) throws(MalformedOption) {
        func failure(_ expected: String) -> MalformedOption {
            MalformedOption(option: "--ssh", value: text, expected: expected)
        }
        let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let id = pair.first, !id.isEmpty else { throw failure("ID, ID=SOCKET or ID=KEYFILE") }
        guard pair.count == 2 else {
            guard let agent else { throw failure("ID=SOCKET or ID=KEYFILE, or SSH_AUTH_SOCK to be set") }
            sshAgents[id] = agent
            return
        }
        let paths = pair[1].split(separator: ",").map { absolute(String($0), in: directory) }
        guard let first = paths.first else { throw failure("a socket or key files after =") }
        var status = stat()
        for path in paths where stat(path, &status) != 0 {
            throw failure("a socket or key files that exist: \(path): \(String(cString: strerror(errno)))")
        }
        let sockets = paths.filter { stat($0, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK }
        if paths.count == 1, !sockets.isEmpty {
            sshAgents[id] = first
        } else {
            guard sockets.isEmpty else { throw failure("either one socket or key files") }
            sshKeys[id] = paths
        }
    }
}
