import LayerDiff

/// A secret's value in what a build would have published.
struct LeakError: Error, CustomStringConvertible {
    /// Where it is.
    enum Place {
        case layer(LayerMatch)
        /// A line of the history, by its keyword.
        case history(String)
        /// An annotation of the manifest; `nil` where its name is what leaks.
        case annotation(String?)
        /// A member of the configuration, by the names of those around it.
        case configuration([String])
    }

    let origin: SecretForms.Origin
    let place: Place
    /// Whether the layer was left by an earlier build.
    var isKept = false
    /// The file and line of the instruction; nothing of the line is quoted, which may hold the value.
    var instruction: String?

    var description: String {
        let what = "\(origin.secret)\(form) would become part of the image: it is in \(location)\(isKept ? kept : "")"
        return ([(instruction.map { "\($0): " } ?? "") + what] + advice).joined(separator: "\nnote: ")
    }

    /// What may be done about it.
    private var advice: [String] {
        let mount =
            switch origin.secret {
            case .secret: "secret"
            case .key: "ssh"
            }
        return [
            "use it in one step only, with RUN --mount=type=\(mount), and leave its file out of the context",
            "if it is no secret there, --no-leak-check builds without this check",
        ]
    }

    private var kept: String { " of the layer that an earlier build left" }

    private var form: String {
        switch origin.form {
        case .plain: ""
        case .base64: ", encoded in base64,"
        case .keyLine: ", a line of it at least,"
        }
    }

    private var location: String {
        switch place {
        case .layer(let match): Self.text(of: match)
        case .history(let keyword):
            "the history, where \(keyword.isEmpty ? "an instruction" : keyword) stands with its values"
        case .annotation(nil): "the name of an annotation"
        case .annotation(let name?): "the annotation \(name)"
        case .configuration(let path):
            path.isEmpty ? "the image's configuration" : "the image's configuration, \(path.joined(separator: "."))"
        }
    }

    private static func text(of match: LayerMatch) -> String {
        switch match.part {
        // The path would show it.
        case .name: "the name of a file"
        case .content: "\(match.path)"
        case .linkTarget: "the target of the link \(match.path)"
        case .attributeName: "the name of an extended attribute of \(match.path)"
        case .attributeValue(let name):
            "the extended attribute \(String(decoding: name, as: UTF8.self)) of \(match.path)"
        }
    }
}
