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

    @Test(arguments: ["ENV b$n=$a", "LABEL l$n=$a", "ARG b$n=$a", "VOLUME $a", "EXPOSE $a", "COPY $a /x/"])
    func wordsOfOneInstructionThatAddUpAreRefused(_ form: String) throws {
        let words = form.split(separator: " ")
        let numbered = (0..<40).map { String(words[1]).replacing("$n", with: "\($0)") }
        let many = numbered + words.dropFirst(2).map(String.init)
        #expect(
            try refusal("FROM scratch\n" + Self.large + "\(words[0]) \(many.joined(separator: " "))\n")
                == "with the values of this instruction, the image's configuration grows beyond 4 MiB"
        )
    }

    @Test func rangesOfPortsThatAddUpAreRefused() throws {
        let once = "EXPOSE 1-65535 1-65535/udp"
        #expect(try refusal("FROM scratch\n\(once)\n") == nil)
        #expect(
            try refusal("FROM scratch\n\(once) 1-65535/sctp 1-65535\n") == "EXPOSE lists more than 196608 ports"
        )
    }

    @Test func stagesThatInheritAreRefused() throws {
        let variables = (0..<2000).map { " v\($0)=x" }.joined()
        let stages = (1..<1000).map { "FROM s\($0 - 1) AS s\($0)\nENV own\($0)=x\n" }.joined()
        #expect(
            try refusal("FROM scratch AS s0\nENV\(variables)\n" + stages)
                == "the stages and steps of this file inherit too many variables and lines of history from one another"
        )
    }

    @Test func aFewLargeValuesAreFine() throws {
        #expect(try refusal("FROM scratch\n" + Self.large + "ENV b=$a\nLABEL c=$a\n") == nil)
    }
}
