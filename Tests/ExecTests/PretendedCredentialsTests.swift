import Testing

@testable import Exec

@Suite struct PretendedCredentialsTests {
    static let kept = UInt32.max

    struct Case: Sendable {
        var ids: [UInt32]
        var call: String
        var words: [UInt32]
        var result: [UInt32]?

        init(_ ids: [UInt32], _ call: String, _ words: [UInt32], _ result: [UInt32]?) {
            (self.ids, self.call, self.words, self.result) = (ids, call, words, result)
        }
    }

    /// setuid(2), setreuid(2), setresuid(2): real, effective and saved id before and after.
    static let cases: [Case] = [
        Case([0, 0, 0], "setuid", [33, 0, 0], [33, 33, 33]),
        Case([33, 33, 33], "setuid", [0, 0, 0], nil),
        Case([33, 33, 33], "setuid", [33, 0, 0], [33, 33, 33]),
        Case([33, 34, 0], "setuid", [0, 9, 9], [33, 0, 0]),
        Case([0, 0, 0], "setuid", [kept, 0, 0], nil),
        Case([0, 0, 0], "setreuid", [kept, 33, 0], [0, 33, 33]),
        Case([0, 0, 0], "setreuid", [33, 33, 0], [33, 33, 33]),
        Case([33, 33, 33], "setreuid", [kept, 0, 0], nil),
        Case([0, 0, 0], "setresuid", [33, 34, 35], [33, 34, 35]),
        Case([0, 0, 0], "setresuid", [kept, 34, kept], [0, 34, 0]),
        Case([0, 34, 0], "setresuid", [kept, 0, kept], [0, 0, 0]),
        Case([33, 33, 33], "setresuid", [33, 0, 33], nil),
        Case([33, 33, 33], "setresuid", [kept, kept, kept], [33, 33, 33]),
    ]

    @Test(arguments: cases)
    func idsChangeAsTheKernelWouldChangeThem(_ step: Case) {
        let changed = PretendedCredentials.changed(
            step.ids,
            by: step.call,
            step.words,
            isRoot: step.ids[1] == 0
        )
        #expect(changed == step.result)
    }
}
