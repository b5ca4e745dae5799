import FoundationEssentials
import OCI
import Testing

@Suite struct JSONValueTests {
    private func roundTrip(_ text: String) throws -> String {
        String(decoding: try JSONValue(parsing: Array(text.utf8), as: "test").encoded(), as: UTF8.self)
    }

    /// What is in the form that swbuild writes stays as it is, byte by byte.
    @Test(arguments: [
        "null", "true", "false", "0", "-1", "9223372036854775807", "-9223372036854775808", "0.5", "-2.25", "[]", "{}",
        #""""#, #""a/b""#, #""\"\\""#, #""\n\t\r""#, #""é漢😀""#, "\"e\u{301} apart\"", #"[1,"1",null,true,[],{}]"#,
        #"{"":1,"A":2,"a":3,"b":{"c":[{"d":null}]},"é":4}"#, #"{"/":{"\\":"/"}}"#,
    ])
    func keeps(text: String) throws {
        #expect(try roundTrip(text).utf8.elementsEqual(text.utf8))
    }

    @Test(arguments: [
        (" { \"b\" : 1 ,\n\t\"a\" : [ 1 , 2 ] } ", #"{"a":[1,2],"b":1}"#),
        (#""\/\u0041\u00e9\ud83d\ude00""#, #""/Aé😀""#),
        ("1.0", "1"), ("-0", "0"), ("1e3", "1000"), ("1E-1", "0.1"),
    ])
    func normalises(text: String, expected: String) throws {
        #expect(try roundTrip(text) == expected)
    }

    /// What Foundation writes for the same tree: a second opinion on each escape.
    @Test func writesWhatFoundationWrites() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let texts =
            (0..<0x300).compactMap { Unicode.Scalar($0).map { "a\(Character($0))b" } } + ["\r\n", "\u{2028}", "😀"]
        let numbers: [JSONValue] = [
            .integer(.min), .integer(.max), .number(0.1), .number(-1e-7), .number(1e21), .number(1e100), .number(2),
            .number(123_456_789.125), .number(.leastNonzeroMagnitude),
        ]
        let members = Dictionary(uniqueKeysWithValues: (0..<50).map { ("k\($0)/\n", JSONValue.bool($0 % 2 == 0)) })
        let tree = JSONValue.array(texts.map(JSONValue.string) + numbers + [.null, .object(members), .array([])])
        let ours = String(decoding: try tree.encoded(), as: UTF8.self)
        #expect(ours == String(decoding: try encoder.encode(tree), as: UTF8.self))
        #expect(try JSONValue(parsing: Array(ours.utf8), as: "test").encoded() == Array(ours.utf8))
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity])
    func refusesWhatIsNoNumber(value: Double) {
        #expect(throws: DocumentError.self) { try JSONValue.array([.number(value)]).encoded() }
    }

    @Test func ordersKeysTheSameWayAlways() throws {
        let keys = (0..<200).map { "key\($0 * 7919 % 200)" }
        let forward = JSONValue.object(Dictionary(uniqueKeysWithValues: keys.map { ($0, .null) }))
        let backward = JSONValue.object(Dictionary(uniqueKeysWithValues: keys.reversed().map { ($0, .null) }))
        #expect(try forward.encoded() == backward.encoded())
        #expect(try JSONValue(parsing: forward.encoded(), as: "test") == forward)
    }

    @Test func tellsNumbersTextsAndTruthsApart() throws {
        let json = try JSONValue(parsing: Array(#"[1,1.5,"1",true,0,false,null]"#.utf8), as: "test")
        let expected: JSONValue = .array([
            .integer(1), .number(1.5), .string("1"), .bool(true), .integer(0), .bool(false), .null,
        ])
        #expect(json == expected)
    }

    @Test(arguments: [
        "", " ", "{", "{'a':1}", "nul", "01", "1.", "+1", "NaN", "Infinity", #""\x""#,
        #""\ud800""#,
        #""\ud800\u0041""#, #""\u12g4""#, #""\u123"#, "[1,]", #"{"a"}"#, #"{"a":1,}"#, "1e", "-", "1e999", "tru", "[1",
        "]",
        "\"\n\"", "1 2", "{}x", "// comment\n1",
    ])
    func refusesWhatIsNotJSON(text: String) {
        #expect(throws: DocumentError(document: "the document", problem: .notJSON)) {
            try JSONValue(parsing: Array(text.utf8), as: "the document")
        }
    }

    @Test func refusesInvalidUTF8() {
        #expect(throws: DocumentError.self) { try JSONValue(parsing: [0x22, 0xFF, 0xFE, 0x22], as: "test") }
    }

    @Test func refusesDeepNestingWithoutOverflow() {
        let text = String(repeating: "[", count: 1_000_000)
        #expect(throws: DocumentError.self) { try JSONValue(parsing: Array(text.utf8), as: "test") }
    }

    /// As deep as is allowed, which takes no longer than what is flat.
    @Test func readsDeepNesting() throws {
        let text = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(try roundTrip(text) == text)
    }

    @Test func ofMembersGivenTwiceTheLastCounts() throws {
        #expect(try roundTrip(#"{"a":1,"a":2}"#) == #"{"a":2}"#)
    }

    @Test func refusesLargeDocuments() throws {
        let limit = JSONValue.largestDocument
        let largest = Array("\"".utf8) + [UInt8](repeating: 0x61, count: limit - 2) + Array("\"".utf8)
        #expect(try JSONValue(parsing: largest, as: "test").string?.utf8.count == limit - 2)
        #expect(throws: DocumentError(document: "test", problem: .tooLarge(limit + 1, limit: limit))) {
            try JSONValue(parsing: largest + [0x20], as: "test")
        }
    }

    @Test func refusesToWriteWhatJSONCannotHold() {
        for value in [Double.nan, .infinity] {
            #expect(throws: DocumentError.self) { try JSONValue.number(value).encoded() }
        }
    }

    @Test func stringsAreAllOrNothing() {
        #expect(JSONValue.array([.string("a"), .integer(1)]).strings == nil)
        #expect(JSONValue.array([]).strings == [])
        #expect(JSONValue.strings(["a", "b"]).strings == ["a", "b"])
        #expect(JSONValue.string("a").strings == nil)
    }
}
