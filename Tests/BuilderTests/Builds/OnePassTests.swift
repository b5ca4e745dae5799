import Glibc
import Testing

@testable import Builder
@testable import Store

/// A COPY of many bytes that nobody has read before: its files are read once, for the layer and for the key.
@Suite struct OnePassTests {
    let scratch: Scratch
    static let file = """
        FROM scratch
        COPY --chmod=640 . /files
        """

    init() throws {
        scratch = try Scratch()
        for number in 0..<300 {
            let line = "file \(number), and \(number * number) more of it\n"
            try scratch.write(String(repeating: line, count: 800), to: "context/d\(number % 7)/f\(number)")
        }
        try scratch.write("same", to: "context/first")
        try #require(link("\(scratch.path)/context/first", "\(scratch.path)/context/second") == 0)
        try scratch.write("", to: "context/empty")
    }

    /// Whether the layer was written before the step's key was there.
    private func writesFirst(_ trace: Trace) throws -> Bool {
        let works = trace.contents().spans.sorted { $0.began < $1.began }.map(\.work)
        let written = try #require(works.firstIndex(of: .writing))
        return works[written...].contains(.key)
    }

    @Test func theKeyComesLastWhereTheFilesAreNew() async throws {
        let first = Trace.recording()
        _ = try await scratch.build(Self.file, trace: first)
        #expect(try writesFirst(first))
        // What is known of the instruction may be known of its files, too.
        try scratch.write("new", to: "context/d1/f1")
        let second = Trace.recording()
        _ = try await scratch.build(Self.file, trace: second)
        #expect(try !writesFirst(second))
    }

    @Test func itIsInTheCacheAfterwards() async throws {
        let first = try await scratch.build(Self.file)
        #expect(first.ran == ["COPY --chmod=640 . /files"])
        let second = try await scratch.build(Self.file)
        #expect(second.ran == [])
        #expect(second.digest == first.digest)
    }

    @Test func theLayerIsTheOneOfTwoPasses() async throws {
        // An earlier record of the instruction has the key come first.
        _ = try await scratch.build(Self.file, root: "twice")
        try scratch.write("late", to: "context/late")
        let twice = try await scratch.build(Self.file, root: "twice")
        let once = try await scratch.build(Self.file, root: "once")
        #expect(twice.ran == ["COPY --chmod=640 . /files"])
        #expect(once.diffIDs == twice.diffIDs)
        let key = { (root: String) in
            try Store(root: "\(scratch.path)/\(root)").database.query("SELECT key FROM steps ORDER BY created")
                .compactMap { $0[0].text }
        }
        #expect(try key("twice").contains(try #require(key("once").first)))
    }

    @Test func aChangeIsExplained() async throws {
        _ = try await scratch.build(Self.file)
        try scratch.write("changed", to: "context/d3/f3")
        let second = try await scratch.build(Self.file)
        #expect(second.reasons == ["changed: /d3/f3"])
    }
}
