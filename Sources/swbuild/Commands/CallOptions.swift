import ArgumentParser
import BuildFileParser
import Builder
import OCI

/// What is done with a build file: `--call`.
enum Call: String, CaseIterable {
    case build, check, outline, targets
}

/// The form of a result for people, or for programs.
enum ResultFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}

/// `--call METHOD[,format=FORMAT]`.
struct CallOptions: ParsableArguments {
    @Option(
        name: .long,
        help: "What to do: build, check, outline or targets; 'check,format=json' and the like give JSON."
    )
    var call = "build"

    @Flag(name: .long, help: "Only checks the build file: --call check.")
    var check = false

    func validate() throws {
        if parsed == nil {
            throw ValidationError(
                "--call \(call): expected build, check, outline or targets, and perhaps ',format=text' or ',format=json'"
            )
        }
        if check, call != "build", parsed?.method != .check {
            throw ValidationError("--check and --call \(call) cannot both be done")
        }
    }

    /// What to do and how to show it.
    var request: (method: Call, format: ResultFormat) {
        let parsed = parsed ?? (.build, .text)
        return check ? (.check, parsed.format) : parsed
    }

    private var parsed: (method: Call, format: ResultFormat)? {
        let parts = call.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        var format = ResultFormat.text
        // BuildKit's own name for the check.
        guard let method = parts[0] == "lint" ? .check : Call(rawValue: parts[0]) else { return nil }
        for part in parts.dropFirst() {
            guard part.hasPrefix("format="), let given = ResultFormat(rawValue: String(part.dropFirst(7))) else {
                return nil
            }
            format = given
        }
        return (method, format)
    }
}

/// Carries out what needs the build file alone: nothing is built, and no store is opened.
struct BuildFileCall {
    let method: Call
    let format: ResultFormat
    let request: BuildRequest

    /// Prints the result; whether nothing was found that speaks against the file.
    func print() throws -> Bool {
        let checks: BuildFileChecks
        do {
            checks = try BuildFileChecks(request)
        } catch let error as Diagnostic where method == .check && format == .json {
            try Console.print(CheckReport.json(of: error, in: request).prettyPrinted())
            return false
        }
        switch method {
        case .build: return true
        case .check:
            let report = CheckReport(
                fileName: request.buildFileName,
                source: request.buildFile,
                findings: checks.findings(),
                options: checks.options
            )
            let color = Console.hasColor(on: 1)
            try Console.print(format == .json ? report.json.prettyPrinted() : report.text(color: color))
            return report.findings.isEmpty
        case .outline:
            let outline = try checks.file.outline(target: request.target, values: request.buildArguments)
            let report = OutlineReport(outline: outline, source: request.buildFile)
            try Console.print(format == .json ? report.json.prettyPrinted() : report.text)
        case .targets:
            let report = TargetsReport(targets: checks.file.targetDescriptions(), source: request.buildFile)
            try Console.print(format == .json ? report.json.prettyPrinted() : report.text)
        }
        return true
    }
}
