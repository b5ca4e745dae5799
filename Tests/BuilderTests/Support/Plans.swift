import BuildFileParser
import Glibc
import OCI
import Synchronization

@testable import Builder
@testable import OCI

/// Images by name, without layers; remembers what it was asked for.
final class FakeImages: ImageSource {
    private let configs: [String: RuntimeConfig]
    private let scratch = Result { try Scratch() }
    private let asked = Mutex<[String]>([])

    init(_ configs: [String: RuntimeConfig] = [:]) { self.configs = configs }

    var requests: [String] { asked.withLock { $0 } }

    struct Unknown: Error, CustomStringConvertible {
        var description: String { "it is not there" }
    }

    func resolve(_ source: NamedContext.Source, platform: Platform) throws -> ResolvedImage {
        let name =
            switch source {
            case .image(let reference): reference.familiar
            case .layout(let path, let tag, _): "\(path):\(tag ?? "-")"
            case .directory(let path): path
            case .git(let reference): reference.shown
            case .archive(let url): url
            case .imageArchive(let path, _, let name): "\(path):\(name ?? "-")"
            }
        asked.withLock { $0.append(name) }
        let scratch = try self.scratch.get()
        guard name != "unknown" else { throw Unknown() }
        var config = ImageConfig(platform: platform)
        config.runtime = configs[name] ?? RuntimeConfig()
        config.history = [HistoryEntry(created: nil, createdBy: "base", comment: nil, isEmptyLayer: false)]
        let document = try config.json.encoded() + Array(name.utf8)
        let descriptor = Descriptor(mediaType: .config, digest: Digest(of: document), size: Int64(document.count))
        return ResolvedImage(
            layout: try ImageLayout(creating: "\(scratch.path)/layout"),
            descriptor: descriptor,
            manifest: ImageManifest(config: descriptor, layers: []),
            config: config
        )
    }
}

/// A build file's plan: `nil` as the context for a build without one.
func plan(
    _ text: String,
    images: FakeImages = FakeImages(),
    _ change: (inout BuildRequest) throws -> Void = { _ in }
) throws -> BuildPlan {
    var request = BuildRequest()
    request.contextPath = "/context"
    try change(&request)
    return try Planner.plan(try parseBuildFile(Array(text.utf8)), request: request, images: images)
}

extension BuildPlan {
    /// The history's own lines, those without a layer in brackets.
    var history: [String] {
        result.history.compactMap { item in
            switch item {
            case .inherited: nil
            case .metadata(let text, _): "[\(text)]"
            case .layer(_, let text): text
            }
        }
    }

    /// The steps that the target needs, by what is shown of them.
    var neededSteps: [String] {
        var needed: Set<Int> = []
        var waiting = [result.node.index]
        while let index = waiting.popLast() {
            guard needed.insert(index).inserted else { continue }
            waiting += graph.nodes[index].inputs.map(\.index)
        }
        return needed.sorted().map { graph.nodes[$0].display.instruction }
    }

    var runs: [RunStep] {
        graph.nodes.compactMap { node in
            guard case .run(let step) = node.operation else { return nil }
            return step
        }
    }

    var copies: [CopyStep] {
        graph.nodes.compactMap { node in
            guard case .copy(let step) = node.operation else { return nil }
            return step
        }
    }
}
