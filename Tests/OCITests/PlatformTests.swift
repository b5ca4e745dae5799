import OCI
import Testing

/// The normalisation of github.com/containerd/platforms.
@Suite struct PlatformTests {
    @Test(arguments: [
        ("linux/amd64", "linux/amd64"), ("Linux/AMD64", "linux/amd64"), ("linux/x86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"), ("x86_64", "linux/amd64"), ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"), ("linux/x86_64/v3", "linux/amd64/v3"), ("arm64", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"), ("linux/arm64/v8", "linux/arm64"), ("linux/arm64/8", "linux/arm64"),
        ("linux/aarch64/v9", "linux/arm64/v9"), ("linux/arm", "linux/arm/v7"), ("linux/arm/7", "linux/arm/v7"),
        ("linux/arm/v7", "linux/arm/v7"), ("linux/arm/v6", "linux/arm/v6"), ("linux/arm/6", "linux/arm/v6"),
        ("linux/arm/5", "linux/arm/v5"), ("linux/armhf", "linux/arm/v7"), ("linux/armel", "linux/arm/v6"),
        ("linux/i386", "linux/386"), ("linux/386", "linux/386"), ("linux/riscv64", "linux/riscv64"),
        ("windows/amd64", "windows/amd64"),
    ])
    func normalises(text: String, expected: String) throws {
        #expect(try #require(Platform(parsing: text)).description == expected)
    }

    @Test(arguments: [
        "", "/", "linux/", "/amd64", "linux//v7", "linux/arm/v7/", "linux/arm/v7/x", "linux/é", "linux/a b",
        "linux/a\u{300}",
    ])
    func refuses(text: String) { #expect(Platform(parsing: text) == nil) }

    @Test func theOperatingSystemAloneMeansThisMachine() {
        #expect(Platform(parsing: "linux") == Platform.host)
    }

    @Test(arguments: [
        ("linux/amd64", "linux/amd64", true), ("linux/amd64", "linux/arm64", false),
        ("linux/arm/v7", "linux/arm/v6", false), ("windows/amd64", "linux/amd64", false),
        ("linux/amd64", "linux/amd64/v2", true),
    ])
    func serves(have: String, want: String, expected: Bool) throws {
        let have = try #require(Platform(parsing: have))
        #expect(have.serves(try #require(Platform(parsing: want))) == expected)
    }

    @Test func readsAndWritesJSON() throws {
        let platform = Platform(os: "linux", architecture: "arm", variant: "v7")
        #expect(Platform(json: platform.json) == platform)
        #expect(Platform(os: "linux", architecture: "amd64").json["variant"] == nil)
        #expect(Platform(json: .object(["os": .string("linux")])) == nil)
    }
}
