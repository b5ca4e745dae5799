import BuildFileParser
import LayerDiff
import OCI
import Store

/// Looks for the values of a build's secrets in what the build makes.
struct LeakCheck: Sendable {
    /// `nil` where there is nothing to look for.
    let search: PatternSearch?
    private let forms: SecretForms
    /// Names the patterns in the store, where it tells nobody what they are.
    private let fingerprint: Digest?
    /// The build file's name for messages.
    private let fileName: String

    /// A check that looks for nothing.
    static let off = LeakCheck(search: nil, forms: SecretForms(of: []), fingerprint: nil, fileName: "")

    private init(search: PatternSearch?, forms: SecretForms, fingerprint: Digest?, fileName: String) {
        self.search = search
        self.forms = forms
        self.fingerprint = fingerprint
        self.fileName = fileName
    }

    /// A check for these values, whose results are remembered in `store`.
    init(for values: [(name: SecretName, value: [UInt8])], store: Store, fileName: String) throws {
        let forms = SecretForms(of: values)
        let search = PatternSearch(forms.patterns)
        var fingerprint: Digest?
        if search != nil {
            var hasher = FieldHasher(domain: "leak check 1")
            for pattern in forms.patterns { hasher.add(Digest(of: pattern).hex) }
            fingerprint = try store.sealed(hasher.finalize())
        }
        self.init(search: search, forms: forms, fingerprint: fingerprint, fileName: fileName)
    }

    /// What could not be looked for, as notes.
    var notes: [String] {
        forms.leftOut.map { name in
            """
            the value of \(name) is not looked for in the image: it has fewer than \(PatternSearch.shortestPattern) \
            bytes, or is as plain as other texts
            """
        }
    }

    /// Fails where something was found in a layer that a step has left.
    func check(_ match: LayerMatch?, of step: StepDisplay, isKept: Bool = false) throws {
        guard let match else { return }
        throw failure(match.pattern, .layer(match), at: step.range, isKept: isKept)
    }

    private func failure(
        _ pattern: Int,
        _ place: LeakError.Place,
        at range: SourceRange?,
        isKept: Bool = false
    ) -> BuildError {
        let instruction = range.map { "\(fileName):\($0.start.line)" }
        let origin = forms.origins[pattern]
        return .general(LeakError(origin: origin, place: place, isKept: isKept, instruction: instruction))
    }

    // MARK: Layers of earlier builds

    /// Notes that a layer holds none of the values.
    func remember(_ layer: DiffID, in store: Store) throws {
        if let fingerprint { try store.rememberLeakCheck(of: layer, for: fingerprint) }
    }

    /// Looks through a layer that an earlier build left, once for the same values.
    func check(kept layer: DiffID, of step: StepDisplay, in store: Store) throws {
        guard let search, let fingerprint, try !store.hasLeakCheck(of: layer, for: fingerprint) else { return }
        let blob = try store.openBlob(of: layer)
        try check(try LayerReader.firstMatch(of: search, in: blob), of: step, isKept: true)
        try store.rememberLeakCheck(of: layer, for: fingerprint)
    }

    // MARK: The configuration

    /// Looks through what the image says beside its layers.
    func check(_ plan: BuildPlan, annotations: [(name: String, value: String)]) throws {
        guard search != nil else { return }
        for item in plan.result.history {
            switch item {
            // What the base image says of itself is public already.
            case .inherited: continue
            case .metadata(let text, let range): try check(text, .history(Self.keyword(of: text)), at: range)
            case .layer(let node, let text):
                try check(text, .history(Self.keyword(of: text)), at: plan.graph.nodes[node.index].display.range)
            }
        }
        for (name, value) in annotations {
            try check(name, .annotation(nil), at: nil)
            try check(value, .annotation(name), at: nil)
        }
        var config = plan.result.config
        config.history = []
        try check(config.json, [])
    }

    private func check(_ text: String, _ place: LeakError.Place, at range: SourceRange?) throws {
        guard let found = search?.firstMatch(in: Array(text.utf8)) else { return }
        throw failure(found.pattern, place, at: range)
    }

    private func check(_ value: JSONValue, _ path: [String]) throws {
        switch value {
        case .null, .bool, .integer, .number: return
        case .string(let text): try check(text, .configuration(path + [variable(text)].compactMap { $0 }), at: nil)
        case .array(let values):
            for (index, value) in values.enumerated() { try check(value, path + ["\(index)"]) }
        case .object(let members):
            for name in members.keys.sorted() {
                try check(name, .configuration(path), at: nil)
                if let member = members[name] { try check(member, path + [name]) }
            }
        }
    }

    /// The name in `NAME=value`, where it is no secret itself.
    private func variable(_ text: String) -> String? {
        guard let sign = text.utf8.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        let name = String(text[..<sign])
        let isName = name.utf8.allSatisfy { $0 == UInt8(ascii: "_") || (0x30...0x7A).contains($0) }
        return isName && search?.firstMatch(in: Array(name.utf8)) == nil ? name : nil
    }

    private static func keyword(of text: String) -> String {
        String(text.prefix { $0.isLetter })
    }
}
