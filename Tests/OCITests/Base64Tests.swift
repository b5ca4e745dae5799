import OCI
import Testing

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("\u{FF}", "w78="),
        ("user:secret", "dXNlcjpzZWNyZXQ="), ("\u{0}\u{3FB}", "AM+7"),
    ])
    func goesThereAndBack(text: String, encoded: String) {
        #expect(Base64.encoded(text.utf8) == encoded)
        #expect(Base64.decoded(encoded) == Array(text.utf8))
        #expect(Base64.decoded(encoded.filter { $0 != "=" }) == Array(text.utf8))
    }

    @Test(arguments: ["no!", "Z", "Zm9v\n", "Zg==Zg", "Zm-v"])
    func whatIsNone(text: String) { #expect(Base64.decoded(text) == nil) }
}
