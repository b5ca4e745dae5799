import FoundationEssentials

/// A JSON document as a tree, so that members which swbuild does not know survive being read and written again.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}

extension JSONValue {
    /// Documents larger than this are refused: the limit that registries put on a manifest.
    public static let largestDocument = 4 << 20

    /// Parses one JSON document.
    /// - Throws: ``DocumentError`` where it is no JSON, or larger than ``largestDocument``.
    public init(parsing bytes: [UInt8], as name: String) throws(DocumentError) {
        guard bytes.count <= Self.largestDocument else {
            throw DocumentError(document: name, problem: .tooLarge(bytes.count, limit: Self.largestDocument))
        }
        do {
            self = try JSONParser.parse(bytes)
        } catch {
            throw DocumentError(document: name, problem: .notJSON)
        }
    }

    /// The document indented for a reader.
    /// - Throws: ``DocumentError`` where a number is not finite.
    public func prettyPrinted() throws(DocumentError) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        do {
            return try String(decoding: encoder.encode(self), as: UTF8.self)
        } catch {
            throw DocumentError(document: "JSON", problem: .notEncodable)
        }
    }
}

extension JSONValue: Encodable {
    /// Writes the value as it is.
    /// - Throws: what the coder throws.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

extension JSONValue {
    /// The member of an object, `nil` where there is none or this is no object.
    public subscript(_ key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    /// The text, where this is a string.
    public var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    /// The number, where this is a whole one.
    public var integer: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    /// The elements, where this is an array.
    public var array: [JSONValue]? {
        guard case .array(let value) = self else { return nil }
        return value
    }

    /// The members, where this is an object.
    public var object: [String: JSONValue]? {
        guard case .object(let value) = self else { return nil }
        return value
    }

    /// The strings, where this is an array of strings only.
    public var strings: [String]? {
        guard let array else { return nil }
        var result: [String] = []
        for element in array {
            guard let text = element.string else { return nil }
            result.append(text)
        }
        return result
    }

    /// An array of strings.
    public static func strings(_ values: some Sequence<String>) -> JSONValue {
        .array(values.map(JSONValue.string))
    }

    /// An object whose values are all strings.
    public static func strings(_ values: [String: String]) -> JSONValue {
        .object(values.mapValues(JSONValue.string))
    }
}

/// A document of an image that cannot be used: which one, and why.
public struct DocumentError: Error, Sendable, Hashable {
    /// What is wrong with a document.
    public enum Problem: Sendable, Hashable {
        case notJSON
        case notEncodable
        case tooLarge(Int, limit: Int)
        case missing(String)
        case malformed(String, value: String)
        case unsupported(String)
    }

    /// What the document is, and its digest or path.
    public var document: String
    /// What is wrong with it.
    public var problem: Problem

    /// Names the document and its problem.
    public init(document: String, problem: Problem) {
        self.document = document
        self.problem = problem
    }
}

extension DocumentError: CustomStringConvertible {
    /// One sentence: which document, and what is wrong with it.
    public var description: String {
        switch problem {
        case .notJSON: "\(document) is not valid JSON"
        case .notEncodable: "\(document) cannot be written as JSON"
        case .tooLarge(let size, let limit): "\(document) has \(size) bytes, more than the limit of \(limit)"
        case .missing(let member): "\(document) has no usable `\(member)`"
        case .malformed(let member, let value): "\(document): `\(member)` has the unusable value \(value)"
        case .unsupported(let what): "\(document): \(what) is not supported"
        }
    }
}
