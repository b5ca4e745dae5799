import Exec
import Glibc
import LayerDiff
import OCI
import Store

/// Writes an image as a bundle that other runtimes run (runtime-spec, bundle.md).
public struct BundleWriter: Sendable {
    private let store: Store
    private let image: StoredImages.Item

    /// A writer of an image of `store`.
    public init(store: Store, image: StoredImages.Item) {
        self.store = store
        self.image = image
    }

    /// Writes `config.json` and `rootfs` into a directory, which must be empty or not there.
    ///
    /// They are made beside it and put in its place when they are complete. Only its owner can enter the directory: an
    /// image may have set-user-ID programs.
    /// - Throws: ``BundleError``, and what reading the image throws.
    public func write(to path: String, options: ContainerOptions, hasTerminal: Bool) throws {
        guard geteuid() == 0, store.form == .trusted else { throw BundleError.needsRoot }
        // With a slash at its end a path is no name that something can be made under.
        let path = path.withoutSlashesAtEnd
        try Self.checkIsFree(path)
        let hold = try store.holdForBuild()
        defer { withExtendedLifetime(hold) {} }
        let stack = try store.stack(image.config.diffIDs)
        let users = try UserDatabase(in: stack)
        let document = try Self.document(image.config, users: users, options: options, hasTerminal: hasTerminal)
        let part = try PrivateDirectory(making: "\(path).\(UInt64.random(in: 0...UInt64.max)).part")
        do {
            try TreeWriter.write(stack.flattenedEntries(), to: part.makeDirectory("rootfs", mode: 0o755))
            try part.write(Array(document.prettyPrinted().utf8), to: "config.json")
            let code = try part.rename(to: path)
            guard code == 0 else { throw BundleError.cannotPlace(path, code: code) }
        } catch {
            part.remove()
            throw error
        }
    }

    /// The `config.json` of an image, which needs no more than its configuration and its users.
    static func document(
        _ config: ImageConfig,
        users: UserDatabase,
        options: ContainerOptions,
        hasTerminal: Bool
    ) throws -> JSONValue {
        let process = try ContainerProcess(config.runtime, users: users, options: options)
        // The root is a directory of the bundle: nothing is stacked.
        let root = SandboxPlan.Overlay(lowerDirectories: [], upperDirectory: "", workDirectory: "")
        let spec = RuntimeSpec(
            plan: process.plan(root: root, hostname: options.hostname),
            rootPath: "rootfs",
            hasTerminal: hasTerminal,
            filter: .docker(.docker),
            annotations: ImageAnnotations.of(config)
        )
        return try spec.json()
    }

    private static func checkIsFree(_ path: String) throws {
        var information = stat()
        guard lstat(path, &information) == 0 else {
            guard errno == ENOENT else { throw HostFileError("examine", path, code: errno) }
            return
        }
        guard information.st_mode & S_IFMT == S_IFDIR else { throw BundleError.notEmpty(path) }
        guard try Directory(path: path).list(.root).isEmpty else { throw BundleError.notEmpty(path) }
    }
}

/// Why a bundle cannot be written.
public enum BundleError: Error, Sendable, CustomStringConvertible {
    case needsRoot
    case notEmpty(String)
    case cannotPlace(String, code: Int32)

    /// One sentence: what is in the way, and what to do.
    public var description: String {
        switch self {
        case .needsRoot: "a bundle has files of other users, which root alone can make: call swbuild with sudo"
        case .notEmpty(let path): "\(path) is there and is no empty directory: name another place for the bundle"
        case .cannotPlace(let path, let code) where code == EBUSY || code == EINVAL:
            "\(path) cannot be replaced by the bundle, since something is mounted there or it is in use: name a directory in it"
        case .cannotPlace(let path, let code):
            "cannot put the bundle in its place \(path): \(String(cString: strerror(code)))"
        }
    }
}
