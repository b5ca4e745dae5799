import Glibc
import Testing

@testable import LayerDiff

/// What a thread that unpacks may change: one directory.
///
/// Needs a kernel with Landlock (6.2: older ones let it shorten files elsewhere), and fails without.
@Suite struct FenceTests {
    let scratch: Scratch
    let inside: Directory

    init() throws {
        scratch = try Scratch()
        inside = try scratch.directory("inside")
        try scratch.write([1], to: "outside")
    }

    /// What becomes of a call on a fenced thread: 0, or its error.
    private func attempt(nowhere: Bool = false, _ call: @escaping @Sendable (String) -> CInt) throws -> CInt {
        let path = scratch.path
        return try Fence.run(writingBeneath: nowhere ? nil : inside) { () throws(LayerError) in
            call(path) < 0 ? errno : 0
        }
    }

    private static func write(_ path: String) -> CInt {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        if file >= 0 { close(file) }
        return file
    }

    @Test func theDirectoryCanBeFilled() throws {
        #expect(try attempt { Self.write("\($0)/inside/f") } == 0)
        #expect(try attempt { mkdir("\($0)/inside/d", 0o755) } == 0)
        #expect(try attempt { symlink("x", "\($0)/inside/l") } == 0)
        #expect(try attempt { mkfifo("\($0)/inside/p", 0o600) } == 0)
        #expect(try attempt { mknod("\($0)/inside/c", S_IFCHR | 0o600, 0x103) } == 0)
        #expect(try attempt { link("\($0)/inside/f", "\($0)/inside/d/g") } == 0)
        #expect(try attempt { rename("\($0)/inside/d/g", "\($0)/inside/h") } == 0)
        #expect(try attempt { unlink("\($0)/inside/h") } == 0)
    }

    @Test func nothingElseCanBeChanged() throws {
        #expect(try attempt { Self.write("\($0)/outside") } == EACCES)
        #expect(try attempt { Self.write("\($0)/new") } == EACCES)
        #expect(try attempt { mkdir("\($0)/new", 0o755) } == EACCES)
        #expect(try attempt { unlink("\($0)/outside") } == EACCES)
        #expect(try attempt { truncate("\($0)/outside", 0) } == EACCES)
        #expect(try attempt { symlink("x", "\($0)/new") } == EACCES)
        #expect(try attempt { rename("\($0)/outside", "\($0)/inside/o") } != 0)
        #expect(try attempt { link("\($0)/outside", "\($0)/inside/o") } != 0)
        #expect(try scratch.read("outside") == [1])
    }

    @Test func withoutADirectoryNothingCanBeChangedAtAll() throws {
        #expect(try attempt(nowhere: true) { Self.write("\($0)/inside/f") } == EACCES)
        #expect(try attempt(nowhere: true) { path in open("\(path)/outside", O_RDONLY | O_CLOEXEC) } == 0)
    }

    @Test func otherThreadsAreFree() throws {
        #expect(try attempt { Self.write("\($0)/inside/f") } == 0)
        #expect(Self.write("\(scratch.path)/free") >= 0)
    }

    @Test func layersBelowAreOpenedOutside() throws {
        let path = scratch.path
        let lower = LayerStack([
            LayerStack.Layer(index: LayerIndex([LayerEntry.file("f", "text").entry])) {
                // As a store does that unpacks the layer when it is first looked into.
                guard mkdir("\(path)/unpacked", 0o755) == 0 else {
                    throw FileError("create", path, negated: -Int(errno))
                }
                let file = open("\(path)/unpacked/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                defer { close(file) }
                _ = Glibc.write(file, "text", 4)
                return try Directory(path: "\(path)/unpacked")
            }
        ])
        let layer = try scratch.layer([.node("new", .hardLink(target: ContainerPath("f")))])
        let options = ApplyOptions(form: .overlay(attributePrefix: "trusted.overlay."), lower: { lower })
        _ = try layer.reading { try LayerReader.apply($0, to: inside, options: options) }
        #expect(try scratch.read("inside/new") == Array("text".utf8))
    }
}
