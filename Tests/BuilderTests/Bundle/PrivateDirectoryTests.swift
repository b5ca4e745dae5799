import Glibc
import LayerDiff
import OCI
import Testing

@testable import Builder

/// What the owner of a directory may do to a new one in it.
@Suite struct PrivateDirectoryTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func path(_ name: String) -> String { "\(scratch.path)/\(name)" }

    private func names(_ name: String) throws -> [String] {
        try Directory(path: path(name)).list(.root).map { String(decoding: $0.name, as: UTF8.self) }
    }

    @Test func everythingGoesIntoTheDirectoryThatWasMade() throws {
        let made = try PrivateDirectory(making: path("new"))
        try scratch.directory("elsewhere")
        #expect(rename(path("new"), path("moved")) == 0)
        try scratch.link("new", to: path("elsewhere"))
        try made.write([1], to: "file")
        _ = try made.makeDirectory("inner", mode: 0o700)
        #expect(try names("moved") == ["file", "inner"])
        #expect(try names("elsewhere").isEmpty)
        #expect(throws: ReplacedDirectory.self) { try made.rename(to: path("final")) }
        made.remove()
        #expect(try names("moved").isEmpty)
    }

    @Test func itIsRenamed() throws {
        let made = try PrivateDirectory(making: path("new"))
        try made.write([1], to: "file")
        #expect(try made.rename(to: path("final")) == 0)
        #expect(try names("final") == ["file"])
        try scratch.write("", to: "file")
        #expect(try made.rename(to: path("final")) == ENOENT)
    }

    @Test func itIsRemovedWithAllThatIsInIt() throws {
        let made = try PrivateDirectory(making: path("new"))
        _ = try made.makeDirectory("inner", mode: 0o700)
        try scratch.write("text", to: "new/inner/file")
        made.remove()
        #expect(!HostFile.exists(path("new")))
    }

    @Test(arguments: ["link", "open", "filled", "missing"])
    func whatIsNotNewIsNotTaken(name: String) throws {
        try scratch.directory("target")
        try scratch.link("link", to: path("target"))
        try scratch.directory("open")
        try scratch.write("", to: "filled/file")
        #expect(chmod(path("filled"), 0o700) == 0 && chmod(path("target"), 0o700) == 0)
        #expect(throws: ReplacedDirectory.self) {
            _ = try PrivateDirectory(holding: path(name))
        }
    }
}
