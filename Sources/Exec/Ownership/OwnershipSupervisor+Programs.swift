import CShims
import Glibc
import SystemPackage

/// Set-user-ID programs: who a process believes to be when it executes one (execve(2)).
extension OwnershipSupervisor {
    static let programNames = ["execve", "execveat"]

    /// Gives the process the identity that the program's owner and mode say.
    ///
    /// The kernel executes it with the rights that the process has. Where that fails, the process keeps an identity that is
    /// none but in its own belief.
    func beginProgram(_ call: borrowing TrappedCall, _ files: CallerFiles) {
        guard !scope.noNewPrivileges, let file = try? program(call, files) else { return }
        var status = cshims_status()
        guard cshims_status(file.number, "", &status) == 0, mode_t(status.mode) & S_IFMT == S_IFREG else { return }
        let mode = mode_t(status.mode)
        // Without the group's right to execute, the bit means something else.
        let (setsUser, setsGroup) = (mode & S_ISUID != 0, mode & (S_ISGID | S_IXGRP) == S_ISGID | S_IXGRP)
        guard setsUser || setsGroup, Self.isHonoured(file), call.isWaiting else { return }
        let owner = markedOwner(file) ?? .root
        processes.execute(call.thread, user: setsUser ? owner.uid : nil, group: setsGroup ? owner.gid : nil)
    }

    /// Whether the kernel would look at the bits: not on a mount without them, and not of a script.
    private static func isHonoured(_ file: borrowing Descriptor) -> Bool {
        var system = statvfs()
        guard fstatvfs(file.number, &system) == 0, system.f_flag & UInt(ST_NOSUID) == 0 else { return false }
        var first: (UInt8, UInt8) = (0, 0)
        let result = withUnsafeMutableBytes(of: &first) { bytes in
            bytes.bindMemory(to: UInt8.self).baseAddress.map { swb_first_two_bytes(file.number, $0) } ?? -EIO
        }
        return result == 0 && first != (UInt8(ascii: "#"), UInt8(ascii: "!"))
    }

    private func program(_ call: borrowing TrappedCall, _ files: CallerFiles) throws(Errno) -> Descriptor {
        let words = call.arguments
        guard call.name == "execveat" else {
            guard let path = files.path(at: words[0]) else { throw .badAddress }
            return try files.file(path, from: AT_FDCWD, followsLast: true)
        }
        guard let path = files.path(at: words[1]) else { throw .badAddress }
        let flags = Self.int(words[4])
        if path.isEmpty, flags & CInt(CSHIMS_AT_EMPTY_PATH) != 0 { return try files.file(Self.int(words[0])) }
        return try files.file(path, from: Self.int(words[0]), followsLast: flags & AT_SYMLINK_NOFOLLOW == 0)
    }
}
