import Glibc
import SystemPackage
import Testing

@testable import Exec

/// Compiled filters in files: what is taken from there, and what is not.
@Suite struct SeccompCacheTests {
    private let root: TestRoot
    private let compiled: SeccompProgram

    init() throws {
        root = try TestRoot()
        compiled = try SeccompProgram.compiled(policy: .docker, capabilities: .docker)
    }

    private static let name = FilterDefinition(.docker, capabilities: .docker).fileName

    private var directory: String { root.path("host") }
    private var file: String { "\(directory)/\(Self.name)" }

    private func cached(_ capabilities: CapabilitySet = .docker) throws -> SeccompProgram {
        try SeccompProgram.cached(in: directory, policy: .docker, capabilities: capabilities)
    }

    /// Something that can be told from the program that belongs there: refuses everything.
    private static let other: [UInt8] = [0x06, 0, 0, 0, 1, 0, 5, 0]

    private static let all: [UInt8] = [0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]

    private func write(_ bytes: [UInt8], mode: mode_t = 0o600) throws {
        let target = try FileDescriptor.open(
            FilePath(file),
            .writeOnly,
            options: [.create, .truncate],
            permissions: .ownerReadWrite
        )
        try target.closeAfter { _ = try target.writeAll(bytes) }
        chmod(file, mode)
    }

    private func written() throws -> [UInt8] {
        let source = try FileDescriptor.open(FilePath(file), .readOnly)
        return try source.closeAfter {
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let count = try bytes.withUnsafeMutableBytes { try source.read(into: $0) }
            return Array(bytes[..<count])
        }
    }

    @Test func leavesTheProgramInAFile() throws {
        #expect(try cached() == compiled)
        #expect(TestRoot.names(in: directory) == [Self.name])
        #expect(try written() == compiled.bytes)
        var status = stat()
        #expect(stat(file, &status) == 0 && status.st_mode & 0o777 == 0o600)
        #expect(try cached() == compiled)
    }

    @Test func takesTheProgramFromTheFile() throws {
        try write(Self.other)
        #expect(try cached().bytes == Self.other)
    }

    @Test func keepsAFileForEachSetOfCapabilities() throws {
        let administrator = CapabilitySet.docker.union(.sysAdmin)
        let programs = [try cached(), try cached(administrator)]
        #expect(programs[0] != programs[1])
        #expect(TestRoot.names(in: directory).count == 2)
        #expect([try cached(), try cached(administrator)] == programs)
    }

    @Test func namesAllThatTheProgramDependsOn() {
        let rules = SeccompProfile.docker.rules
        var profiles = [SeccompProfile.docker, SeccompProfile(rules: [])]
        profiles.append(SeccompProfile(rules: rules + [.init("mount")]))
        profiles.append(SeccompProfile(rules: rules + [.init("mount", .refuse(.notImplemented))]))
        profiles.append(SeccompProfile(rules: rules + [.init("mount", .allowWithoutBits(argument: 0, bits: 1))]))
        profiles.append(SeccompProfile(rules: rules + [.init("mount", .allowWithoutBits(argument: 1, bits: 1))]))
        profiles.append(SeccompProfile(rules: rules + [.init("mount", .allowWithoutBits(argument: 0, bits: 2))]))
        let names = profiles.map { FilterDefinition($0, capabilities: .docker).fileName }
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.hasPrefix("seccomp-") && $0.hasSuffix(".bpf") && !$0.contains("/") })
    }

    @Test(arguments: [0, 4, 8, 100, 2048, 4096])
    func replacesAFileThatWasCutOff(length: Int) throws {
        try write(Array(compiled.bytes.prefix(length)))
        #expect(try cached() == compiled)
        #expect(try written() == compiled.bytes)
    }

    @Test(arguments: [
        Unsound("zeros", [UInt8](repeating: 0, count: 4096)),
        Unsound("spaces", [UInt8](repeating: 0x20, count: 1 << 15)),
        Unsound("more than the kernel takes", (0...4096).flatMap { _ in other }),
        Unsound("an answer of another kind: SECCOMP_RET_TRACE", [0x06, 0, 0, 0, 0, 0, 0xf0, 0x7f]),
        Unsound("no return", [0x20, 0, 0, 0, 0, 0, 0, 0]),
        Unsound("a jump past the end", [0x05, 0, 0, 0, 1, 0, 0, 0] + other),
        Unsound("a jump far past the end", [0x05, 0, 0, 0, 0xff, 0xff, 0xff, 0xff] + other),
        Unsound("a comparison that leads past the end when it holds", [0x15, 0, 1, 0, 0, 0, 0, 0] + other),
        Unsound("a comparison that leads past the end when it does not", [0x15, 0, 0, 255, 0, 0, 0, 0] + other),
        Unsound("a load that is not aligned", [0x20, 0, 0, 0, 2, 0, 0, 0] + other),
        Unsound("a load from behind the data", [0x20, 0, 0, 0, 64, 0, 0, 0] + other),
    ])
    func replacesAFileWithoutASoundProgram(_ unsound: Unsound) throws {
        try write(unsound.bytes)
        #expect(try cached() == compiled)
        #expect(try written() == compiled.bytes)
    }

    /// Bytes that are no program, with what is wrong with them.
    struct Unsound: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var bytes: [UInt8]

        init(_ description: String, _ bytes: [UInt8]) {
            testDescription = description
            self.bytes = bytes
        }
    }

    @Test(arguments: [0o620, 0o602, 0o666] as [mode_t])
    func replacesAFileThatOthersMayWriteTo(mode: mode_t) throws {
        try write(Self.other, mode: mode)
        #expect(try cached() == compiled)
        #expect(try written() == compiled.bytes)
    }

    @Test func replacesAFileOfAnotherUser() throws {
        try write(Self.other)
        try #require(chown(file, 1000, 0) == 0)
        #expect(try cached() == compiled)
        #expect(try written() == compiled.bytes)
    }

    @Test func replacesWhatIsNoFile() throws {
        try write(Self.other)
        try #require(rename(file, "\(directory)/elsewhere") == 0)
        try #require(symlink("elsewhere", file) == 0)
        #expect(try cached() == compiled)
        #expect(try written() == compiled.bytes)
        try #require(unlink(file) == 0 && mkfifo(file, 0o600) == 0)
        #expect(try cached() == compiled)
        #expect(try written() == compiled.bytes)
        try #require(unlink(file) == 0 && mkdir(file, 0o700) == 0)
        #expect(try cached() == compiled, "it cannot be replaced")
        #expect(TestRoot.names(in: directory) == ["elsewhere", Self.name].sorted())
    }

    @Test(arguments: [0o775, 0o757, 0o1777] as [mode_t])
    func passesOverADirectoryThatOthersMayWriteTo(mode: mode_t) throws {
        try #require(chmod(directory, mode) == 0)
        #expect(try cached() == compiled)
        #expect(TestRoot.names(in: directory) == [])
        try write(Self.other)
        #expect(try cached() == compiled)
    }

    @Test func passesOverADirectoryOfAnotherUser() throws {
        try write(Self.other)
        try #require(chown(directory, 1000, 0) == 0)
        #expect(try cached() == compiled)
    }

    @Test func doesWithoutADirectory() throws {
        for path in ["", "/nowhere", "/dev/null", file, "/proc/self"] {
            #expect(try SeccompProgram.cached(in: path, policy: .docker, capabilities: .docker) == compiled)
        }
    }

    @Test func confinesAStepWithWhatIsInTheFile() throws {
        let script = "grep Seccomp: /proc/self/status; unshare -m true || echo refused"
        for _ in 0..<2 {
            let ran = try root.plan(script).with { $0.seccompDirectory = directory }.run()
            #expect(ran.output == "Seccomp:\t2\nrefused\n")
        }
        #expect(TestRoot.names(in: directory) == [Self.name])
        // One that refuses nothing but kill(2).
        let native = try #require(FilterArchitecture.all.first)
        let kill = UInt8(try #require(SystemCallTable.number(of: "kill", native)))
        try write([0x20, 0, 0, 0, 0, 0, 0, 0] + [0x15, 0, 0, 1, kill, 0, 0, 0] + Self.other + Self.all)
        let plan = try root.plan("kill -0 $$ || echo refused").with { $0.seccompDirectory = directory }
        #expect(try plan.output() == "refused\n")
    }
}
