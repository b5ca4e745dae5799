import OCI

/// Pulls from and pushes to registries.
///
/// One client for a program's life: it keeps connections, tokens and what registries said of themselves. Every call
/// blocks its thread; any thread may call, and several at once. What a registry says is not trusted: manifests come
/// back verified, and blobs have a sink that verifies them.
///
/// Source: distribution-spec 1.1.
public final class RegistryClient: Sendable {
    let configuration: RegistryConfiguration
    let isCancelled: @Sendable () -> Bool

    /// A client for these settings, whose calls end early when `isCancelled` says so (asked on the calling thread).
    public init(
        _ configuration: RegistryConfiguration,
        isCancelled: @escaping @Sendable () -> Bool = { Task.isCancelled }
    ) {
        self.configuration = configuration
        self.isCancelled = isCancelled
    }
}

/// A manifest or index as a registry gave it.
public struct RemoteManifest: Sendable, Hashable {
    /// The document, byte for byte.
    public var bytes: [UInt8]
    /// Its media type, digest and size.
    public var descriptor: Descriptor

    /// A document and its descriptor.
    public init(bytes: [UInt8], descriptor: Descriptor) {
        self.bytes = bytes
        self.descriptor = descriptor
    }
}

/// Takes the bytes of a blob in their order, and checks size and digest as they arrive.
public protocol BlobSink: AnyObject {
    /// How many bytes are there already: the next ones are asked for.
    var received: Int64 { get }
    /// Takes the next bytes; `false` ends the download.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Bool
}

/// How a blob came to be at a registry.
public enum BlobPushOutcome: Sendable, Hashable {
    /// The repository had it.
    case alreadyThere
    /// The registry took it from another of its repositories.
    case mounted
    /// It was sent.
    case uploaded
}
