import SystemPackage

extension SandboxError {
    /// The exit status by which shells tell that a command could not be executed (POSIX.1-2017, 2.8.2): 127 where it was
    /// not found, 126 where it is there; `nil` for what is no fault of the command's.
    public var shellStatus: Int32? {
        switch stage {
        case .execute where errno == .noSuchFileOrDirectory: 127
        case .execute, .interpreter: 126
        default: nil
        }
    }
}
