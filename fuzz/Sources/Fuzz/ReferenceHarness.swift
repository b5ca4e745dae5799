import OCI

/// Short texts: image references, digests and platforms come back from what they are shown as.
func fuzzReference(_ input: [UInt8]) {
    let text = String(decoding: input, as: UTF8.self)
    if let reference = try? ImageReference(parsing: text) {
        let shown = reference.description
        require(succeed(shown, { try ImageReference(parsing: shown) }) == reference, "the reference \(shown) changes")
        let familiar = reference.familiar
        require(succeed(familiar, { try ImageReference(parsing: familiar) }) == reference, "\(familiar) is another")
        let tagged = reference.tagged
        require(tagged.tag != nil || tagged.digest != nil, "\(tagged) has no tag")
        require(shown.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }, "\(shown) is no plain text")
    }
    if let digest = try? Digest(parsing: text) {
        require(digest.description == text, "the digest \(digest) changes")
    }
    if let platform = Platform(parsing: text) {
        require(Platform(parsing: platform.description) == platform, "the platform \(platform) changes")
        require(Platform(json: platform.json) == platform, "the platform \(platform) changes in documents")
    }
}
