import LayerDiff
import OCI
import Testing

@testable import Builder

@Suite struct SecretFormTests {
    private func forms(_ values: String...) -> SecretForms {
        SecretForms(of: values.enumerated().map { (.secret("\($0.offset)"), Array($0.element.utf8)) })
    }

    private func form(of text: String, _ value: String) -> SecretForms.Form? {
        let forms = forms(value)
        return PatternSearch(forms.patterns)?.firstMatch(in: Array(text.utf8)).map { forms.origins[$0.pattern].form }
    }

    @Test func theValueWithoutBlanksAround() {
        #expect(form(of: "x=hunter2hunter2;", "hunter2hunter2\n") == .plain)
        #expect(form(of: "x=hunter2hunter2;", "\r\n hunter2hunter2 \r\n") == .plain)
        #expect(form(of: "x=hunter2hunter;", "hunter2hunter2") == nil)
    }

    @Test(arguments: ["", "u", "us", "user:", "user:p", "x-access-token:"])
    func theValueInBase64BehindOtherBytes(before: String) {
        for after in ["", "!", "!!", "\n"] {
            let text = Base64.encoded(Array("\(before)s3cr3t-v4lue?>\(after)".utf8))
            #expect(form(of: "auth: \(text)", "s3cr3t-v4lue?>") == .base64)
        }
        #expect(form(of: "auth: \(Base64.encoded(Array("\(before)another value".utf8)))", "s3cr3t-v4lue?>") == nil)
    }

    @Test func base64InLinesAndForURLs() {
        let value = (0..<150).map { "\($0 * $0 % 10)" }.joined()
        let text = Array(Base64.encoded(Array(value.utf8)))
        let lines = stride(from: 0, to: text.count, by: 76).map { String(text[$0..<min($0 + 76, text.count)]) }
        #expect(form(of: lines.joined(separator: "\n"), value) == .base64)
        let odd = "\u{3ff}\u{3ff}\u{3ff}>>>???~~~"
        let url = Base64.encoded(Array(odd.utf8)).map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 }
        #expect(String(url) != Base64.encoded(Array(odd.utf8)))
        #expect(form(of: String(url), odd) == .base64)
    }

    @Test func linesOfPrivateKeysAndOfNothingElse() {
        func block(_ label: String, _ letter: Character) -> String {
            let lines = (0..<4).map { "\(letter)\($0)" + String(repeating: "AbCd", count: 15) }
            return "-----BEGIN \(label)-----\n\(lines.joined(separator: "\n"))\n-----END \(label)-----\n"
        }
        let value = block("CERTIFICATE", "c") + block("RSA PRIVATE KEY", "k")
        let tail = String(repeating: "AbCd", count: 15)
        #expect(form(of: "  k2\(tail)\\n", value) == .keyLine)
        #expect(form(of: "  c2\(tail)\\n", value) == nil)
        #expect(form(of: "  k0\(tail)\\n", value) == nil, "many keys begin alike")
        #expect(form(of: block("CERTIFICATE", "c"), value) == nil)
    }

    @Test func whatIsTooPlainIsLeftOut() {
        let forms = forms(
            "short",
            "\n\n",
            "",
            "aaaaaaaaaaaa",
            "abababababab",
            "some words",
            "somewords",
            "Some words",
            "many more small words"
        )
        #expect(forms.leftOut == (0..<6).map { .secret("\($0)") })
        #expect(Set(forms.origins.map(\.secret)) == Set((6..<9).map { .secret("\($0)") }))
    }
}
