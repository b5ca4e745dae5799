/// How an image is run: the `config` member of its configuration.
///
/// Source: image-spec 1.1, config.md, "config".
public struct RuntimeConfig: Sendable, Hashable {
    private var members: [String: JSONValue]

    /// A configuration that says nothing.
    public init() { members = [:] }

    /// Reads the member; anything but an object is as good as none.
    public init(json: JSONValue) { members = json.object ?? [:] }

    /// The member as the document holds it.
    public var json: JSONValue { .object(members) }

    /// `user`, `uid`, `user:group` or `uid:gid`; empty for root.
    public var user: String {
        get { members["User"]?.string ?? "" }
        set { members["User"] = newValue.isEmpty ? nil : .string(newValue) }
    }

    /// Where commands start; empty for `/`.
    public var workingDirectory: String {
        get { members["WorkingDir"]?.string ?? "" }
        set { members["WorkingDir"] = newValue.isEmpty ? nil : .string(newValue) }
    }

    /// `NAME=value`, in order.
    public var environment: [String] {
        get { members["Env"]?.strings ?? [] }
        set { members["Env"] = newValue.isEmpty ? nil : .strings(newValue) }
    }

    /// `nil` where there is none.
    public var entrypoint: [String]? {
        get { members["Entrypoint"]?.strings }
        set { members["Entrypoint"] = newValue.map { .strings($0) } }
    }

    /// `nil` where there is none.
    public var command: [String]? {
        get { members["Cmd"]?.strings }
        set { members["Cmd"] = newValue.map { .strings($0) } }
    }

    /// The shell of shell forms; `nil` for the default.
    public var shell: [String]? {
        get { members["Shell"]?.strings }
        set { members["Shell"] = newValue.map { .strings($0) } }
    }

    /// The triggers for builds on this image.
    public var onBuild: [String] {
        get { members["OnBuild"]?.strings ?? [] }
        set { members["OnBuild"] = newValue.isEmpty ? nil : .strings(newValue) }
    }

    /// The signal that ends a container; empty for the default.
    public var stopSignal: String {
        get { members["StopSignal"]?.string ?? "" }
        set { members["StopSignal"] = newValue.isEmpty ? nil : .string(newValue) }
    }

    /// Name to value.
    public var labels: [String: String] {
        get { members["Labels"]?.object?.compactMapValues(\.string) ?? [:] }
        set { members["Labels"] = newValue.isEmpty ? nil : .strings(newValue) }
    }

    /// The health check as documents hold it.
    public var healthcheck: JSONValue? {
        get { members["Healthcheck"] }
        set { members["Healthcheck"] = newValue }
    }

    /// Adds ports (`80/tcp`).
    public mutating func expose(_ ports: [String]) { insert(ports, into: "ExposedPorts") }

    /// Adds the paths of volumes.
    public mutating func addVolumes(_ paths: [String]) { insert(paths, into: "Volumes") }

    /// All at once: taking the set out and putting it back costs as much as it is large.
    private mutating func insert(_ keys: [String], into member: String) {
        var set = members[member]?.object ?? [:]
        for key in keys { set[key] = .object([:]) }
        members[member] = .object(set)
    }

    /// The value of an environment variable.
    public func environmentValue(_ name: String) -> String? {
        environment.last { Self.name(of: $0) == name }.map { String($0.utf8.dropFirst(name.utf8.count + 1)) ?? "" }
    }

    /// Sets an environment variable: in its place where it is there already, once, else at the end.
    public mutating func setEnvironment(_ name: String, to value: String) {
        var list = environment
        let index = list.firstIndex { Self.name(of: $0) == name } ?? list.count
        list.removeAll { Self.name(of: $0) == name }
        list.insert("\(name)=\(value)", at: index)
        environment = list
    }

    /// Sets many environment variables, each as if alone, in time that grows with their number only.
    ///
    /// A name may come once.
    public mutating func setEnvironment(_ pairs: some Sequence<(name: String, value: String)>) {
        var list: [String] = []
        var places: [String: Int] = [:]
        let values = Dictionary(pairs.map { ($0.name, $0.value) }) { _, last in last }
        for entry in environment {
            let name = Self.name(of: entry)
            guard let value = values[name] else {
                list.append(entry)
                continue
            }
            guard places[name] == nil else { continue }
            places[name] = list.count
            list.append("\(name)=\(value)")
        }
        for pair in pairs where places[pair.name] == nil { list.append("\(pair.name)=\(pair.value)") }
        environment = list
    }

    /// By bytes: as characters, a combining mark at the start of the value would swallow the equals sign.
    private static func name(of entry: String) -> String {
        String(Substring(entry.utf8.prefix { $0 != UInt8(ascii: "=") }))
    }
}
