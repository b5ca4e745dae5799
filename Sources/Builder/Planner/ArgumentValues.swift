import BuildFileParser
import OCI

/// The values that ARG can have from outside a stage: the command line's, the file's global ones, the automatic ones.
struct ArgumentValues: Sendable {
    /// The command line's `--build-arg`.
    private let given: [String: String]
    private(set) var global: [String: String] = [:]
    private let automatic: [String: String]

    /// Proxy settings need no ARG; they reach RUN, but no key and no history.
    private static let proxyNames = ["HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"]

    /// Whether a build argument has a meaning without an ARG.
    static func needsNoDeclaration(_ name: String) -> Bool {
        let isProxy = proxyNames.contains { name == $0 || name == $0.lowercased() }
        return isProxy || name.hasPrefix("BUILDKIT_") || name == "SOURCE_DATE_EPOCH"
    }

    /// `lastStage` is what `TARGETSTAGE` says where the command line names no target.
    init(request: BuildRequest, lastStage: String?) {
        var given: [String: String] = [:]
        for argument in request.buildArguments { given[argument.name] = argument.value }
        if let epoch = request.sourceDateEpoch, given["SOURCE_DATE_EPOCH"] == nil { given["SOURCE_DATE_EPOCH"] = epoch }
        self.given = given
        let target = request.platform
        let build = Platform.host
        let standard = [
            "TARGETPLATFORM": target.description, "TARGETOS": target.os, "TARGETARCH": target.architecture,
            "TARGETVARIANT": target.variant, "BUILDPLATFORM": build.description, "BUILDOS": build.os,
            "BUILDARCH": build.architecture, "BUILDVARIANT": build.variant,
            "TARGETSTAGE": request.target ?? lastStage?.lowercased() ?? "default",
        ]
        automatic = Dictionary(uniqueKeysWithValues: standard.map { ($0.key, given[$0.key] ?? $0.value) })
    }

    /// The value of a variable before the first stage and in FROM.
    func globalValue(_ name: String) -> String? { global[name] ?? automatic[name] }

    /// Takes the ARGs before the first FROM, each expanded with those above it.
    mutating func declareGlobals(_ instructions: [Located<ArgInstruction>]) throws(Diagnostic) {
        for instruction in instructions {
            for declaration in instruction.value.declarations {
                let name = declaration.name.value
                if let value = given[name] {
                    global[name] = value
                } else if let word = declaration.defaultValue {
                    global[name] = try word.expand(globalValue).text
                }
            }
        }
    }

    /// The command line's value.
    func givenValue(_ name: String) -> String? { given[name] }

    /// `NAME=value` of the proxy settings that were given and that the stage does not set itself.
    ///
    /// Some programs read them in upper case, some in lower case: one that was given is there in both.
    func proxies(besides scope: VariableScope) -> [String] {
        Self.proxyNames.flatMap { upper in
            let lower = upper.lowercased()
            return [(upper, given[upper] ?? given[lower]), (lower, given[lower] ?? given[upper])]
        }
        .compactMap { name, value in
            guard let value, !value.isEmpty, scope[name] == nil else { return nil }
            return "\(name)=\(value)"
        }
    }

    /// The name of the sandbox's host.
    var hostname: String { given["BUILDKIT_SANDBOX_HOSTNAME"] ?? "swbuild" }

    /// The moment that fixes all times, where one was given, or else the file's own.
    var sourceDateEpoch: String? {
        if let epoch = given["SOURCE_DATE_EPOCH"] { return epoch }
        return global["SOURCE_DATE_EPOCH"].flatMap { $0.isEmpty ? nil : $0 }
    }
}
