import Glibc
import OCI

/// Where the files lie that tell of registries.
///
/// Source: containers-registries.conf(5), containers-registries.conf.d(5), containers-certs.d(5).
struct ConfigurationPlaces {
    private static let largestFile = 1 << 20

    let mainFile: String?
    let dropInDirectories: [String]
    let certificateDirectories: [String]

    /// The places of the machine below `system`, and the user's.
    init(environment: [String: String], home: String?, system: String = "/etc") {
        func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let personal = variable("XDG_CONFIG_HOME") ?? home.map { "\($0)/.config" }
        let directories = [personal, system].compactMap { $0.map { "\($0)/containers" } }
        certificateDirectories = directories.map { "\($0)/certs.d" } + ["\(system)/docker/certs.d"]
        if let file = variable("CONTAINERS_REGISTRIES_CONF") {
            mainFile = file
        } else {
            mainFile = directories.map { "\($0)/registries.conf" }.first(where: HostFile.exists)
        }
        if let directory = variable("CONTAINERS_REGISTRIES_CONF_DIR") {
            dropInDirectories = [directory]
        } else {
            dropInDirectories = directories.reversed().map { "\($0)/registries.conf.d" }
        }
    }

    /// What all files say: a later rule takes the place of an earlier one with the same prefix.
    func read() throws(RegistryConfigurationError) -> (rules: [RegistryRule], names: ShortNames) {
        var result: [RegistryRule] = []
        var names = ShortNames()
        for path in [mainFile].compactMap(\.self) + dropIns {
            let bytes: [UInt8]
            do {
                bytes = try HostFile.read(path, limit: Self.largestFile)
            } catch {
                // Links may lead nowhere.
                if error.isMissing, path != mainFile { continue }
                throw RegistryConfigurationError(path: path, problem: error.description)
            }
            let document = try TOMLDocument(parsing: bytes, path: path)
            try names.add(document, path: path)
            for rule in try RegistryRule.all(in: document, path: path) {
                result.removeAll { $0.prefix == rule.prefix }
                result.append(rule)
            }
        }
        return (result, names)
    }

    private var dropIns: [String] {
        dropInDirectories.flatMap { directory in
            DirectoryNames.sorted(in: directory).filter { $0.hasSuffix(".conf") }.map { "\(directory)/\($0)" }
        }
    }
}

/// The names in directories of configuration files.
enum DirectoryNames {
    /// All names, sorted; `nil` where there is no such directory, or it may not be read.
    static func all(in directory: String) -> [String]? {
        guard let stream = opendir(directory) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream), names.count < 1000 {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names.sorted()
    }

    /// All names, sorted; none where there is no such directory.
    static func sorted(in directory: String) -> [String] { all(in: directory) ?? [] }
}
