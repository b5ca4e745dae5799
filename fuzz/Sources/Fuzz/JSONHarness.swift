import OCI

/// A document: what was parsed comes back from its own encoding, as a tree and as each of the kinds of documents.
func fuzzJSON(_ input: [UInt8]) {
    guard let value = try? JSONValue(parsing: input, as: "input") else { return }
    let encoded = succeed("encoding") { try value.encoded() }
    require(succeed("reading back", { try JSONValue(parsing: encoded, as: "again") }) == value, "the tree changes")
    let pretty = succeed("printing") { try value.prettyPrinted() }
    guard pretty.utf8.count <= JSONValue.largestDocument else { return }
    require(
        succeed("reading what was printed", { try JSONValue(parsing: Array(pretty.utf8), as: "pretty") }) == value,
        "the printed tree changes"
    )
    if let manifest = try? ImageManifest(parsing: input, as: "manifest") {
        let again = succeed("a manifest") { try ImageManifest(parsing: manifest.json.encoded(), as: "again") }
        require(again == manifest, "the manifest changes")
    }
    if let index = try? ImageIndex(parsing: input, as: "index") {
        let again = succeed("an index") { try ImageIndex(parsing: index.json.encoded(), as: "again") }
        require(again.manifests == index.manifests && again.annotations == index.annotations, "the index changes")
    }
    if let config = try? ImageConfig(parsing: input, as: "configuration") { check(config) }
}

private func check(_ config: ImageConfig) {
    let again = succeed("a configuration") { try ImageConfig(parsing: config.json.encoded(), as: "again") }
    require(again.diffIDs == config.diffIDs && again.history == config.history, "the layers change")
    require(again.platform == config.platform && again.created == config.created, "the members change")
    require(again.runtime == config.runtime, "the runtime configuration changes")
    var runtime = config.runtime
    let before = runtime.environment.count
    runtime.setEnvironment("FUZZ", to: "1")
    require(runtime.environmentValue("FUZZ") == "1", "a variable that was set is not there")
    require(runtime.environment.count <= before + 1, "one variable more is several")
    runtime.expose(["80/tcp"])
    runtime.addVolumes(["/volume"])
    require(runtime.json["Volumes"]?["/volume"] != nil, "a volume that was added is not there")
}
