import Testing

@testable import Builder

@Suite struct GitMessageTests {
    @Test(arguments: [
        ("", nil), ("\n\r\n", nil), ("fatal: no\n", "fatal: no"), ("one.\ntwo,\r\nthree\n", "one; two; three"),
        (
            "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n"
                + "and the repository exists.\n",
            "fatal: Could not read from remote repository"
        ),
        ("a\nb\nc\nd\ne\n", "b; c; d; e"), ("\u{1B}[31mred\u{7F}\n", "[31mred"), ("  x  \n", "x"),
    ])
    func becomesOneLine(said: String, expected: String?) {
        #expect(GitMessage.oneLine(of: Array(said.utf8)) == expected)
    }

    @Test func isNeverLong() {
        let said = [UInt8](repeating: 0x61, count: 100_000)
        #expect(GitMessage.oneLine(of: said)?.utf8.count == 1000)
    }

    @Test(arguments: [
        ("fatal: early EOF", true), ("error: RPC failed; curl 56 Recv failure: Connection reset by peer", true),
        ("fatal: the remote end hung up unexpectedly", true),
        ("fatal: unable to access 'u': The requested URL returned error: 503", true),
        ("fatal: unable to access 'u': The requested URL returned error: 404", false),
        ("fatal: repository 'u' not found", false), ("fatal: Authentication failed for 'u'", false),
        ("Permission denied (publickey); fatal: the remote end hung up unexpectedly", false),
        ("fatal: unable to connect: Connection refused", false), ("", false),
    ])
    func knowsWhatMayPass(message: String, expected: Bool) { #expect(GitMessage.mayPass(message) == expected) }
}
