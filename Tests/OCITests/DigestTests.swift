import OCI
import Testing

@Suite struct DigestTests {
    /// FIPS 180-4 and NIST's examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ])
    func knownValues(text: String, hex: String) {
        #expect(Digest(of: text.utf8).description == "sha256:\(hex)")
        var hasher = Digest.Hasher()
        for byte in text.utf8 { hasher.update([byte]) }
        #expect(hasher.finalize().hex == hex)
    }

    @Test func parsesWhatItWrites() throws {
        let digest = Digest(of: "abc".utf8)
        #expect(try Digest(parsing: digest.description) == digest)
    }

    @Test(arguments: [
        "", "sha256:", "sha256:" + String(repeating: "a", count: 63), "sha256:" + String(repeating: "a", count: 65),
        "sha256:" + String(repeating: "A", count: 64), "sha256:" + String(repeating: "g", count: 64),
        "SHA256:" + String(repeating: "a", count: 64), "sha512:" + String(repeating: "a", count: 64),
        "sha512:" + String(repeating: "a", count: 128), String(repeating: "a", count: 64),
        " sha256:" + String(repeating: "a", count: 64), "sha256:" + String(repeating: "a", count: 64) + "\n",
        "sha256:" + String(repeating: "é", count: 32), "sha256:" + String(repeating: "a", count: 61) + "/..",
        "sha256:" + String(repeating: "a", count: 63) + "a\u{301}",
    ])
    func refusesAnythingElse(text: String) {
        #expect(throws: MalformedDigest.self) { try Digest(parsing: text) }
    }

    @Test func theOrderIsThatOfTheDigits() {
        let digests = (0..<200).map { Digest(of: "\($0)".utf8) }
        #expect(digests.sorted().map(\.hex) == digests.map(\.hex).sorted())
        #expect(Set(digests).count == digests.count)
    }

    @Test func itsBytesAreThoseOfTheDigits() throws {
        let digest = try Digest(parsing: "sha256:00ff" + String(repeating: "a1", count: 30))
        let bytes = digest.withBytes { Array($0) }
        #expect(bytes == [0x00, 0xff] + [UInt8](repeating: 0xa1, count: 30))
        #expect(Digest(sha256: bytes) == digest)
    }

    @Test func messagesDoNotRepeatEndlessInput() {
        let text = String(repeating: "x", count: 100_000)
        let error = #expect(throws: MalformedDigest.self) { try Digest(parsing: text) }
        #expect((error?.description.utf8.count ?? 1000) < 300)
    }

    /// image-spec 1.1, config.md, "Layer ChainID": ChainID(L₀|…|Lₙ) = Digest(ChainID(L₀|…|Lₙ₋₁) + " " + DiffID(Lₙ)).
    @Test func chainIDs() throws {
        let layers = try ["1", "2", "3"].map { digit in
            DiffID(try Digest(parsing: "sha256:" + String(repeating: digit, count: 64)))
        }
        #expect(ChainID([]) == nil)
        #expect(ChainID([layers[0]])?.digest == layers[0].digest)
        // Computed with sha256sum over the two texts.
        let two = "sha256:9932074217c35353d2e03a3f5a86549f7c67bfeb0ba53e23d69f4d4c8f7958f5"
        let three = "sha256:50127c0d6b338be78246434b4bce23ecf75e505158ea0bbd15effeb162fbf3ec"
        #expect(ChainID(layers[..<2])?.description == two)
        #expect(ChainID(layers)?.description == three)
        #expect(ChainID(appending: layers[2], to: ChainID(layers[..<2])) == ChainID(layers))
        #expect(ChainID(layers.reversed()) != ChainID(layers))
    }
}
