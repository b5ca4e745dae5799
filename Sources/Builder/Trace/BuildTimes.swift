/// What a build's time went to, in seconds.
public struct BuildTimes: Sendable, Equatable {
    /// What the time of a step that ran went to.
    public struct Step: Sendable, Equatable {
        /// The step's place in the graph.
        public var index: Int
        /// How the step is shown.
        public var name: String
        /// The command itself; 0 for steps without one.
        public var command = 0.0
        /// What the command used; `nil` for steps without one.
        public var usage: StepUsage?
        /// What came before: downloads, key, cache, unpacking, mounts, selecting files.
        public var setUp = 0.0
        /// Finding what changed, and writing and hashing it.
        public var layer = 0.0
        /// Waiting within the step: for another build, or for layers below.
        public var waiting = 0.0
        /// What of the compression went on after the step was done, beside later ones or at the end.
        public var compression = 0.0
        /// What of that the build had to wait for at its end.
        public var compressionWait = 0.0
    }

    /// The steps that ran, in the order of the graph.
    public var steps: [Step] = []
    /// From the beginning to now.
    public var total = 0.0
    /// Reading and planning, contexts included.
    public var planning = 0.0
    /// From the first step's beginning to the last one's end.
    public var running = 0.0
    /// Waiting for compression when no step ran any more.
    public var compressionWait = 0.0
    /// Writing configuration and manifest, and layers in other forms, and naming the image.
    public var image = 0.0
    /// Waiting for the disk.
    public var disk = 0.0
    /// Writing outputs.
    public var outputs = 0.0
}

extension BuildTimes {
    /// The sums over `spans` of a build from `origin` to `now`, whose steps have these names.
    init(_ spans: [Span], steps names: [String], origin: Moment, now: Moment) {
        total = Self.seconds(now.nanoseconds(since: origin))
        var ran: [Int: Step] = [:]
        var lasts: [Span] = []
        for span in spans {
            let seconds = Self.seconds(span.nanoseconds)
            switch span.work {
            case .inputs, .planning, .opening: planning += seconds
            case .steps: running += seconds
            case .lastLayers:
                compressionWait += seconds
                lasts.append(span)
            case .image, .publishing: image += seconds
            case .disk: disk += seconds
            case .output: outputs += seconds
            case .step:
                guard let index = span.step, span.outcome == .done else { continue }
                let name = names.indices.contains(index) ? names[index] : ""
                // Its parts are taken off below; what is left is the set-up.
                ran[index] = Step(index: index, name: name, setUp: seconds)
            default: break
            }
        }
        for span in spans {
            guard let index = span.step, var step = ran[index] else { continue }
            step.add(span, lasts)
            ran[index] = step
        }
        steps = ran.keys.sorted().compactMap { ran[$0] }
    }

    fileprivate static func seconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1e9 }
}

extension BuildTimes.Step {
    /// Adds a part of the step; `lasts` are the times when nothing but compression went on.
    fileprivate mutating func add(_ span: Span, _ lasts: [Span]) {
        let seconds = BuildTimes.seconds(span.nanoseconds)
        switch span.work {
        case .command:
            command += seconds
            usage = span.usage
        case .diff, .comparing, .leaks, .writing, .keeping: layer += seconds
        case .lock, .layersBelow: waiting += seconds
        case .compressing, .recording:
            compression += seconds
            for last in lasts {
                let (began, ended) = (max(span.began, last.began), min(span.ended, last.ended))
                compressionWait += BuildTimes.seconds(ended.nanoseconds(since: began))
            }
            return
        default: return
        }
        setUp = max(0, setUp - seconds)
    }
}

extension Trace {
    /// What the time went to until now.
    func times() -> BuildTimes {
        let (spans, steps) = contents()
        return BuildTimes(spans, steps: steps, origin: origin, now: Moment.now())
    }
}
