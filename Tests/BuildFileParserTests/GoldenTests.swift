import BuildFileParser
import Foundation
import Testing

/// Build files and what must come of them: a dump of the tree, or the rendered diagnostic.
///
/// With RECORD_GOLDEN=1 the expectations are written anew, and the tests fail so that nobody takes that for a pass.
@Suite struct GoldenTests {
    static let isRecording = ProcessInfo.processInfo.environment["RECORD_GOLDEN"] == "1"

    @Test func fixturesAreFound() {
        #expect(!Fixture.all(in: "positive").isEmpty)
        #expect(!Fixture.all(in: "negative").isEmpty)
    }

    @Test(arguments: Fixture.all(in: "positive"))
    func tree(_ fixture: Fixture) throws {
        try fixture.expect(parseBuildFile(fixture.buildFile()).dump(), in: "expected.ast")
    }

    @Test(arguments: Fixture.all(in: "negative"))
    func diagnostic(_ fixture: Fixture) throws {
        let source = try fixture.buildFile()
        let diagnostic = try #require(throws: Diagnostic.self) { try parseBuildFile(source) }
        let renderer = DiagnosticRenderer(fileName: "Buildfile", source: source, color: false)
        try fixture.expect(renderer.render(diagnostic), in: "error.txt")
    }
}

struct Fixture: CustomTestStringConvertible {
    var directory: URL

    var testDescription: String { directory.lastPathComponent }

    static func all(in folder: String) -> [Fixture] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(folder)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root.path(percentEncoded: false))) ?? []
        return names.sorted().map { Fixture(directory: root.appending(path: $0)) }
    }

    func buildFile() throws -> [UInt8] {
        try Array(Data(contentsOf: directory.appending(path: "Buildfile")))
    }

    func expect(_ actual: String, in name: String) throws {
        let file = directory.appending(path: name)
        if GoldenTests.isRecording {
            try Data(actual.utf8).write(to: file)
            Issue.record("recorded \(name)")
        } else {
            #expect(try actual == String(decoding: Data(contentsOf: file), as: UTF8.self))
        }
    }
}
