import SystemPackage

/// An open file that closes itself.
final class Descriptor: Sendable {
    let descriptor: FileDescriptor

    init(path: String, _ mode: FileDescriptor.AccessMode = .readWrite) throws {
        descriptor = try FileDescriptor.open(path, mode)
    }

    deinit {
        try? descriptor.close()
    }
}
