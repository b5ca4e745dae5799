import BuildFileParser
import Testing

@testable import Builder

/// Build files that would make much of little.
@Suite struct GrowthTests {
    private static let large = "ARG a=\(String(repeating: "x", count: 1 << 18))\n"

    private func refusal(_ text: String) throws -> String? {
        do {
            _ = try plan(text)
            return nil
        } catch let error as Diagnostic {
            return error.message
        }
    }

    @Test(arguments: ["ENV b$n=$a", "LABEL l=$a", "ARG b$n=$a", "RUN true $n", "USER $a"])
    func valuesThatAddUpAreRefused(_ instruction: String) throws {
        let lines = (0..<40).map { instruction.replacing("$n", with: "\($0)") + "\n" }.joined()
        #expect(
            try refusal("FROM scratch\n" + Self.large + lines)
                == "with the values of this instruction, the image's configuration grows beyond 4 MiB"
        )
    }

    @Test func globalArgumentsThatAddUpAreRefused() throws {
        let lines = (0..<40).map { "ARG b\($0)=$a\n" }.joined()
        #expect(
            try refusal(Self.large + lines + "FROM scratch\n") == "the values of the global arguments grow beyond 4 MiB"
        )
    }

    @Test func aFewLargeValuesAreFine() throws {
        #expect(try refusal("FROM scratch\n" + Self.large + "ENV b=$a\nLABEL c=$a\n") == nil)
    }
}
