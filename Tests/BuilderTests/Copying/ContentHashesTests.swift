import Glibc
import LayerDiff
import OCI
import Testing

@testable import Builder

@Suite struct ContentHashesTests {
    let scratch: Scratch
    let directory: Directory

    init() throws {
        scratch = try Scratch()
        try scratch.write("before", to: "context/file")
        directory = try Directory(path: "\(scratch.path)/context")
    }

    private var hashes: ContentHashes { ContentHashes(path: "\(scratch.path)/hashes") }
    private let before = Digest(of: "before".utf8)
    private let after = Digest(of: "after!".utf8)

    private func node() throws -> SourceNode {
        try #require(try scratch.context().node(ContainerPath("file")))
    }

    /// The file as if it had last been changed long ago.
    private func settled() throws -> SourceNode {
        var node = try node()
        node.status?.modified = Timestamp(seconds: 1000, nanoseconds: 1)
        node.status?.changed = Timestamp(seconds: 2000, nanoseconds: 2)
        return node
    }

    /// Changes the file's content in its place.
    private func overwrite() throws {
        let file = open("\(scratch.path)/context/file", O_WRONLY)
        defer { close(file) }
        try #require(write(file, "after!", 6) == 6)
    }

    @Test func aSettledFileIsHashedOnceFromBuildToBuild() throws {
        let first = hashes
        #expect(try first.digest(of: settled(), in: directory) == before)
        first.save()
        let node = try settled()
        try overwrite()
        #expect(try hashes.digest(of: node, in: directory) == before, "by what stat said, without reading")
    }

    enum Field: CaseIterable { case size, modified, modifiedFraction, changed, changedFraction, inode, device }

    @Test(arguments: Field.allCases)
    func anyOtherStatMeansReading(field: Field) throws {
        let first = hashes
        #expect(try first.digest(of: settled(), in: directory) == before)
        first.save()
        var node = try settled()
        try overwrite()
        switch field {
        case .size: node.status?.size += 1
        case .modified: node.status?.modified.seconds += 1
        case .modifiedFraction: node.status?.modified.nanoseconds += 1
        case .changed: node.status?.changed.seconds += 1
        case .changedFraction: node.status?.changed.nanoseconds += 1
        case .inode: node.status?.inode += 1
        case .device: node.status?.device += 1
        }
        #expect(try hashes.digest(of: node, in: directory) == after)
    }

    /// git's "racily clean" files: what was changed just now may change again without a sign.
    @Test func aFileThatWasJustChangedIsReadEveryTime() throws {
        let hashes = hashes
        let node = try node()
        #expect(try hashes.digest(of: node, in: directory) == before)
        try overwrite()
        #expect(try hashes.digest(of: node, in: directory) == after)
    }

    @Test func aChangeThatHidesItsTimeIsSeen() throws {
        let first = hashes
        var node = try node()
        #expect(try first.digest(of: node, in: directory) == before)
        first.save()
        let inode = node.status?.inode
        try overwrite()
        try scratch.setTime(1_600_000_000, of: "context/file")
        node = try self.node()
        #expect(node.status?.inode == inode)
        #expect(node.status?.size == 6)
        #expect(node.status?.modified.seconds == 1_600_000_000)
        #expect(try hashes.digest(of: node, in: directory) == after)
    }

    @Test func aDamagedListIsAsGoodAsNone() throws {
        for bytes in [[], [1, 2, 3], Array("swbuild-hashes-1".utf8) + [1, 2], [UInt8](repeating: 0, count: 1000)]
            as [[UInt8]]
        {
            try HostFile.write(bytes, to: "\(scratch.path)/hashes")
            #expect(try hashes.digest(of: settled(), in: directory) == before)
        }
    }

    @Test func whatOneBuildDoesNotLookAtIsKeptForTheNext() throws {
        let first = hashes
        _ = try first.digest(of: settled(), in: directory)
        first.save()
        try scratch.write("other", to: "context/other")
        let second = hashes
        var other = try #require(try scratch.context().node(ContainerPath("other")))
        other.status?.modified = Timestamp(seconds: 1)
        other.status?.changed = Timestamp(seconds: 1)
        _ = try second.digest(of: other, in: directory)
        second.save()
        let node = try settled()
        try overwrite()
        #expect(try hashes.digest(of: node, in: directory) == before)
    }
}
