import BuildFileParser
import OCI

/// The values that ARG can have from outside a stage: the command line's, the file's global ones, the automatic ones.
struct ArgumentValues: Sendable {
    /// The command line's `--build-arg`.
    private let given: [String: String]
    private(set) var global: [String: String] = [:]
    private let automatic: [String: String]

    /// Proxy settings need no ARG; they reach RUN, but no key and no history.
    static let proxyNames = [
        "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy",
        "ALL_PROXY", "all_proxy",
    ]

    init(request: BuildRequest) {
        var given: [String: String] = [:]
        for argument in request.buildArguments { given[argument.name] = argument.value }
        if let epoch = request.sourceDateEpoch, given["SOURCE_DATE_EPOCH"] == nil { given["SOURCE_DATE_EPOCH"] = epoch }
        self.given = given
        let target = request.platform
        let build = Platform.host
        automatic = [
            "TARGETPLATFORM": target.description, "TARGETOS": target.os, "TARGETARCH": target.architecture,
            "TARGETVARIANT": target.variant, "BUILDPLATFORM": build.description, "BUILDOS": build.os,
            "BUILDARCH": build.architecture, "BUILDVARIANT": build.variant,
            "TARGETSTAGE": request.target ?? "default",
        ]
    }

    /// The value of a variable before the first stage and in FROM.
    func globalValue(_ name: String) -> String? { global[name] ?? automatic[name] }

    /// Takes the ARGs before the first FROM, each expanded with those above it.
    mutating func declareGlobals(_ instructions: [Located<ArgInstruction>]) throws(Diagnostic) {
        var bytes = 0
        for instruction in instructions {
            for declaration in instruction.value.declarations {
                let name = declaration.name.value
                if let value = given[name] {
                    global[name] = value
                } else if let word = declaration.defaultValue {
                    global[name] = try word.expand(globalValue).text
                }
                bytes += global[name]?.utf8.count ?? 0
                guard bytes <= JSONValue.largestDocument else {
                    throw Diagnostic("the values of the global arguments grow beyond 4 MiB", at: declaration.name.range)
                }
            }
        }
    }

    /// The value of an ARG declared in a stage: the command line's, its own default, the global or automatic one.
    func value(of name: String, default ownDefault: String?) -> String? {
        given[name] ?? ownDefault ?? globalValue(name)
    }

    /// `NAME=value` of the proxy settings that were given and that no ARG declares.
    func proxies(except declared: [String]) -> [String] {
        Self.proxyNames.compactMap { name in
            declared.contains(name) ? nil : given[name].map { "\(name)=\($0)" }
        }
    }

    /// The name of the sandbox's host.
    var hostname: String { given["BUILDKIT_SANDBOX_HOSTNAME"] ?? "swbuild" }

    /// The moment that fixes all times, where one was given.
    var sourceDateEpoch: String? { given["SOURCE_DATE_EPOCH"] }
}
