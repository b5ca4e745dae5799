import OCI

/// All that a build is asked to do: a value that the command line makes and the builder carries out.
public struct BuildRequest: Sendable {
    /// The build file's name for messages.
    public var buildFileName = "Buildfile"
    /// The build file's bytes.
    public var buildFile: [UInt8] = []
    /// The main build context: an absolute path of the host; `nil` where there is none.
    public var contextPath: String?
    /// Where a context comes from that was brought here for this build; `nil` for a directory of the caller's.
    public var contextOrigin: String?
    /// What was taken from there.
    var contextSource: UsedSource?
    /// The ignore file's bytes and its name; `nil` where there is none.
    public var ignoreFile: IgnoreFile?
    /// The names of the image, in the order given.
    public var tags: [ImageReference] = []
    /// A stage by name or number; `nil` for the last.
    public var target: String?
    /// In the order given; a later one of the same name wins.
    public var buildArguments: [(name: String, value: String)] = []
    /// In the order given; a later one of the same name wins.
    public var namedContexts: [NamedContext] = []
    /// Labels that win over the build file's.
    public var labels: [(name: String, value: String)] = []
    /// Annotations of the manifest.
    public var annotations: [(name: String, value: String)] = []
    /// What RUN --mount=type=secret can ask for.
    public var secrets: [Secret] = []
    /// The platform of the result.
    public var platform = Platform.host
    /// Whether the result is declared to be for `platform`, whatever the base image of its last stage is for.
    public var platformIsGiven = false
    /// Which steps may be taken from the cache.
    public var cachePolicy = CachePolicy.use
    /// The network of steps that do not name one.
    public var network = NetworkMode.default
    /// What the sandboxes of steps are given beside the defaults, and what the build file may ask for.
    public var sandbox = SandboxOptions()
    /// How many steps may run at once.
    public var jobs = 1
    /// Where the result goes beside the store.
    public var outputs: [OutputSpec] = []
    /// From the environment; a build argument of that name wins.
    public var sourceDateEpoch: String?
    /// Host paths of agent sockets by id.
    public var sshAgents: [String: String] = [:]
    /// Host paths of private keys by the id of the agent that is to have them.
    public var sshKeys: [String: [String]] = [:]
    /// When base images are looked for at their registries.
    public var pull = PullPolicy.missing
    /// Registries that are spoken to without a certificate that somebody vouches for, or over plain HTTP.
    public var insecureRegistries: [String] = []
    /// What base images and remote sources must be.
    public var locked: SourceLock?
    /// Whether the build fails where a secret's value would become part of the image.
    public var checksLeaks = true

    /// A request that asks for nothing yet.
    public init() {}
}

/// An ignore file that applies to a context.
public struct IgnoreFile: Sendable, Hashable {
    /// The name as given.
    public var name: String
    /// The file's content.
    public var bytes: [UInt8]

    /// An ignore file by name and content.
    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }
}

/// Which steps may be taken from the cache.
public enum CachePolicy: Sendable, Hashable {
    case use
    case ignore
    /// Steps of these stages are run again.
    case ignoreStages([String])
}

/// What network a step has.
public enum NetworkMode: String, Sendable, Hashable, CaseIterable {
    case `default`
    case none
    case host
}

/// `--build-context NAME=VALUE`.
public struct NamedContext: Sendable, Hashable {
    /// What a name stands for.
    public enum Source: Sendable, Hashable {
        /// An absolute path of the host.
        case directory(String)
        case layout(path: String, tag: String?, digest: Digest?)
        case image(ImageReference)
        /// A file of images, and the name of one of them where it has several.
        case imageArchive(path: String, form: ArchiveForm, name: String?)
        case git(GitReference)
        /// A tar archive, by its http:// or https:// URL.
        case archive(url: String)
    }

    /// The name as given.
    public var name: String
    /// What it stands for, or where its value comes from.
    public var source: Source

    /// A name and what it stands for.
    public init(name: String, source: Source) {
        self.name = name
        self.source = source
    }
}

/// `--secret id=…`.
public struct Secret: Sendable, Hashable {
    /// Where a secret's value comes from.
    public enum Source: Sendable, Hashable {
        case file(String)
        case environment(String)
        /// What a program writes to its standard output.
        case command([String])
        /// What was read before.
        case value([UInt8])
    }

    /// The name that steps use.
    public var id: String
    /// What it stands for, or where its value comes from.
    public var source: Source

    /// A secret and where its value comes from.
    public init(id: String, source: Source) {
        self.id = id
        self.source = source
    }
}

/// `--output`: where the result goes beside the store.
public struct OutputSpec: Sendable, Hashable {
    /// The form of the result.
    public enum Kind: Sendable, Hashable {
        /// An OCI layout, as a directory or in a tar.
        case oci(tar: Bool)
        /// An archive for `docker load`.
        case docker
        /// The root file system as one tar.
        case tar
        /// The root file system in a directory.
        case local
        /// Further names in the store.
        case image(names: [ImageReference])
        /// A registry, under these names; under those of the build where there are none.
        case registry(names: [ImageReference])
    }

    /// The form of the result.
    public var kind: Kind
    /// A path of the host, or `-` for standard output; empty where the result does not go to a file.
    public var destination: String
    /// How the layers that the build makes are compressed.
    public var compression: BlobCompression
    /// Whether a layout's blobs may be the very files that the store has.
    public var mayShareBlobs: Bool

    /// An output of this kind to this place.
    public init(
        kind: Kind,
        destination: String,
        compression: BlobCompression = .gzip,
        mayShareBlobs: Bool = true
    ) {
        self.kind = kind
        self.destination = destination
        self.compression = compression
        self.mayShareBlobs = mayShareBlobs
    }
}
