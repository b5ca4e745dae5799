import ArgumentParser
import Builder
import OCI

/// What a build gives.
struct BuildResultOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "A name for the image: NAME[:TAG].")
    var tag: [String] = []

    @Option(name: .long, help: "A label of the image: NAME=VALUE.")
    var label: [String] = []

    @Option(name: .long, help: "An annotation of the manifest: NAME=VALUE.")
    var annotation: [String] = []

    @Option(
        name: .shortAndLong,
        help:
            "Also writes the result: DIR, or type=oci|docker|tar|local,dest=PATH[,tar=true|false][,compression=gzip|zstd|uncompressed][,copy=true|false], or type=registry[,name=NAME]."
    )
    var output: [String] = []

    @Option(name: .long, help: "Writes the digest of the image's configuration to a file.")
    var iidfile: String?

    @Option(name: .long, help: "Writes what was built, and every step, to a file as JSON.")
    var metadataFile: String?

    @Option(name: .long, help: "Writes where the time went to a file, for Perfetto or Chrome's trace viewer.")
    var trace: String?

    /// Fills in what the options say.
    func fill(_ request: inout BuildRequest, in directory: String) throws {
        for text in tag {
            do {
                request.tags.append(try ImageReference(parsing: text))
            } catch {
                throw MalformedOption(option: "-t", value: text, expected: "an image name: \(error)")
            }
        }
        request.labels = try label.map { try Self.pair($0, option: "--label") }
        request.annotations = try annotation.map { try Self.pair($0, option: "--annotation") }
        request.outputs = try output.map { try OutputSpec(parsing: $0, in: directory) }
    }

    private static func pair(_ text: String, option: String) throws -> (name: String, value: String) {
        let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let name = pair.first, !name.isEmpty else {
            throw MalformedOption(option: option, value: text, expected: "NAME=VALUE")
        }
        return (name, pair.count > 1 ? pair[1] : "")
    }

    private static func write(_ text: String, to file: String) throws {
        let path = absolute(file, in: Console.workingDirectory)
        try HostFile.writeResult(to: path) { descriptor in
            try HostFile.write(Array(text.utf8)[...], descriptor: descriptor, named: path)
        }
    }

    /// Writes the trace, also of a build that failed: what there was until then.
    func write(_ trace: Trace) throws {
        guard let path = self.trace else { return }
        try trace.write(to: absolute(path, in: Console.workingDirectory))
    }

    /// Writes the files that were asked for, and the result to standard output.
    func write(_ result: BuildResult, quiet: Bool) throws {
        let digest = result.image.descriptor.digest.description
        if let iidfile {
            let config = result.image.manifest.config.digest.description
            try Self.write(config, to: iidfile)
        }
        if let metadataFile {
            try Self.write(result.metadata.prettyPrinted(), to: metadataFile)
        }
        let streamsResult = output.contains { $0 == "-" || $0.contains("dest=-") }
        if streamsResult { return }
        if quiet {
            try Console.print(digest)
            return
        }
        let names = result.tags.map { " \($0.tagged.familiar)" }.joined()
        try Console.print("\(digest)\(names)")
    }
}
