import BuildFileParser
import OCI

/// A node's place in its graph.
public struct NodeID: Sendable, Hashable, Comparable {
    /// The node's index in ``BuildGraph/nodes``.
    public let index: Int

    public static func < (left: Self, right: Self) -> Bool { left.index < right.index }
}

/// The steps that a target needs. An input names an earlier node only, so the list is in a possible order of execution.
public struct BuildGraph: Sendable {
    public internal(set) var nodes: [Node] = []
    /// The local directories that steps read, the main context first where there is one.
    public internal(set) var contexts: [ContextSpec] = []
    /// The images that steps begin from or copy from.
    public internal(set) var images: [ResolvedImage] = []
}

/// A step: what it does, and which steps it needs.
public struct Node: Sendable {
    public var operation: Operation
    /// Every node that must be finished first; the one it stands on, if any, is the first.
    public var inputs: [NodeID]
    public var display: StepDisplay
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
}

/// A local directory as a source.
public struct ContextSpec: Sendable, Hashable {
    /// `nil` for the main context.
    public var name: String?
    public var path: String
    public var ignoreFile: IgnoreFile?
}

/// Where COPY and mounts take their files.
public enum FileSource: Sendable, Hashable {
    /// An index into ``BuildGraph/contexts``.
    case context(Int)
    case node(NodeID)
    /// Nothing to take files from: the step has only inline sources.
    case none
}

/// What a step does.
public enum Operation: Sendable, Hashable {
    case scratch
    /// An index into ``BuildGraph/images``.
    case image(Int)
    case run(RunStep)
    case copy(CopyStep)
    case makeDirectory(MakeDirectoryStep)
}

/// `WORKDIR`: makes the directory where it is missing, owned by the user in force.
public struct MakeDirectoryStep: Sendable, Hashable {
    public var base: NodeID
    public var path: String
    public var user: String
}

/// `RUN`.
public struct RunStep: Sendable, Hashable {
    public var base: NodeID
    public var arguments: [String]
    /// A script beginning with `#!`, placed where the last of `arguments` names it.
    public var scriptFile: String?
    /// `NAME=value`, in order, without what the user's home directory or the caller adds.
    public var environment: [String]
    /// `HTTP_PROXY` and the like: visible to the step, in no key and no history.
    public var proxyEnvironment: [String]
    public var user: String
    public var workingDirectory: String
    public var mounts: [MountSpec]
    public var network: NetworkMode
    public var hostname: String
}

/// `RUN --mount`.
public struct MountSpec: Sendable, Hashable {
    /// Whether several steps may use a cache at once.
    public enum Sharing: String, Sendable, Hashable {
        case shared
        case `private`
        case locked
    }

    /// A cache directory's properties.
    public struct Cache: Sendable, Hashable {
        public var id: String
        public var sharing: Sharing
        public var source: FileSource
        public var path: String
        public var mode: UInt32
        public var uid: UInt32
        public var gid: UInt32
        public var readOnly: Bool
    }

    /// A secret's properties as a mount.
    public struct SecretFile: Sendable, Hashable {
        public var id: String
        public var required: Bool
        /// The variable that holds the value; `nil` for none.
        public var environment: String?
        /// Whether there is a file; not where only a variable was asked for.
        public var isFile: Bool
        public var mode: UInt32
        public var uid: UInt32
        public var gid: UInt32
    }

    /// What is mounted.
    public enum Kind: Sendable, Hashable {
        case bind(source: FileSource, path: String, writable: Bool)
        case cache(Cache)
        case tmpfs(size: UInt64?)
        case secret(SecretFile)
        case ssh(id: String, required: Bool, mode: UInt32, uid: UInt32, gid: UInt32)
    }

    /// An absolute path in the container.
    public var target: String
    public var kind: Kind
}

/// `COPY` and `ADD`, expanded.
public struct CopyStep: Sendable, Hashable {
    /// What is copied.
    public enum Source: Sendable, Hashable {
        /// A path or pattern below the root of `from`.
        case path(String)
        case inline(name: String, content: String)
        case url(String)
    }

    public var base: NodeID
    public var isAdd: Bool
    public var from: FileSource
    public var sources: [Source]
    /// Absolute; a final slash is kept.
    public var destination: String
    public var owner: String?
    public var mode: String?
    public var excludes: [String]
    public var link: Bool
    public var parents: Bool
    public var unpack: Bool?
    public var checksum: Digest?
}

/// What a stage becomes: its last step, and the configuration beside the layers.
public struct StageResult: Sendable {
    /// A line of the history that is to be written.
    public enum HistoryItem: Sendable {
        /// From the base image, as it was.
        case inherited(HistoryEntry)
        case metadata(createdBy: String)
        case layer(NodeID, createdBy: String)
    }

    public var node: NodeID
    public var config: ImageConfig
    public var history: [HistoryItem]
}
