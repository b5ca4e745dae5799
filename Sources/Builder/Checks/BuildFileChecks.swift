import BuildFileParser
import OCI

/// The checks of a request's build file.
public struct BuildFileChecks: Sendable {
    /// The file as it was parsed.
    public let file: BuildFile
    /// What the directive `check`, or the build argument in its place, asks for.
    public let options: CheckOptions
    private let input: CheckInput

    /// Parses the request's build file and its ignore file, and nothing else.
    /// - Throws: ``Diagnostic``, ``MalformedIgnoreFile``.
    public init(_ request: BuildRequest) throws {
        try self.init(parseBuildFile(request.buildFile), request)
    }

    init(_ file: BuildFile, _ request: BuildRequest) throws {
        self.file = file
        options = try Self.options(of: file, request)
        var input = CheckInput { (try? ImageReference(parsing: $0)) != nil }
        input.options = options
        input.target = request.target
        input.ignoreRules = request.contextPath == nil ? nil : try request.ignoreFile?.rules()
        self.input = input
    }

    /// The build argument comes before the directive, as in BuildKit.
    private static func options(of file: BuildFile, _ request: BuildRequest) throws -> CheckOptions {
        if let argument = request.buildArguments.last(where: { $0.name == "BUILDKIT_DOCKERFILE_CHECK" }) {
            return try CheckOptions(parsing: argument.value, at: nil)
        }
        guard let directive = file.directives.check else { return CheckOptions() }
        return try CheckOptions(parsing: directive.value, at: directive.range)
    }

    /// What is found in the file alone.
    public func findings() -> [Finding] { file.findings(input) }

    /// What is found when the images that the stages stand on are known.
    func findings(baseImages: [Int: BaseImage]) -> [Finding] {
        var input = input
        input.baseVariables = baseImages.mapValues(\.variables)
        var findings = file.findings(input)
        guard options.applies(.invalidBaseImagePlatform) else { return findings }
        for (index, stage) in file.stages.enumerated() {
            guard let image = baseImages[index], !image.actual.isUsable(for: image.expected) else { continue }
            let message =
                "Base image \(image.name) was pulled with platform \"\(image.actual)\", expected \"\(image.expected)\""
                + " for current build"
            let range = stage.from.value.image.range
            findings.append(Finding(.invalidBaseImagePlatform, message, at: range, in: stage.from.range))
        }
        return findings
    }

    /// Hands the findings to whoever shows progress, and ends the build where the file wants that.
    func report(_ findings: [Finding], to progress: any ProgressSink) throws(FailedChecks) {
        for finding in findings { progress.emit(.finding(finding)) }
        if options.findingsAreErrors, !findings.isEmpty { throw FailedChecks(count: findings.count) }
    }
}

extension Platform {
    fileprivate func isUsable(for wanted: Platform) -> Bool { os == wanted.os && architecture == wanted.architecture }
}

/// A build that its checks forbid: `# check=error=true`.
struct FailedChecks: Error, Sendable, CustomStringConvertible {
    let count: Int

    var description: String {
        """
        nothing was built: \(count) \(count == 1 ? "check" : "checks") failed, and `check=error=true` makes that an \
        error; mend what they found, or name the rules in `skip=`
        """
    }
}
