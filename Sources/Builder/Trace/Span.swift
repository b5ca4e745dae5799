/// A stretch of time that a build spent on something.
struct Span: Sendable, Equatable {
    /// What the time went to; the raw value is the name that the trace shows.
    enum Work: String, Sendable, CaseIterable {
        // The build as a whole.
        case build = "build"
        case inputs = "build file and context"
        case planning = "planning"
        case opening = "opening contexts"
        case steps = "steps"
        case lastLayers = "waiting for compression"
        case image = "configuration and manifest"
        case disk = "waiting for the disk"
        case publishing = "publishing"
        case output = "output"
        // A step, in the order of its parts.
        case queue = "waiting for other steps to end"
        case step = "step"
        case importing = "importing a layer"
        case download = "download"
        case key = "computing the key"
        case lookUp = "looking into the cache"
        case lock = "waiting for another build"
        case layersBelow = "waiting for layers below"
        case unpacking = "unpacking layers"
        case setUp = "preparing root and mounts"
        case sandbox = "starting the sandbox"
        case command = "command"
        case tearDown = "ending the sandbox"
        case selecting = "selecting files"
        case diff = "reading what changed"
        case comparing = "comparing with earlier layers"
        case leaks = "looking for secrets"
        case writing = "writing and hashing the tar"
        case keeping = "keeping index and directory"
        // Beside the steps.
        case compressing = "compressing"
        case recording = "recording the layer"
        case blob = "copying a blob"
    }

    /// How the work ended.
    enum Outcome: Sendable {
        case done, cached, failed
    }

    var work: Work
    /// The step that it belongs to, by its place in the graph.
    var step: Int?
    var began: Moment
    var ended: Moment
    /// What exactly: a digest, an address.
    var detail: String?
    /// What a command used.
    var usage: StepUsage?
    var outcome = Outcome.done

    var nanoseconds: UInt64 { ended.nanoseconds(since: began) }
}
