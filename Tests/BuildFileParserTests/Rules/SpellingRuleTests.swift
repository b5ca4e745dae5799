import BuildFileParser
import Testing

@Suite struct SpellingRuleTests {
    @Test(arguments: [
        Example("FROM scratch\nrun true\n", "ConsistentInstructionCasing@2:1-4"),
        Example("FROM scratch\nRun true\nUSER 0\n", "ConsistentInstructionCasing@2:1-4"),
        Example("from scratch\nrun true\nUSER 0\n", "ConsistentInstructionCasing@3:1-5"),
        Example("FROM scratch\nuser 0\n", "ConsistentInstructionCasing@2:1-5"),
        Example("from scratch\nrun true\n"),
        Example("arg a=1\nFROM scratch\nUSER 0\n"),
        Example("FROM scratch\n  RUN true\n"),
    ])
    func instructionCasing(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM scratch as a\n", "FromAsCasing@1:14-16"),
        Example("from scratch AS a\n", "FromAsCasing@1:14-16"),
        Example("FROM scratch As a\n", "FromAsCasing@1:14-16"),
        Example("FROM scratch AS a\n"),
        Example("from scratch as a\n"),
        Example("From scratch as a\nUSER 0\n", "ConsistentInstructionCasing@1:1-5"),
    ])
    func asCasing(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM scratch\nRUN a \\\n\n  b\n", "NoEmptyContinuation@3:1-1"),
        Example("FROM scratch\nRUN a \\\n  b \\\n \t\n\n  c\n", "NoEmptyContinuation@4:1-1"),
        Example("FROM scratch\nRUN a \\\n# comment\n  b\n"),
        Example("FROM scratch\nRUN a \\\n  b\n\nUSER 0\n"),
        Example("FROM scratch\nCOPY <<A /a\n\nA\n"),
    ])
    func emptyContinuation(_ example: Example) throws { try example.check() }

    @Test func emptyContinuationIsReportedAtTheLastLineAsElsewhere() throws {
        let finding = try #require(allFindings("FROM scratch\nCOPY a \\\n\n.\n").first)
        #expect(finding.instruction.start.line == 4)
    }

    @Test(arguments: [
        Example("FROM scratch\nENV a b c\n", "LegacyKeyValueFormat@2:5-10"),
        Example("FROM scratch\nLABEL a b\n", "LegacyKeyValueFormat@2:7-10"),
        Example("FROM scratch\nENV a=b c=d\n"),
        Example("FROM scratch\nLABEL \"a b\"=c\n"),
    ])
    func oldForm(_ example: Example) throws { try example.check() }

    static let on = "# check=experimental=InvalidDefinitionDescription\n"

    @Test(arguments: [
        Example(on + "# other\nARG a=1\nFROM scratch\n", "InvalidDefinitionDescription@2:3-8"),
        Example(on + "# a is this\nARG a=1\n# base is that\nFROM scratch AS base\n"),
        Example(on + "# something\nFROM scratch AS base\n", "InvalidDefinitionDescription@2:3-12"),
        Example(on + "# something\n\nFROM scratch AS base\n# unnamed\nFROM scratch\n"),
        Example("# something\nFROM scratch AS base\n"),
        Example(
            on + "FROM scratch\n#\n# a b\nARG a=1 b=2\n# c\nARG a b\n",
            "InvalidDefinitionDescription@6:3-4"
        ),
    ])
    func descriptions(_ example: Example) throws { try example.check() }

    @Test(arguments: [
        Example("FROM scratch AS Base\n", "StageNameCasing@1:17-21"),
        Example("FROM scratch AS scratch\n", "ReservedStageName@1:17-24"),
        Example("FROM scratch AS Context\n", "StageNameCasing@1:17-24", "ReservedStageName@1:17-24"),
        Example("FROM scratch AS a\nFROM a AS a\n", "DuplicateStageName@2:11-12"),
        Example(
            "FROM scratch AS a\nFROM a AS b\nFROM a AS A\n",
            "StageNameCasing@3:11-12",
            "DuplicateStageName@3:11-12"
        ),
        Example("FROM scratch AS a\nFROM scratch AS b\n"),
    ])
    func stageNames(_ example: Example) throws { try example.check() }
}
