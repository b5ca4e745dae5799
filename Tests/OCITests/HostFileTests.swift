import Glibc
import OCI
import Testing

@Suite struct HostFileTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func readsWhatItWroteAndLeavesNothingBeside() throws {
        let path = "\(scratch.path)/file"
        for bytes in [[], [0, 10, 255], [UInt8](repeating: 7, count: 200_000)] as [[UInt8]] {
            try HostFile.write(bytes, to: path)
            #expect(try HostFile.read(path, limit: 200_000) == bytes)
            #expect(scratch.names() == ["file"])
        }
    }

    @Test func refusesMoreThanTheLimit() throws {
        let path = "\(scratch.path)/file"
        try HostFile.write([UInt8](repeating: 1, count: 101), to: path)
        let error = #expect(throws: HostFileError.self) { try HostFile.read(path, limit: 100) }
        #expect(error?.code == EFBIG)
        #expect(try HostFile.read(path, limit: 101).count == 101)
    }

    /// What `stat` says of such files is no bound on what they give.
    @Test func refusesMoreThanTheLimitFromEndlessFiles() {
        #expect(throws: HostFileError.self) { try HostFile.read("/dev/zero", limit: 1 << 20) }
    }

    @Test func readersSeeTheOldFileOrTheNew() throws {
        let path = "\(scratch.path)/file"
        try HostFile.write(Array("old".utf8), to: path)
        let reader = open(path, O_RDONLY)
        defer { close(reader) }
        try HostFile.write(Array("new text".utf8), to: path)
        #expect(try HostFile.read(descriptor: reader, named: "file", limit: 100) == Array("old".utf8))
        #expect(try HostFile.read(path, limit: 100) == Array("new text".utf8))
    }

    @Test func aFailedWriteLeavesTheTargetAndNothingElse() throws {
        mkdir("\(scratch.path)/taken", 0o755)
        let error = #expect(throws: HostFileError.self) { try HostFile.write([1], to: "\(scratch.path)/taken") }
        #expect(error?.operation == "rename into place")
        #expect(scratch.names() == ["taken"])
    }

    @Test func errorsSayWhatAndWhy() {
        let error = #expect(throws: HostFileError.self) { try HostFile.read("\(scratch.path)/none", limit: 1) }
        #expect(error?.isMissing == true)
        #expect(error?.description == "cannot open \(scratch.path)/none: No such file or directory")
    }

    @Test func createsDirectories() throws {
        let path = "\(scratch.path)/a/b/c"
        try HostFile.createDirectories(path)
        try HostFile.createDirectories(path)
        try HostFile.createDirectories("\(path)/")
        #expect(HostFile.exists(path))
        try HostFile.write([], to: "\(scratch.path)/file")
        #expect(throws: HostFileError.self) { try HostFile.createDirectories("\(scratch.path)/file") }
        #expect(throws: HostFileError.self) { try HostFile.createDirectories("\(scratch.path)/file/below") }
    }
}
