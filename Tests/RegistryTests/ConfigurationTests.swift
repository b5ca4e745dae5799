import Glibc
import OCI
import Testing

@testable import Registry

@Suite struct ConfigurationTests {
    private func rules(_ text: String) throws(RegistryConfigurationError) -> [RegistryRule] {
        try RegistryRule.all(in: TOMLDocument(parsing: Array(text.utf8), path: "r.conf"), path: "r.conf")
    }

    @Test func rulesAreRead() throws {
        let rules = try rules(
            """
            # a comment
            unqualified-search-registries = [
                "docker.io", # the usual one
                'quay.io',
            ]
            short-name-mode="enforcing"
            credential-helpers = []
            number = 1_000
            [aliases]
            "alpine" = "docker.io/library/alpine"
            a.b = { x = 1, y = ["z"] }

            [[registry]]\t
            prefix = "docker.io/team"   # behind a value
            location = 'inner.example.com:5000/team/'
            insecure = true
            [[ registry.mirror ]]
            location = "mirror.example.com"
            insecure = true
            [[registry.mirror]]
            location = "other.example.com/a\\u002Fb"
            mirror-by-digest-only = true\r
            [[registry]]
            location = "plain.example.com"
            blocked = true
            """
        )
        var first = RegistryRule(prefix: "docker.io/team", location: "inner.example.com:5000/team", isInsecure: true)
        first.mirrors = [
            RegistryRule.Mirror(location: "mirror.example.com", isInsecure: true),
            RegistryRule.Mirror(location: "other.example.com/a/b", pulls: .byDigest),
        ]
        let second = RegistryRule(prefix: "plain.example.com", location: "plain.example.com", isBlocked: true)
        #expect(rules == [first, second])
    }

    @Test(arguments: [
        ("a = 1\nnonsense\n", 2), ("[[registry]]\nprefix = docker.io\n", 2), ("[[registry]]\nlocation = \"x\n\"", 2),
        ("[[registry]\n", 1), ("[[registry]]\nlocation = \"x\" \"y\"", 2), ("[[registry]]\nlocation = 1", 2),
        ("\n[[registry]]\ninsecure = true", 2), ("[[registry]]\nlocation = \"a\"\ninsecure = \"yes\"", 3),
        ("[[registry.mirror]]\nlocation = \"a\"", 1), ("[[registry]]\nlocation = \"https://a\"", 2),
        ("[[registry]]\nlocation = \"*.a\"", 1), ("[[registry]]\nlocation = \"a b\"", 2),
        ("[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\ninsecure = true", 3),
        ("a = [1\n, 2\n, \n3", 4), ("a = \"\"\"\n\"\"\"", 1), ("a = 1\na = 2", 2), ("a = \"\\x\"", 1), ("= 1", 1),
        ("a =", 1), ("[]", 1), ("a = [[[[[[[[[[[[[[[[[[[[", 1), ("a = \"\\ud800\"", 1),
    ])
    func whatIsMalformedIsNamedWithItsLine(text: String, line: Int) throws {
        let error = #expect(throws: RegistryConfigurationError.self) { try rules(text) }
        #expect(error?.line == line, "\(error.map { "\($0)" } ?? "")")
        #expect(error.map { "\($0)".hasPrefix("r.conf:\(line): ") } == true)
    }

    @Test func laterFilesReplaceRulesOfEarlierOnes() throws {
        let scratch = try ScratchDirectory()
        defer { withExtendedLifetime(scratch) {} }
        let table = { (prefix: String, location: String) in
            "[[registry]]\nprefix = \"\(prefix)\"\nlocation = \"\(location)\"\n"
        }
        try scratch.write(table("a", "system") + table("b", "system"), to: "etc/containers/registries.conf")
        try scratch.write(table("a", "second"), to: "etc/containers/registries.conf.d/2.conf")
        try scratch.write(table("a", "first"), to: "etc/containers/registries.conf.d/1.conf")
        try scratch.write("nonsense", to: "etc/containers/registries.conf.d/3.txt")
        let system = ConfigurationPlaces(environment: [:], home: scratch.path + "/home", system: scratch.path + "/etc")
        #expect(try system.read().rules.map(\.location) == ["system", "second"])
        try scratch.write(table("c", "home"), to: "home/.config/containers/registries.conf")
        let personal = ConfigurationPlaces(
            environment: [:],
            home: scratch.path + "/home",
            system: scratch.path + "/etc"
        )
        #expect(try personal.read().rules.map(\.location) == ["home", "second"])
        let named = ConfigurationPlaces(
            environment: ["CONTAINERS_REGISTRIES_CONF": scratch.path + "/missing"],
            home: nil,
            system: scratch.path + "/etc"
        )
        #expect(throws: RegistryConfigurationError.self) { try named.read() }
    }

    @Test func theMachineNeedsNoFiles() throws {
        let scratch = try ScratchDirectory()
        defer { withExtendedLifetime(scratch) {} }
        let places = ConfigurationPlaces(environment: [:], home: nil, system: scratch.path)
        #expect(try places.read().rules.isEmpty)
    }

    // MARK: short names

    private func names(_ files: [String]) throws(RegistryConfigurationError) -> ShortNames {
        var names = ShortNames()
        for (number, text) in files.enumerated() {
            let document = try TOMLDocument(parsing: Array(text.utf8), path: "\(number).conf")
            try names.add(document, path: "\(number).conf")
        }
        return names
    }

    @Test(arguments: [
        ("fedora", "registry.example.com/fedora:latest"), ("fedora:40", "registry.example.com/fedora:40"),
        ("team/tool:1", "other.example.com/tool:1"), ("docker.io/library/fedora:40", "docker.io/library/fedora:40"),
        ("library/fedora", "docker.io/library/fedora:latest"), ("gone", "docker.io/library/gone:latest"),
        ("example.com/fedora", "example.com/fedora:latest"), ("unknown", "docker.io/library/unknown:latest"),
    ])
    func aliasesStandForShortNames(name: String, expected: String) throws {
        let names = try names([
            "[aliases]\n\"fedora\" = \"first.example.com/f\"\ngone = \"example.com/gone\"\n"
                + "\"team/tool\" = \"other.example.com/tool\"\n",
            "[aliases]\n\"fedora\" = \"registry.example.com/fedora\"\ngone = \"\"\n",
        ])
        #expect("\(try names.resolve(ImageReference(parsing: name)).tagged)" == expected)
    }

    @Test(arguments: ["\"fedora\"", "\"example.com/a:1\"", "\"https://example.com/a\"", "true"])
    func whatIsNoAliasIsNamedWithItsLine(value: String) throws {
        let error = #expect(throws: RegistryConfigurationError.self) { try names(["[aliases]\na = \(value)\n"]) }
        #expect(error?.line == 2)
    }

    // MARK: certificates

    private func trust(_ host: String, _ change: (inout RegistryConfiguration) -> Void) throws -> TLSTrust {
        var configuration = RegistryConfiguration()
        change(&configuration)
        // What is one character here may be two for libcurl, and another host.
        #expect(HTTPURL("http://\(host)/\u{301}@other/") == nil)
        let origin = try #require(HTTPURL("https://\(host)/")?.origin)
        // What it points to is gone with the store.
        let store = TrustStore(configuration)
        return try withExtendedLifetime(store) {
            var trust = try store.trust(for: origin, isInsecure: false)
            if let path = trust.authorities {
                trust.authorities = String(decoding: try HostFile.read(path, limit: 16 << 20), as: UTF8.self)
            }
            return trust
        }
    }

    @Test func certificatesOfAHostAreFound() throws {
        let scratch = try ScratchDirectory()
        defer { withExtendedLifetime(scratch) {} }
        try scratch.write("OWN-1\n", to: "one/example.com:5000/a.crt")
        try scratch.write("OWN-2\n", to: "one/example.com:5000/b.crt")
        try scratch.write("", to: "one/example.com:5000/client.cert")
        try scratch.write("", to: "one/example.com:5000/client.key")
        try scratch.write("OTHER", to: "two/example.com:5000/a.crt")
        try scratch.write("PLAIN", to: "two/example.com/a.crt")
        let directories = ["one", "two", "missing"].map { "\(scratch.path)/\($0)" }
        let found = try trust("example.com:5000") { $0.certificateDirectories = directories }
        #expect(found.authorities?.contains("OWN-1\n\nOWN-2\n") == true)
        #expect(found.authorities?.contains("OTHER") == false)
        // The system's own stay.
        #expect(found.authorities?.contains("-----BEGIN CERTIFICATE-----") == true)
        #expect(found.clientCertificate == "\(scratch.path)/one/example.com:5000/client.cert")
        #expect(found.clientKey == "\(scratch.path)/one/example.com:5000/client.key")
        #expect(
            try trust("example.com") { $0.certificateDirectories = directories }.authorities?.contains("PLAIN") == true
        )
        #expect(try trust("example.com:1") { $0.certificateDirectories = directories } == TLSTrust())
    }

    @Test func aCertificateWithoutItsKeyIsAnError() throws {
        let scratch = try ScratchDirectory()
        defer { withExtendedLifetime(scratch) {} }
        try scratch.write("", to: "example.com/client.cert")
        let error = #expect(throws: RegistryFailure.self) {
            try trust("example.com") { $0.certificateDirectories = [scratch.path] }
        }
        guard case .configuration(let problem) = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(problem.description.contains("client.key"))
    }

    @Test(arguments: [
        ("example.com", "example.com", true), ("example.com", "example.com:5000", true),
        ("example.com:5000", "example.com:5000", true), ("example.com:5000", "example.com", false),
        ("example.com:443", "example.com", true), ("EXAMPLE.com", "example.COM", true),
        ("example.com", "sub.example.com", false), ("[::2]", "[::2]", true), ("[::2]:5000", "[::2]:5000", true),
    ])
    func insecureIsWhatIsNamed(named: String, host: String, expected: Bool) throws {
        #expect(try trust(host) { $0.insecureRegistries = [named] }.isUnverified == expected)
    }

    // MARK: URLs

    @Test(arguments: [
        ("/x?y", "https://host:5000/x?y"), ("x", "https://host:5000/a/x"), ("?q=1", "https://host:5000/a/b?q=1"),
        ("//other/x", "https://other/x"), ("http://other:80/x", "http://other/x"),
        ("HTTPS://Other:443", "https://other/"),
        ("../x", "https://host:5000/a/../x"), ("ftp://x", nil), ("mailto:x", nil), ("http://", nil),
        ("http://host:port/", nil), ("/a b", nil), ("/#part", "https://host:5000/"),
    ])
    func locationsAreResolved(location: String, expected: String?) throws {
        #expect(try #require(HTTPURL("https://host:5000/a/b?c=d")).resolving(location)?.text == expected)
    }

    @Test(arguments: [
        ("http://localhost/", true), ("http://127.8.9.1:5000/", true), ("https://[::1]:5000/", true),
        ("http://127.0.0.1.example.com/", false), ("http://128.0.0.1/", false), ("http://example.com/", false),
    ])
    func thisMachineIsKnown(url: String, expected: Bool) throws {
        #expect(try #require(HTTPURL(url)).origin.isLoopback == expected)
    }
}
