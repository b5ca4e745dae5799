import OCI
import Testing

/// The grammar and normalisation of github.com/distribution/reference, with its own test cases among these.
@Suite struct ImageReferenceTests {
    static let digest = "sha256:" + String(repeating: "0123456789abcdef", count: 4)

    struct Case: Sendable, CustomTestStringConvertible {
        var text: String
        var registry: String
        var repository: String
        var tag: String?
        var hasDigest = false
        var familiar: String?

        var testDescription: String { text }
    }

    @Test(arguments: [
        Case(text: "busybox", registry: "docker.io", repository: "library/busybox"),
        Case(text: "busybox:1.36", registry: "docker.io", repository: "library/busybox", tag: "1.36"),
        Case(text: "bitnami/redis", registry: "docker.io", repository: "bitnami/redis"),
        Case(text: "a/b/c", registry: "docker.io", repository: "a/b/c"),
        Case(text: "docker.io/busybox", registry: "docker.io", repository: "library/busybox", familiar: "busybox"),
        Case(
            text: "index.docker.io/busybox",
            registry: "docker.io",
            repository: "library/busybox",
            familiar: "busybox"
        ),
        Case(
            text: "docker.io/library/busybox",
            registry: "docker.io",
            repository: "library/busybox",
            familiar: "busybox"
        ),
        Case(text: "docker.io/library/a/b", registry: "docker.io", repository: "library/a/b", familiar: "library/a/b"),
        Case(text: "ghcr.io/owner/image:v1", registry: "ghcr.io", repository: "owner/image", tag: "v1"),
        Case(text: "ghcr.io/image", registry: "ghcr.io", repository: "image"),
        Case(text: "localhost/image", registry: "localhost", repository: "image"),
        Case(text: "localhost:5000/image", registry: "localhost:5000", repository: "image"),
        Case(text: "localhost:5000/image:5000", registry: "localhost:5000", repository: "image", tag: "5000"),
        Case(text: "localhost:5000", registry: "docker.io", repository: "library/localhost", tag: "5000"),
        Case(text: "127.0.0.1:5000/docker/docker", registry: "127.0.0.1:5000", repository: "docker/docker"),
        Case(text: "[2001:db8::1]:5000/repo:tag", registry: "[2001:db8::1]:5000", repository: "repo", tag: "tag"),
        Case(text: "Docker/docker", registry: "Docker", repository: "docker"),
        Case(text: "registry-1.example.com/a", registry: "registry-1.example.com", repository: "a"),
        Case(text: "a_b/c__d/e---f/g.h", registry: "docker.io", repository: "a_b/c__d/e---f/g.h"),
        Case(text: "image:_x.Y-z", registry: "docker.io", repository: "library/image", tag: "_x.Y-z"),
        Case(text: "image@\(digest)", registry: "docker.io", repository: "library/image", hasDigest: true),
        Case(text: "h.io/i:t@\(digest)", registry: "h.io", repository: "i", tag: "t", hasDigest: true),
        Case(
            text: "docker.io/1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a",
            registry: "docker.io",
            repository: "library/1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a",
            familiar: "library/1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a"
        ),
    ])
    func parses(expected: Case) throws {
        let reference = try ImageReference(parsing: expected.text)
        #expect(reference.registry == expected.registry)
        #expect(reference.repository == expected.repository)
        #expect(reference.tag == expected.tag)
        #expect((reference.digest != nil) == expected.hasDigest)
        #expect(reference.familiar == expected.familiar ?? expected.text)
        #expect(try ImageReference(parsing: reference.familiar) == reference, "the short form means the same")
        let hasRegistry = expected.text.contains("/") && expected.text.hasPrefix("\(reference.registry)/")
        #expect((reference.shortName == nil) == (hasRegistry || expected.text.hasPrefix("index.docker.io/")))
        #expect(try ImageReference(parsing: reference.description) == reference, "the full form means the same")
    }

    @Test(arguments: [
        "", ":", "/", "@", ":tag", "image:", "image:a b", "image:-x", "image:.x", "image@", "image@sha256:abc",
        "image@sha512:" + String(repeating: "a", count: 128), "image:" + String(repeating: "t", count: 129),
        "https://github.com/docker/docker", "docker/Docker", "-docker", "-docker/docker", "-docker.io/docker/docker",
        "docker///docker", "docker.io/docker/Docker", "docker.io/docker///docker", "docker.io/", "a/", "a//b", "/a",
        "a b", "a\n", "busy box/x", "exa mple.com/x", "foo..com/x", "foo.com:port/x", "a..b", "a___b", "a._b", "a-_b",
        "a_-b", "a.-b", "a-.b", "_a", "a_", ".a", "a.", "-a", "a-", "é", "a/../b", "a:b:c", "Image",
        "1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a",
        String(repeating: "a", count: 256) + ":t", "h.io/" + String(repeating: "a/", count: 600) + "a",
    ])
    func refuses(text: String) {
        #expect(throws: MalformedReference.self) { try ImageReference(parsing: text) }
    }

    @Test func messagesNameTheRule() {
        let table = [
            ("", "it is empty"), ("docker.io/Foo", "lower case"), ("a:b c", "`b c` is no tag"),
            ("a@sha256:12", "no sha256 digest"), ("a/-b", "`-b` is no part of a repository name"),
        ]
        for (text, rule) in table {
            let error = #expect(throws: MalformedReference.self) { try ImageReference(parsing: text) }
            #expect(error?.description.contains(rule) == true, "\(text): \(error?.description ?? "")")
        }
    }

    @Test func taggedAddsLatestOnlyWhereNothingIsGiven() throws {
        #expect(try ImageReference(parsing: "a").tagged.familiar == "a:latest")
        #expect(try ImageReference(parsing: "a:b").tagged.familiar == "a:b")
        #expect(try ImageReference(parsing: "a@\(Self.digest)").tagged.familiar == "a@\(Self.digest)")
    }
}
