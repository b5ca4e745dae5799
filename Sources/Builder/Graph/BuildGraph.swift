import BuildFileParser
import OCI

/// A node's place in its graph.
struct NodeID: Sendable, Hashable, Comparable {
    /// The node's index in ``BuildGraph/nodes``.
    let index: Int

    static func < (left: Self, right: Self) -> Bool { left.index < right.index }
}

/// The steps that a target needs.
///
/// An input names an earlier node only, so the list is in a possible order of execution.
struct BuildGraph: Sendable {
    var nodes: [Node] = []
    /// The build contexts that steps read, the main context first where there is one.
    var contexts: [ContextSpec] = []
    /// The images that steps begin from or copy from.
    var images: [ResolvedImage] = []
}

/// A step: what it does, and which steps it needs.
struct Node: Sendable {
    var operation: Operation
    /// Every node that must be finished first; the one it stands on, if any, is the first.
    var inputs: [NodeID]
    var display: StepDisplay
}

/// How a step is shown: no part of its key.
public struct StepDisplay: Sendable, Hashable {
    /// `[build 2/3] RUN …`.
    public var name: String
    /// The instruction with its flags, COPY/ADD/WORKDIR expanded.
    public var instruction: String
    /// The stage's name, or `stage-N`.
    public var stage: String
    /// Where the instruction stands; `nil` for triggers of a base image.
    public var range: SourceRange?
    /// Whether `--no-cache-filter` names the stage.
    public var ignoresCache: Bool
    /// Where the instruction's words stand; empty for triggers of a base image.
    var places = WordPlaces()
}

/// A build context as a source.
struct ContextSpec: Sendable, Hashable {
    /// Where its files are.
    enum Location: Sendable, Hashable {
        /// An absolute path of the host.
        case directory(String)
        case git(GitReference)
        case archive(url: String)
    }

    /// `nil` for the main context.
    var name: String?
    var location: Location
    var ignoreFile: IgnoreFile?
}

/// Where COPY and mounts take their files.
enum FileSource: Sendable, Hashable {
    /// An index into ``BuildGraph/contexts``.
    case context(Int)
    case node(NodeID)
    /// Nothing to take files from: the step has only inline sources.
    case none
}

/// What a step does.
enum Operation: Sendable, Hashable {
    case scratch
    /// An index into ``BuildGraph/images``.
    case image(Int)
    case run(RunStep)
    case copy(CopyStep)
    case makeDirectory(MakeDirectoryStep)
}

/// `WORKDIR`: makes the directory where it is missing, owned by the user in force.
struct MakeDirectoryStep: Sendable, Hashable {
    var base: NodeID
    var path: String
    var user: String
}

/// `RUN`.
struct RunStep: Sendable, Hashable {
    var base: NodeID
    var arguments: [String]
    /// A script beginning with `#!`, placed where the last of `arguments` names it.
    var scriptFile: String?
    /// `NAME=value`, in order, without what the user's home directory or the caller adds.
    var environment: [String]
    /// `HTTP_PROXY` and the like: visible to the step, in no key and no history.
    var proxyEnvironment: [String]
    var user: String
    var workingDirectory: String
    var mounts: [MountSpec]
    var network: NetworkMode
    /// Whether it runs with all that root may: `--security=insecure`.
    var isInsecure: Bool
    var hostname: String
}

/// `RUN --mount`.
struct MountSpec: Sendable, Hashable {
    /// Whether several steps may use a cache at once.
    enum Sharing: String, Sendable, Hashable {
        case shared
        case `private`
        case locked
    }

    /// A cache directory's properties.
    struct Cache: Sendable, Hashable {
        var id: String
        var sharing: Sharing
        var source: FileSource
        var path: String
        var mode: UInt32
        var uid: UInt32
        var gid: UInt32
        var readOnly: Bool
    }

    /// A secret's properties as a mount.
    struct SecretFile: Sendable, Hashable {
        var id: String
        var required: Bool
        /// The variable that holds the value; `nil` for none.
        var environment: String?
        /// Whether there is a file; not where only a variable was asked for.
        var isFile: Bool
        var mode: UInt32
        var uid: UInt32
        var gid: UInt32
    }

    /// What is mounted.
    enum Kind: Sendable, Hashable {
        case bind(source: FileSource, path: String, writable: Bool)
        case cache(Cache)
        case tmpfs(size: UInt64?)
        case secret(SecretFile)
        case ssh(id: String, required: Bool, mode: UInt32, uid: UInt32, gid: UInt32)
    }

    /// An absolute path in the container.
    var target: String
    var kind: Kind
}

/// `COPY` and `ADD`, expanded.
struct CopyStep: Sendable, Hashable {
    /// What is copied.
    enum Source: Sendable, Hashable {
        /// A path or pattern below the root of `from`.
        case path(String)
        case inline(name: String, content: String)
        case url(String)
        case git(GitReference)
    }

    var base: NodeID
    var isAdd: Bool
    var from: FileSource
    var sources: [Source]
    /// Absolute; a final slash is kept.
    var destination: String
    var owner: String?
    var mode: String?
    var excludes: [String]
    var link: Bool
    var parents: Bool
    var unpack: Bool?
    var checksum: Digest?
}

/// What a stage becomes: its last step, and the configuration beside the layers.
struct StageResult: Sendable {
    /// A line of the history that is to be written.
    enum HistoryItem: Sendable {
        /// From the base image, as it was.
        case inherited(HistoryEntry)
        case metadata(createdBy: String, at: SourceRange?)
        case layer(NodeID, createdBy: String)
    }

    var node: NodeID
    var config: ImageConfig
    var history: [HistoryItem]
}
