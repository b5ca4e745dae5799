import Glibc
import OCI
import Testing

@testable import Registry

@Suite struct CredentialTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func store(_ environment: [String: String] = [:], runtime: Bool = false) -> CredentialStore {
        CredentialStore(
            environment: ["PATH": "\(scratch.path)/bin:/usr/bin:/bin"].merging(environment) { $1 },
            home: scratch.path + "/home",
            runtimeDirectory: scratch.path + "/run"
        )
    }

    private func docker(_ json: String) throws { try scratch.write(json, to: "home/.docker/config.json") }

    /// A helper that knows one server, and writes down what it is asked.
    private func helper(_ name: String, server: String, answer: String, status: Int = 0) throws {
        try scratch.write(
            """
            #!/bin/sh
            input=$(cat)
            printf '%s %s\\n' "$1" "$input" >> \(scratch.path)/log
            [ "$1" = get ] || exit 0
            [ "$input" = '\(server)' ] || { echo 'credentials not found in native keychain'; exit 1; }
            echo '\(answer)'
            exit \(status)
            """,
            to: "bin/docker-credential-\(name)"
        )
        chmod("\(scratch.path)/bin/docker-credential-\(name)", 0o755)
    }

    @Test func theLongestNameCounts() throws {
        // u:1, u:2 and so on.
        try docker(
            """
            {"auths": {"example.com": {"auth": "dTox"}, "example.com/team": {"auth": "dToy"},
             "example.com/team/app": {"auth": "dToz"}, "https://old.example.com/v1/": {"auth": "dTo0"},
             "https://index.docker.io/v1/": {"auth": "dTo1"}, "empty.example.com": {},
             "parts.example.com": {"username": "u", "password": "6"}}}
            """
        )
        func password(_ registry: String, _ repository: String) throws -> String? {
            try store().credentials(for: registry, repository: repository)?.password
        }
        #expect(try password("example.com", "other") == "1")
        #expect(try password("example.com", "team/other") == "2")
        #expect(try password("example.com", "team/app") == "3")
        #expect(try password("example.com", "team/app/part") == "3")
        #expect(try password("example.com", "") == "1")
        #expect(try password("old.example.com", "a") == "4")
        #expect(try password("docker.io", "library/busybox") == "5")
        #expect(try password("parts.example.com", "a") == "6")
        #expect(try password("empty.example.com", "a") == nil)
        #expect(try password("example.com:5000", "a") == nil)
    }

    @Test func filesHaveAnOrder() throws {
        try docker("{\"auths\": {\"example.com\": {\"auth\": \"dTox\"}, \"docker.example.com\": {\"auth\": \"dTox\"}}}")
        try scratch.write("{\"auths\": {\"example.com\": {\"auth\": \"dToy\"}}}", to: "run/containers/auth.json")
        #expect(try store().credentials(for: "example.com", repository: "a")?.password == "2")
        #expect(try store().credentials(for: "docker.example.com", repository: "a")?.password == "1")
        try scratch.write("{}", to: "own.json")
        let own = store(["REGISTRY_AUTH_FILE": scratch.path + "/own.json"])
        #expect(try own.credentials(for: "example.com", repository: "a") == nil)
        let elsewhere = store(["DOCKER_CONFIG": scratch.path + "/nowhere"])
        #expect(try elsewhere.credentials(for: "docker.example.com", repository: "a") == nil)
    }

    @Test(arguments: [
        "{", "[]", "{\"auths\": {\"example.com\": {\"auth\": \"!\"}}}",
        "{\"auths\": {\"example.com\": {\"auth\": \"dQ==\"}}}",
    ])
    func aFileThatIsNotUnderstoodIsNamed(json: String) throws {
        try docker(json)
        let error = #expect(throws: CredentialError.self) {
            try store().credentials(for: "example.com", repository: "a")
        }
        #expect(error?.place == "\(scratch.path)/home/.docker/config.json")
    }

    @Test func helpersAreAsked() throws {
        try docker(
            """
            {"credHelpers": {"example.com": "one"}, "credsStore": "all",
             "auths": {"file.example.com": {"auth": "dTox"}, "all.example.com": {}}}
            """
        )
        let answer = "{\"ServerURL\":\"x\",\"Username\":\"u\",\"Secret\":\"from helper\"}"
        try helper("one", server: "example.com", answer: answer)
        try helper("all", server: "https://index.docker.io/v1/", answer: "{\"Username\":\"<token>\",\"Secret\":\"t\"}")
        let store = store()
        #expect(try store.credentials(for: "example.com", repository: "a")?.password == "from helper")
        #expect(try store.credentials(for: "docker.io", repository: "library/a")?.identityToken == "t")
        #expect(try store.credentials(for: "file.example.com", repository: "a")?.password == "1")
        #expect(try store.credentials(for: "all.example.com", repository: "a") == nil)
        #expect(
            try scratch.read("log")
                == "get example.com\nget https://index.docker.io/v1/\nget all.example.com\n"
        )
    }

    @Test func aHelperThatFailsIsAnErrorWithoutWhatItKnows() throws {
        try docker(
            "{\"credHelpers\": {\"a.example.com\": \"bad\", \"b.example.com\": \"none\", \"c.example.com\": \"../x\"}}"
        )
        try helper("bad", server: "a.example.com", answer: "the keyring is locked", status: 3)
        let bad = #expect(throws: CredentialError.self) {
            try store().credentials(for: "a.example.com", repository: "a")
        }
        #expect(bad.map { "\($0)".contains("docker-credential-bad") && "\($0)".contains("keyring is locked") } == true)
        for registry in ["b.example.com", "c.example.com"] {
            #expect(throws: CredentialError.self) { try store().credentials(for: registry, repository: "a") }
        }
    }

    @Test func aLoginKeepsWhatIsThere() throws {
        try docker(
            "{\"auths\": {\"a.example.com\": {\"auth\": \"dTox\", \"x\": 1}}, \"detachKeys\": \"ctrl-e\", \"n\": [1.5]}"
        )
        chmod("\(scratch.path)/home/.docker/config.json", 0o644)
        let path = try store().save(RegistryCredentials(user: "me", password: "pa:ss"), for: "b.example.com")
        #expect(path == "\(scratch.path)/home/.docker/config.json")
        let json = try JSONValue(parsing: HostFile.read(path, limit: 1 << 20), as: "x")
        #expect(json["detachKeys"]?.string == "ctrl-e")
        #expect(json["n"] == .array([.number(1.5)]))
        #expect(json["auths"]?["a.example.com"]?["x"] == .integer(1))
        #expect(try store().credentials(for: "b.example.com", repository: "a")?.password == "pa:ss")
        var information = stat()
        #expect(stat(path, &information) == 0 && information.st_mode & 0o777 == 0o600)
        #expect(try store().remove("b.example.com"))
        #expect(try !store().remove("b.example.com"))
        #expect(try store().credentials(for: "b.example.com", repository: "a") == nil)
        #expect(try store().credentials(for: "a.example.com", repository: "a")?.password == "1")
    }

    @Test func dockersRegistryHasDockersName() throws {
        try docker("{\"auths\": {\"docker.io\": {\"auth\": \"dTox\"}}}")
        try store().save(RegistryCredentials(user: "u", password: "new"), for: "docker.io")
        let json = try JSONValue(parsing: Array(scratch.read("home/.docker/config.json").utf8), as: "x")
        #expect(json["auths"]?.object?.keys.sorted() == ["https://index.docker.io/v1/"])
        #expect(try store().credentials(for: "docker.io", repository: "library/a")?.password == "new")
        #expect(try store().remove("index.docker.io"))
    }

    @Test func aLoginGoesWhereItIsLookedFor() throws {
        let credentials = RegistryCredentials(user: "u", password: "p")
        #expect(try store().save(credentials, for: "example.com") == "\(scratch.path)/home/.docker/config.json")
        try scratch.write("", to: "run/containers/auth.json")
        #expect(try store().save(credentials, for: "example.com") == "\(scratch.path)/run/containers/auth.json")
        let own = store(["REGISTRY_AUTH_FILE": "\(scratch.path)/deep/own.json"])
        #expect(try own.save(credentials, for: "example.com") == "\(scratch.path)/deep/own.json")
        #expect(try own.credentials(for: "example.com", repository: "a") == credentials)
        #expect(throws: CredentialError.self) { try CredentialStore().save(credentials, for: "example.com") }
    }

    @Test func helpersKeepLogins() throws {
        try docker("{\"credsStore\": \"all\"}")
        try helper("all", server: "example.com", answer: "{\"Username\":\"u\",\"Secret\":\"s\"}")
        #expect(
            try store().save(RegistryCredentials(user: "u", password: "s"), for: "example.com")
                == "docker-credential-all"
        )
        #expect(try store().remove("example.com"))
        #expect(
            try scratch.read("log")
                == "store {\"Secret\":\"s\",\"ServerURL\":\"example.com\",\"Username\":\"u\"}\n"
                + "get example.com\nerase example.com\n"
        )
        #expect(try scratch.read("home/.docker/config.json") == "{\"credsStore\": \"all\"}")
    }

    @Test func aLinkIsFollowed() throws {
        try scratch.write("{}", to: "dotfiles/config.json")
        try scratch.write("", to: "home/.docker/x")
        symlink("\(scratch.path)/dotfiles/config.json", "\(scratch.path)/home/.docker/config.json")
        try store().save(RegistryCredentials(user: "u", password: "p"), for: "example.com")
        #expect(try scratch.read("dotfiles/config.json").contains("example.com"))
    }
}
