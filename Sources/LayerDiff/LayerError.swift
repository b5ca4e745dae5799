import SystemPackage

/// Why a layer could not be read, written or compared.
public struct LayerError: Error, Sendable, Hashable {
    /// What went wrong, with the facts.
    public enum Reason: Sendable, Hashable {
        /// An archive names something that may not be applied.
        case hostileEntry(name: String, why: String)
        /// More than is allowed.
        case limit(what: String, allowed: Int64)
        /// The blob ends in the middle.
        case truncated
        /// The bytes are not what they should be.
        case corrupt(why: String)
        /// A path is not of the kind that is needed.
        case wrongType(path: String, expected: String)
        /// A file is no longer as it was when it was listed.
        case changedWhileRead(path: String)
        /// A tree holds something that a layer cannot express.
        case unrepresentable(path: String, why: String)
        /// A layer holds something that an EROFS image cannot express, but perhaps a directory.
        case noImage(path: String, why: String)
        /// Too many symlinks on the way.
        case symlinkLoop(path: String)
        /// The file system refused.
        case file(FileError)
        /// The blob could not be read or written.
        case blob(operation: String, errno: Errno)
        /// A layer's unpacked directory could not be had.
        case noDirectory(layer: Int, why: String)
        /// A library that is loaded when it is needed is not there.
        case missingLibrary(why: String)
        /// The system gave no thread or no memory.
        case resources(what: String)
    }

    /// What went wrong.
    public let reason: Reason

    /// Wraps a reason.
    public init(_ reason: Reason) { self.reason = reason }

    /// Runs `body` and wraps a file error that it throws.
    static func wrapping<Value>(_ body: () throws(FileError) -> Value) throws(LayerError) -> Value {
        do throws(FileError) { return try body() } catch { throw LayerError(.file(error)) }
    }
}

extension LayerError: CustomStringConvertible {
    /// One sentence: what failed and why.
    public var description: String {
        switch reason {
        case .hostileEntry(let name, let why): "the archive's entry '\(name)' is refused: \(why)"
        case .limit(let what, let allowed): "the layer has more than \(allowed) \(what), which is the limit"
        case .truncated: "the layer's blob ends before the archive does: it is incomplete, fetch or build it again"
        case .corrupt(let why): "the layer's data is damaged: \(why)"
        case .wrongType(let path, let expected): "\(path) is no \(expected)"
        case .changedWhileRead(let path):
            "\(path) was changed while the build read it: see to it that nothing writes there, and build again"
        case .unrepresentable(let path, let why): "\(path) cannot be put into a layer: \(why)"
        case .noImage(let path, let why): "\(path) cannot be put into an EROFS image: \(why)"
        case .symlinkLoop(let path): "\(path) leads through more than \(LayerStack.symlinkLimit) symlinks"
        case .file(let error): error.description
        case .blob(let operation, let errno): "cannot \(operation) the layer's blob: \(errno)"
        case .noDirectory(let layer, let why): "layer \(layer + 1) cannot be had unpacked: \(why)"
        case .missingLibrary(let why):
            "a compressed archive cannot be read without libarchive: \(why); install it (Debian: libarchive13)"
        case .resources(let what): "the system has no more \(what)"
        }
    }
}
