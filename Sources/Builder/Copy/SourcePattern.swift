import BuildFileParser
import LayerDiff

/// A path of COPY or ADD as written: components that may hold wildcards, below the root of the source.
struct SourcePattern {
    /// What one component of the path asks for.
    enum Component {
        case literal([UInt8])
        case pattern(PathPattern)
        /// `**` with `--parents`: any number of directories.
        case anyDepth
    }

    let text: String
    let components: [Component]
    /// How many components stand before the pivot, the first `/./`, which `--parents` cuts off.
    let pivot: Int

    init(_ text: String, parents: Bool) throws {
        self.text = text
        var components: [Component] = []
        var pivot: Int?
        let parts = text.split(separator: "/")
        for (position, part) in parts.enumerated() {
            switch part {
            case ".":
                let isInside = position > 0 && (position + 1 < parts.count || text.hasSuffix("/"))
                if parents, isInside, pivot == nil { pivot = components.count }
            case "..":
                _ = components.popLast()
            case "**" where parents:
                components.append(.anyDepth)
            default:
                let bytes = Array(part.utf8)
                if PathPattern.hasWildcards(bytes) {
                    components.append(.pattern(try PathPattern(String(part))))
                } else {
                    components.append(.literal(Self.unescaped(bytes)))
                }
            }
        }
        self.components = components
        self.pivot = min(pivot ?? 0, components.count)
    }

    /// Whether the pattern may match nothing without that being an error.
    var hasWildcards: Bool {
        components.contains { if case .literal = $0 { false } else { true } }
    }

    private static func unescaped(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var isEscaped = false
        for byte in bytes {
            if byte == UInt8(ascii: "\\"), !isEscaped {
                isEscaped = true
            } else {
                result.append(byte)
                isEscaped = false
            }
        }
        if isEscaped { result.append(UInt8(ascii: "\\")) }
        return result
    }
}

/// A path that a pattern matched.
struct SourceMatch {
    /// As found, links not followed.
    var path: ContainerPath
    /// The components before the pivot.
    var pivot: Int
}

extension SourceTree {
    /// The paths that a pattern matches, in byte order.
    ///
    /// A pattern without wildcards matches its path, there or not.
    func matches(_ pattern: SourcePattern) throws -> [SourceMatch] {
        var found: [ContainerPath] = [.root]
        for component in pattern.components {
            var next: [ContainerPath] = []
            for path in found { next += try matches(component, in: path) }
            found = next
        }
        var unique: [ContainerPath] = []
        for path in found.sorted() where path != unique.last { unique.append(path) }
        return unique.map { SourceMatch(path: $0, pivot: pattern.pivot) }
    }

    private func matches(_ component: SourcePattern.Component, in path: ContainerPath) throws -> [ContainerPath] {
        switch component {
        case .literal(let name):
            return [path.appending(name)]
        case .pattern(let pattern):
            let directory = try resolve(path, followLast: true)
            guard let node = try node(directory), node.entry.isDirectory else { return [] }
            return try children(directory)
                .filter { pattern.matches(Array($0.entry.path.name)) }
                .map { path.appending($0.entry.path.name) }
        case .anyDepth:
            guard let node = try node(try resolve(path, followLast: true)), node.entry.isDirectory else { return [] }
            var result = [path]
            for child in try children(node.entry.path) where child.entry.isDirectory {
                result += try matches(.anyDepth, in: path.appending(child.entry.path.name))
            }
            return result
        }
    }
}
