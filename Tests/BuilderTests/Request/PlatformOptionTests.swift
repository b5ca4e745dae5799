import BuildFileParser
import OCI
import Testing

@testable import Builder

@Suite struct PlatformOptionTests {
    @Test(arguments: [
        "linux/amd64", "linux/ARM64", "arm64", "windows", "linux/arm/v6", "linux/loong64", "plan9/386", "linux/riscv",
        "linux/newarchitecture", "unknown/unknown",
    ])
    func isTaken(text: String) throws {
        let platform = try BuildRequest.platform(parsing: text)
        #expect(platform == Platform(parsing: text))
    }

    @Test(arguments: [
        ("linux/amd46", "linux/amd64"), ("linux/arm46", "linux/arm64"), ("linxu/amd64", "linux/amd64"),
        ("linux/amd65/v2", "linux/amd64/v2"), ("aarch46", "aarch64"), ("widnows", "windows"),
    ])
    func isNearlyOne(text: String, meant: String) throws {
        let error = #expect(throws: MalformedOption.self) { try BuildRequest.platform(parsing: text) }
        #expect(error?.description == "--platform \(text): expected a platform that is known: did you mean `\(meant)`?")
        let malformed = #expect(throws: Diagnostic.self) { try plan("FROM --platform=\(text) scratch\n") }
        #expect(malformed?.notes == ["did you mean `\(meant)`?"])
    }

    @Test(arguments: ["", "linux/amd64/v2/x", "linux/", "nonsense", "linux/amd64,linux/arm64"])
    func isNone(text: String) {
        let error = #expect(throws: MalformedOption.self) { try BuildRequest.platform(parsing: text) }
        #expect(error?.expected == "os/architecture, such as linux/amd64 or linux/arm64")
    }
}
