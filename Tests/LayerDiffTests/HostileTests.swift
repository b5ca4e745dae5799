import LayerDiff
import Testing

@Suite struct HostileTests {
    typealias Member = Tar.Member

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let members: [Member]
        /// What the message must say.
        let says: String

        init(_ name: String, _ says: String, _ members: Member...) {
            testDescription = name
            self.says = says
            self.members = members
        }
    }

    static let cases = [
        Case("up", "'a/../../x'", Member("a/../../x")),
        Case("up at once", "'../x'", Member("../x")),
        Case("absolute up", "'/../x'", Member("/../x")),
        Case("up as a directory", "'../d/'", Member("../d/", "5")),
        Case("through a symlink", "'/l/x'", Member("l", "2", link: "/tmp"), Member("l/x")),
        Case("through a relative symlink", "'/l/x'", Member("l", "2", link: "../.."), Member("l/x")),
        Case("directory through a symlink", "'/l/x'", Member("l", "2", link: "/tmp"), Member("l/x/", "5")),
        Case("deep through a symlink", "'/l/x/y'", Member("l", "2", link: "/tmp"), Member("l/x/y")),
        Case("through a file", "'/f/x'", Member("f"), Member("f/x")),
        Case("link out", "'l'", Member("l", "1", link: "../../etc/passwd")),
        Case("link absolute", "'l'", Member("l", "1", link: "/etc/passwd")),
        Case("link to nothing", "'/l'", Member("l", "1", link: "etc/passwd")),
        Case("link through a symlink", "'/h'", Member("l", "2", link: "/etc"), Member("h", "1", link: "l/passwd")),
        Case("link to a directory", "'/h'", Member("d/", "5"), Member("h", "1", link: "d")),
        Case("link to itself", "'h'", Member("h", "1", link: "./h")),
        Case("link to a whiteout", "'/h'", Member(".wh.w"), Member("h", "1", link: "w")),
        Case("whiteout of nothing", "'.wh.'", Member(".wh.")),
        Case("whiteout of up", "'d/.wh...'", Member("d/.wh...")),
        Case("whiteout of itself", "'d/.wh..'", Member("d/.wh..")),
        Case("beneath a whiteout", "'.wh.d/x'", Member(".wh.d/x")),
        Case("opaque file", "'/f'", Member("f"), Member("f/.wh..wh..opq")),
        Case("character device", "'/c'", device("c", "3", 1, 3)),
        Case("block device", "'/b'", device("b", "4", 8, 0)),
        Case("whiteout in disguise", "'c'", device("c", "3", 0, 0)),
        Case("a device's number that is too large", "no device 4096:1", device("n", "3", 4096, 1)),
        Case("its second number", "no device 8:1048576", device("n", "4", 8, 1 << 20)),
        Case("the root as a file", "'./'", Member("./", "2", link: "/etc")),
        Case(
            "too many",
            "more than 5 entries",
            Member("1"),
            Member("2"),
            Member("3"),
            Member("4"),
            Member("5"),
            Member("6")
        ),
        Case("too large", "more than 100000 bytes", Member("1", content: String(repeating: "x", count: 100_001))),
        Case("truncated", "ends before", cut()),
    ]

    static func device(_ name: String, _ type: Character, _ major: Int, _ minor: Int) -> Member {
        var member = Member(name, type)
        member.device = (major, minor)
        return member
    }

    static func cut() -> Member {
        var member = Member("f", content: "short")
        member.size = 50_000
        return member
    }

    @Test(arguments: cases)
    func isRefused(hostile: Case) throws {
        let scratch = try Scratch()
        let isWhole = hostile.says != "ends before"
        let limits = LayerLimits(maxEntries: 5, maxBytes: 100_000)
        // What the cases that lead out would make.
        let before = try shell("ls -d /tmp/x 2>/dev/null || true")
        for form in [ApplyOptions.Form.overlay(attributePrefix: "trusted.overlay."), .flat] {
            let options = ApplyOptions(form: form, limits: limits)
            let error = #expect(throws: LayerError.self) {
                try scratch.apply(Tar(hostile.members, isEnded: isWhole).bytes, to: "out", options)
            }
            #expect(error?.description.contains(hostile.says) == true, "\(error?.description ?? "")")
            #expect(try shell("cd \(scratch.path) && rm -rf out && ls") == "raw.tar\n")
        }
        #expect(try shell("ls -d /tmp/x 2>/dev/null || true") == before)
    }

    @Test func symlinksOfATreeAreNotFollowed() throws {
        let scratch = try Scratch()
        try shell("cd \(scratch.path) && mkdir out safe && ln -s ../safe out/l && touch safe/keep")
        let tar = Tar([Member("l/f"), Member("l/.wh.keep"), Member(".wh.l2")])
        try scratch.apply(tar.bytes, to: "out", ApplyOptions(form: .flat))
        #expect(try shell("cd \(scratch.path) && ls safe out/l") == "out/l:\nf\n\nsafe:\nkeep\n")
    }

    @Test func decompressionBombsStop() throws {
        let scratch = try Scratch()
        try shell(
            "cd \(scratch.path) && head -c 200M /dev/zero | gzip > bomb && truncate -s 1T huge && tar --sparse -cf sparse.tar huge && rm huge"
        )
        let limits = LayerLimits(maxBytes: 1 << 20)
        for name in ["bomb", "sparse.tar"] {
            #expect(throws: LayerError.self) { try scratch.reading(name) { try LayerReader.index($0, limits: limits) } }
        }
    }

    @Test func noiseIsNoLayer() throws {
        let scratch = try Scratch()
        var dice = Dice(seed: 3)
        for length in [0, 1, 511, 512, 5000, 300_000] {
            for start in [[], [0x1f, 0x8b], [0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd]] as [[UInt8]] {
                try scratch.write(Array((start + dice.bytes(length)).prefix(length)), to: "noise")
                #expect(throws: LayerError.self) { try scratch.reading("noise") { try LayerReader.index($0) } }
            }
        }
    }

    @Test func damagedTarsNeverEscape() throws {
        let scratch = try Scratch()
        let good = Tar([
            Member("d/", "5"), Member("d/f", content: "data"), Member("l", "2", link: "d"),
            Member("h", "1", link: "d/f"),
            Member("d/.wh.x"), Member("e/.wh..wh..opq"),
        ]).bytes
        var dice = Dice(seed: 8)
        for _ in 0..<300 {
            var bad = good
            for _ in 0..<3 {
                bad[Int.random(in: 0..<bad.count, using: &dice)] = UInt8.random(in: 0...255, using: &dice)
            }
            _ = try? scratch.apply(bad, to: "out", ApplyOptions(form: .flat, devices: .made))
        }
        #expect(try shell("ls \(scratch.path)") == "out\nraw.tar\n")
    }
}
