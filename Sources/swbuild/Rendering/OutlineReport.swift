import BuildFileParser
import OCI

/// What a target can be given, as text or JSON.
struct OutlineReport {
    let outline: Outline
    /// The build file's bytes.
    let source: [UInt8]

    var text: String {
        var blocks = ["TARGET:      \(outline.name)"]
        if let description = outline.description { blocks[0] += "\nDESCRIPTION: \(description)" }
        if !outline.arguments.isEmpty {
            let rows = outline.arguments.map { argument in
                [argument.name, argument.value ?? "", Self.lines(argument.uses), argument.description ?? ""]
            }
            blocks.append(Table.text(header: ["BUILD ARG", "VALUE", "USED IN LINE", "DESCRIPTION"], rows: rows))
        }
        for (header, mounts) in [("SECRET", outline.secrets), ("SSH", outline.agents)] where !mounts.isEmpty {
            let rows = mounts.map { [$0.id ?? "", $0.isRequired ? "true" : "false"] }
            blocks.append(Table.text(header: [header, "REQUIRED"], rows: rows))
        }
        if !outline.mounts.isEmpty {
            let rows = outline.mounts.map { mount in
                [mount.type, mount.id ?? mount.from ?? "", mount.target ?? "", "\(mount.range.start.line)"]
            }
            blocks.append(Table.text(header: ["MOUNT", "SOURCE", "TARGET", "LINE"], rows: rows))
        }
        return blocks.map(Self.withoutTrailingBlanks).joined(separator: "\n\n")
    }

    /// The members of BuildKit's result, `uses` of arguments and all `mounts`.
    var json: JSONValue {
        var members: [String: JSONValue] = ["name": .string(outline.name)]
        if let description = outline.description { members["description"] = .string(description) }
        members["args"] = .array(outline.arguments.map(Self.json))
        members["secrets"] = .array(outline.secrets.map { Self.json($0, idName: "name") })
        members["ssh"] = .array(outline.agents.map { Self.json($0, idName: "name") })
        members["cache"] = .array(outline.caches.map { Self.json($0, idName: "ID") })
        members["mounts"] = .array(outline.mounts.map { Self.json($0, idName: "id") })
        members["sources"] = .strings([Base64.encoded(source)])
        return .object(members)
    }

    private static func json(_ argument: Outline.Argument) -> JSONValue {
        var members: [String: JSONValue] = [
            "name": .string(argument.name), "location": argument.range.location,
            "uses": .array(argument.uses.map(\.location)),
        ]
        if let value = argument.value { members["value"] = .string(value) }
        if let description = argument.description { members["description"] = .string(description) }
        return .object(members)
    }

    private static func json(_ mount: Outline.Mount, idName: String) -> JSONValue {
        var members: [String: JSONValue] = ["location": mount.range.location]
        if let id = mount.id { members[idName] = .string(id) }
        if let target = mount.target { members["target"] = .string(target) }
        if let from = mount.from { members["from"] = .string(from) }
        if mount.type == "secret" || mount.type == "ssh" { members["required"] = .bool(mount.isRequired) }
        if idName == "id" { members["type"] = .string(mount.type) }
        return .object(members)
    }

    private static func lines(_ ranges: [SourceRange]) -> String {
        var lines: [Int] = []
        for range in ranges where !lines.contains(range.start.line) { lines.append(range.start.line) }
        return lines.sorted().map { "\($0)" }.joined(separator: ", ")
    }

    static func withoutTrailingBlanks(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            String(line.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}

/// The stages of a build file, as text or JSON.
struct TargetsReport {
    let targets: [TargetDescription]
    /// The build file's bytes.
    let source: [UInt8]

    var text: String {
        let rows = targets.map { target in
            let name = target.name ?? "\(target.index)"
            return [target.isDefault ? "\(name) (default)" : name, target.base, target.description ?? ""]
        }
        return OutlineReport.withoutTrailingBlanks(Table.text(header: ["TARGET", "BASE", "DESCRIPTION"], rows: rows))
    }

    var json: JSONValue {
        .object(["targets": .array(targets.map(Self.json)), "sources": .strings([Base64.encoded(source)])])
    }

    private static func json(_ target: TargetDescription) -> JSONValue {
        var members: [String: JSONValue] = [
            "index": .integer(Int64(target.index)), "base": .string(target.base), "location": target.range.location,
        ]
        if let name = target.name { members["name"] = .string(name) }
        if target.isDefault { members["default"] = .bool(true) }
        if let description = target.description { members["description"] = .string(description) }
        if let platform = target.platform { members["platform"] = .string(platform) }
        return .object(members)
    }
}
