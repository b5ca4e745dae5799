import LayerDiff
import OCI
import Testing

@testable import Builder

/// Keys must stay what they are from one version to the next, or every cache begins anew: whoever changes these digests
/// on purpose raises the schema's number.
@Suite struct FieldTests {
    /// Computed in Python: each item is its length as eight bytes, little-endian, and its bytes; numbers have eight.
    @Test func theFormOfFieldsIsFixed() {
        var hasher = FieldHasher(domain: "test")
        hasher.add("a")
        hasher.add(-2)
        hasher.add(["ab", "c"])
        hasher.add([0, 255] as [UInt8])
        #expect(hasher.finalize().hex == "2a6cf0a090e9d4e586af961c18928aa2925d758aa6b1fa4535b134e378452c8b")
    }

    @Test func theFormOfStepKeysIsFixed() {
        var fields = StepFields()
        fields.set("kind", "run")
        fields.set("arguments", ["/bin/sh", "-c", "true"])
        fields.set("script", [])
        fields.set("link", true)
        #expect(
            fields.digest(domain: "step").hex == "8f2fb7c00b7db1ffa56e69556e8bd71f759d1f2483d1e56a4b9e74178330422c"
        )
    }

    private func digest(_ fields: [(String, [String])], domain: String = "d") -> Digest {
        var result = StepFields()
        for field in fields { result.set(field.0, field.1) }
        return result.digest(domain: domain)
    }

    @Test func differentFieldsNeverGiveTheSameBytes() {
        let all = [
            digest([]), digest([], domain: "e"), digest([("a", [])]), digest([("a", [""])]), digest([("a", ["", ""])]),
            digest([("a", ["ab", "c"])]), digest([("a", ["a", "bc"])]), digest([("a", ["abc"])]),
            digest([("a", ["a"]), ("b", ["c"])]), digest([("a", ["a", "b", "c"])]), digest([("aa", ["b", "c"])]),
            digest([("b", ["c"]), ("a", ["a"])]), digest([("a", ["a\0b"])]), digest([("a", ["a", "b"])]),
            digest([("a", ["é"])]), digest([("a", ["e\u{301}"])]),
        ]
        #expect(Set(all).count == all.count)
        #expect(digest([("a", ["b"])]) == digest([("a", ["b"])]))
    }

    @Test func fieldsAreKeptForTheExplanation() throws {
        var fields = StepFields()
        fields.set("arguments", ["a", "b"])
        fields.set("user", "u")
        let file = SelectionDigest.KeptFile(path: ContainerPath("d/f"), mode: 0o755, digest: Digest(of: []))
        fields.files = [file]
        let json = try JSONValue(parsing: fields.encoded(), as: "fields")
        #expect(
            json
                == .object([
                    "arguments": .strings(["a", "b"]), "user": .strings(["u"]),
                    "files": .strings(["e3b0c44298fc1c14 755 /d/f"]),
                ])
        )
    }
}
