import BuildFileParser
import OCI

extension Planner {
    /// A stage on a build context: an image of its files alone.
    mutating func contextStage(
        _ name: String,
        _ location: ContextSpec.Location,
        platform: Platform,
        index: Int,
        _ display: StepDisplay
    ) -> StageState {
        let scratch = add(.scratch, inputs: [], display)
        let step = CopyStep(
            base: scratch,
            isAdd: false,
            from: .context(contextIndex(name: name, location)),
            sources: [.path("/")],
            destination: "/",
            excludes: [],
            link: false,
            parents: false
        )
        let node = add(.copy(step), inputs: [scratch], display)
        var state = StageState.scratch(node: node, platform: platform, index, display)
        state.history.append(.layer(node, createdBy: "FROM \(name)"))
        return state
    }
}

extension NamedContext {
    /// Where the files are; `nil` for an image.
    var location: ContextSpec.Location? {
        switch source {
        case .directory(let path): .directory(path)
        case .git(let reference): .git(reference)
        case .archive(let url): .archive(url: url)
        case .layout, .image, .imageArchive: nil
        }
    }
}
