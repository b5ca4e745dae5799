import OCI
import Testing

@Suite struct ImageConfigTests {
    static let diffID = "sha256:" + String(repeating: "ab", count: 32)

    /// Everything that image-spec 1.1 and Docker put into a configuration, and members that nobody knows.
    static let document = #"""
        {"architecture":"arm","variant":"v7","os":"linux","os.version":"10.1","os.features":["x"],"author":"A",
        "created":"2020-01-01T00:00:00Z","docker_version":"20","x-top":{"deep":[1,2.5,null]},
        "config":{"User":"u","Env":["PATH=/bin","A=1"],"Entrypoint":["/e"],"Cmd":["c"],"WorkingDir":"/w",
        "Volumes":{"/v":{"x-volume":1}},"ExposedPorts":{"80/tcp":{}},"Labels":{"l":"1"},"StopSignal":"SIGINT",
        "Healthcheck":{"Test":["CMD","t"],"Interval":1,"x-check":true},"OnBuild":["RUN x"],"Shell":["/sh"],
        "ArgsEscaped":true,"x-config":[{}]},
        "rootfs":{"type":"layers","diff_ids":["\#(diffID)"],"x-rootfs":7},
        "history":[{"created":"2020-01-01T00:00:00Z","created_by":"x","author":"B","comment":"c","x-history":{}},
        {"empty_layer":true}]}
        """#

    private func config() throws -> ImageConfig {
        try ImageConfig(parsing: Array(Self.document.utf8), as: "test")
    }

    @Test func keepsWhatItDoesNotKnow() throws {
        let before = try JSONValue(parsing: Array(Self.document.utf8), as: "test")
        #expect(try config().json == before)
        var changed = try config()
        changed.runtime.user = "other"
        changed.runtime.addVolumes(["/w"])
        changed.runtime.expose(["81/udp"])
        changed.created = "2021-01-01T00:00:00Z"
        let after = try ImageConfig(parsing: changed.json.encoded(), as: "test").json
        #expect(after["os.version"]?.string == "10.1")
        #expect(after["x-top"] == before["x-top"])
        #expect(after["rootfs"]?["x-rootfs"]?.integer == 7)
        #expect(after["config"]?["Volumes"]?["/v"]?["x-volume"]?.integer == 1)
        #expect(after["config"]?["Volumes"]?["/w"] == .object([:]))
        #expect(after["config"]?["ExposedPorts"] == .object(["80/tcp": .object([:]), "81/udp": .object([:])]))
        #expect(after["config"]?["Healthcheck"] == before["config"]?["Healthcheck"])
        #expect(after["config"]?["ArgsEscaped"] == .bool(true))
        #expect(after["config"]?["x-config"] == before["config"]?["x-config"])
        #expect(after["history"] == before["history"])
        #expect(after["config"]?["User"]?.string == "other")
    }

    @Test func readsWhatItKnows() throws {
        let config = try config()
        #expect(config.platform.description == "linux/arm/v7")
        #expect(config.diffIDs.map(\.description) == [Self.diffID])
        #expect(config.runtime.environment == ["PATH=/bin", "A=1"])
        #expect(config.runtime.onBuild == ["RUN x"])
        #expect(config.runtime.shell == ["/sh"])
        #expect(config.runtime.labels == ["l": "1"])
        #expect(config.history.map(\.isEmptyLayer) == [false, true])
        #expect(config.history.map(\.createdBy) == ["x", nil])
    }

    @Test func aNewConfigurationHasTheRequiredMembers() {
        let json = ImageConfig(platform: Platform(os: "linux", architecture: "amd64")).json
        #expect(json["os"]?.string == "linux")
        #expect(json["architecture"]?.string == "amd64")
        #expect(json["rootfs"] == .object(["type": .string("layers"), "diff_ids": .array([])]))
    }

    @Test func changingThePlatformDropsTheOldVariant() throws {
        var config = try config()
        config.platform = Platform(os: "linux", architecture: "amd64")
        #expect(config.json["variant"] == nil)
        #expect(config.platform.description == "linux/amd64")
    }

    @Test func namesTheMalformedMember() {
        let text = #"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["sha256:12"]}}"#
        let error = #expect(throws: DocumentError.self) { try ImageConfig(parsing: Array(text.utf8), as: "config x") }
        #expect(error?.description == "config x: `diff_ids` has the unusable value sha256:12")
        #expect(throws: DocumentError.self) { try ImageConfig(parsing: Array("[]".utf8), as: "config x") }
    }
}

@Suite struct RuntimeConfigTests {
    private func config(_ environment: [String]) -> RuntimeConfig {
        RuntimeConfig(json: .object(["Env": .strings(environment)]))
    }

    @Test func changesAVariableInItsPlace() {
        var config = config(["A=1", "B=2", "C=3"])
        config.setEnvironment("B", to: "x=y")
        config.setEnvironment("D", to: "")
        #expect(config.environment == ["A=1", "B=x=y", "C=3", "D="])
        #expect(config.environmentValue("B") == "x=y")
        #expect(config.environmentValue("D") == "")
        #expect(config.environmentValue("E") == nil)
    }

    /// A combining mark after the equals sign makes one character with it, but bytes decide.
    @Test func manyVariablesAreSetAsIfOneByOne() {
        var random = SystemRandomNumberGenerator()
        let names = ["A", "B", "AB", "\u{e9}", "C", "D"]
        for _ in 0..<200 {
            var single = RuntimeConfig()
            single.environment = (0..<4).map { "\(names[Int.random(in: 0..<4, using: &random)])=old\($0)" } + ["LONE"]
            var many = single
            let pairs = names.shuffled().prefix(3).map { (name: $0, value: "new") }
            for pair in pairs { single.setEnvironment(pair.name, to: pair.value) }
            many.setEnvironment(pairs)
            #expect(single.environment == many.environment)
        }
    }

    @Test func namesEndAtTheEqualsSignsByte() {
        var config = config(["A=\u{301}x", "AB=2"])
        #expect(config.environmentValue("A") == "\u{301}x")
        config.setEnvironment("A", to: "\u{301}y")
        #expect(config.environment == ["A=\u{301}y", "AB=2"])
        config.setEnvironment("\u{e9}", to: "1")
        #expect(config.environmentValue("\u{e9}") == "1")
    }

    @Test func whatWasSetIsWhatIsRead() {
        var config = config(["A=1", "B=2", "A=3"])
        config.setEnvironment("A", to: "4")
        #expect(config.environmentValue("A") == "4")
        #expect(config.environment.filter { $0.hasPrefix("A=") } == ["A=4"])
    }

    @Test func aVariableWithoutAnEqualsSignHasAnEmptyValue() {
        #expect(config(["A"]).environmentValue("A") == "")
    }

    @Test func emptyMeansAbsent() {
        var config = config(["A=1"])
        config.environment = []
        config.user = ""
        config.workingDirectory = ""
        config.labels = [:]
        config.onBuild = []
        config.command = nil
        #expect(config.json == .object([:]))
        // An empty command is something other than none: it takes away the base image's.
        config.command = []
        config.entrypoint = []
        #expect(config.json == .object(["Cmd": .array([]), "Entrypoint": .array([])]))
    }

    @Test func toleratesMembersOfTheWrongType() {
        let config = RuntimeConfig(json: .object(["Env": .string("A=1"), "User": .integer(5), "Labels": .array([])]))
        #expect(config.environment == [])
        #expect(config.user == "")
        #expect(RuntimeConfig(json: .null).environment == [])
    }
}
