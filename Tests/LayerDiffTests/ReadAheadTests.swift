import Glibc
import OCI
import Testing

@testable import LayerDiff

/// Layers of many small files, which are read before it is their turn.
@Suite struct ReadAheadTests {
    let scratch: Scratch
    let directory: Directory

    init() throws {
        scratch = try Scratch()
        directory = try scratch.directory("files")
    }

    private func content(_ number: Int) -> [UInt8] {
        // Empty ones, a few that are too large to be read ahead, and small ones.
        let size = number.isMultiple(of: 50) ? 0 : number.isMultiple(of: 97) ? 300_000 : number * 7 % 9000
        return (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
    }

    private func entry(_ number: Int) throws -> LayerEntry {
        let path = ContainerPath("f\(1000 + number)")
        let bytes = content(number)
        try scratch.write(bytes, to: "files\(path)")
        let status = try #require(try directory.status(path))
        let entry = TreeEntry(path: path, kind: .file(size: Int64(bytes.count)), mode: 0o644, modified: 1000)
        return LayerEntry(entry: entry, content: .file(directory, path, version: FileVersion(status)))
    }

    @Test func theLayerIsThatOfTheContents() throws {
        let entries = try (0..<1000).map(entry)
        let inMemory = entries.enumerated().map { LayerEntry(entry: $1.entry, content: .bytes(content($0))) }
        #expect(try scratch.layer(entries, "files.gz").blob == scratch.layer(inMemory, "memory.gz").blob)
    }

    @Test func filesAreReadBeforeTheirTurn() throws {
        let entries = try (0..<1000).map(entry)
        let ahead = try #require(ReadAhead(LayerEntries(entries), hashing: true))
        let first = ahead.content(of: 0)
        #expect(first == nil, "the first batch is the writer's own")
        let reader = try WorkerThread { ahead.run() }
        defer { withExtendedLifetime(reader) { ahead.end() } }
        var found = 0
        for number in entries.indices {
            // What is read meanwhile is a matter of time; the reader gets some.
            if number.isMultiple(of: 100) { usleep(20_000) }
            guard let read = ahead.content(of: number) else { continue }
            found += 1
            #expect(Array(read.bytes[read.place]) == content(number))
            #expect(read.digest == Digest(of: content(number)))
        }
        #expect(found > 0)
    }

    @Test func fewFilesAreNotWorthAThread() throws {
        #expect(try ReadAhead(LayerEntries((0..<100).map(entry)), hashing: false) == nil)
    }

    @Test func digestsOfContentsAreThoseOfTheContents() throws {
        let entries = try (0..<1000).map(entry)
        let contents = ContentDigests()
        _ = try scratch.layer(entries, options: LayerOptions(contents: contents))
        for number in entries.indices {
            let bytes = content(number)
            #expect(contents[number] == (bytes.isEmpty ? nil : Digest(of: bytes)))
        }
    }

    @Test func sparseFilesAreHashedWithTheirHoles() throws {
        try scratch.write([], to: "files/sparse")
        try shell(
            "cd \(scratch.path)/files && truncate -s 700000 sparse && printf x | dd of=sparse bs=1 seek=300000 conv=notrunc status=none"
        )
        let entry = TreeEntry(path: ContainerPath("sparse"), kind: .file(size: 700_000), mode: 0o644, modified: 1000)
        let contents = ContentDigests()
        let file = LayerEntry(entry: entry, content: .file(directory, ContainerPath("sparse")))
        _ = try scratch.layer([file], options: LayerOptions(contents: contents))
        var bytes = [UInt8](repeating: 0, count: 700_000)
        bytes[300_000] = UInt8(ascii: "x")
        #expect(contents[0] == Digest(of: bytes))
    }

    @Test(arguments: [3, 701, 999])
    func aFileThatChangedIsNamed(number: Int) throws {
        let entries = try (0..<1000).map(entry)
        try scratch.write([UInt8](repeating: 1, count: content(number).count + 1), to: "files/f\(1000 + number)")
        let error = #expect(throws: LayerError.self) { _ = try scratch.layer(entries) }
        #expect("\(error.map { "\($0)" } ?? "")".contains("f\(1000 + number)"))
    }

    @Test func aFileThatIsGoneIsNamed() throws {
        let entries = try (0..<1000).map(entry)
        unlink("\(scratch.path)/files/f1501")
        let error = #expect(throws: LayerError.self) { _ = try scratch.layer(entries) }
        #expect("\(error.map { "\($0)" } ?? "")".contains("f1501"))
    }
}
