import Glibc
import LayerDiff
import OCI
import Testing

/// A layer's image must show what the layer unpacks to.
@Suite struct ErofsTests {
    typealias Member = Tar.Member

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let members: [Member]
        var lower: [Member] = []

        init(_ name: String, _ members: [Member], above lower: [Member] = []) {
            testDescription = name
            self.members = members
            self.lower = lower
        }
    }

    static let cases = [
        Case("nothing", []),
        Case("a listed root", [Member("./", "5"), Member("f", content: "text")]),
        Case("implied directories", [Member("a/b/c", content: "c"), Member("a-b"), Member("a.b"), Member("a/b-/d")]),
        Case(
            "implied directories of the layer below",
            [Member("d/new")],
            above: [attributed(mode(Member("d/", "5"), 0o2750)), Member("d/old")]
        ),
        Case(
            "names around the dots",
            ["!", "-", ",", "+", "...", "..a", ".a", "/", "0", "\u{7f}", "é"].map { Member("d/x\($0)") }
                + ["!", "-", "..a", ".a", "0", "~"].map { Member($0) }
        ),
        Case(
            "later ones win",
            [
                Member("f", content: "first"), Member("f", content: "second"), Member("d/", "5"), Member("d/f"),
                Member("d", content: "no directory any more"), Member("l", "2", link: "f"), Member("l/", "5"),
                Member("l/x"),
            ]
        ),
        Case(
            "hard links",
            [
                Member("b", content: "data"), Member("a", "1", link: "b"), Member("d/c", "1", link: "a"),
                Member("s", "2", link: "b"), Member("t", "1", link: "s"), Member("p", "6"), Member("q", "1", link: "p"),
            ]
        ),
        Case(
            "a hard link that lost its file",
            [
                Member("b", content: "data"), Member("a", "1", link: "b"), Member("c", "1", link: "b"),
                Member("b", content: "something else"),
            ]
        ),
        Case(
            "hard links into the layer below",
            [
                Member("a", "1", link: "low"), Member("b", "1", link: "a"), Member("c", "1", link: "link"),
                Member("d", "1", link: "none"),
            ],
            above: [
                attributed(Member("low", content: String(repeating: "low", count: 5000))),
                Member("link", "2", link: "x"), Member("none"),
            ]
        ),
        Case(
            "whiteouts",
            [
                Member("d/.wh.gone"), Member(".wh.f"), Member("o/.wh..wh..opq"), Member("o/new"), Member(".wh.r"),
                Member("r/", "5"), Member("r/x"), Member("p/x"), Member(".wh.p"), Member(".wh.q"), Member("q/x"),
            ]
        ),
        Case("an opaque root", [Member(".wh..wh..opq"), Member("f")]),
        Case(
            "long names and links",
            [
                Member(String(repeating: "n", count: 100)), long("a/", 255), long("b/", 255, link: 4000),
                long("c/", 10, link: 4030), long("c/", 12, link: 3900), long("c/", 13, link: 4095),
                long("c/", 14, link: 60),
            ]
        ),
        Case(
            "modes, owners and times",
            [
                mode(Member("suid"), 0o4755), mode(Member("sgid"), 0o2711), mode(Member("none"), 0),
                mode(Member("sticky/", "5"), 0o1777), owned(Member("f"), 70_000, 4_294_967_294),
                owned(Member("l", "2", link: "x"), 5, 6),
                dated("old", "-1000"), dated("new", "4294967296.25"), dated("d/", "12", "5"),
            ]
        ),
        Case(
            "devices",
            [
                HostileTests.device("null", "3", 1, 3), HostileTests.device("disk", "4", 259, 1_000_000),
                Member("pipe", "6"),
                HostileTests.device("x", "3", 0, 300),
            ]
        ),
        Case(
            "attributes",
            [
                attributed(Member("f", content: "x")), attributed(Member("d/", "5")), attributed(Member("e"), 200),
                capable(Member("ping", content: "program")),
            ]
        ),
        Case(
            "zeros",
            [
                Member("small", content: zeros(100)), Member("chunk", content: zeros(65_536)),
                Member("chunks", content: zeros(200_000)), Member("middle", content: "a" + zeros(200_000) + "b"),
                Member("end", content: "a" + zeros(262_143)), Member("begin", content: zeros(131_072) + "b"),
                Member("exact", content: String(repeating: "c", count: 4096)), Member("linked", "1", link: "chunks"),
            ]
        ),
        Case(
            "a directory of some blocks",
            (0..<700).map { Member("d/file-\($0)", content: "\($0)") }
                + (0..<150).map { Member("e/\($0)/", "5") }
        ),
    ]

    static func zeros(_ count: Int) -> String { String(repeating: "\0", count: count) }

    static func mode(_ member: Member, _ mode: Int) -> Member {
        var member = member
        member.mode = mode
        return member
    }

    static func owned(_ member: Member, _ uid: Int, _ gid: Int) -> Member {
        var member = member
        member.pax = [("uid", Array("\(uid)".utf8)), ("gid", Array("\(gid)".utf8))]
        return member
    }

    static func dated(_ name: String, _ time: String, _ type: Character = "0") -> Member {
        var member = Member(name, type)
        member.pax = [("mtime", Array(time.utf8))]
        return member
    }

    static func long(_ directory: String, _ length: Int, link: Int? = nil) -> Member {
        var member = Member("x", link == nil ? "0" : "2")
        member.pax = [("path", Array(directory.utf8) + [UInt8](repeating: 0x6e, count: length))]
        if let link { member.pax.append(("linkpath", [UInt8](repeating: 0x6c, count: link))) }
        return member
    }

    static func attributed(_ member: Member, _ length: Int = 5) -> Member {
        var member = member
        for name in ["user.a", "user.caf\u{e9}", "user.empty"] {
            let value = name == "user.empty" ? [] : [UInt8](repeating: 0xfe, count: length)
            member.pax.append(("SCHILY.xattr.\(name)", value))
        }
        return member
    }

    static func capable(_ member: Member) -> Member {
        var member = member
        let value: [UInt8] = [1, 0, 0, 2, 0, 32, 0, 0] + [UInt8](repeating: 0, count: 12)
        member.pax.append(("SCHILY.xattr.security.capability", value))
        return member
    }

    @Test(arguments: cases)
    func showsWhatIsUnpacked(example: Case) throws {
        let scratch = try Scratch()
        var lower: LayerStack?
        if !example.lower.isEmpty {
            let read = try scratch.apply(Tar(example.lower).bytes, to: "lower", Scratch.overlayOptions)
            let directory = try Directory(path: scratch.path + "/lower")
            lower = LayerStack([LayerStack.Layer(index: read.index) { directory }])
        }
        try scratch.write(Tar(example.members).bytes, to: "tar")
        let both = try scratch.bothForms("tar", lower: lower)
        #expect(try both.differences() == [])
        #expect(both.read.image.index == both.read.directory.index)
        #expect(both.read.image.diffID == both.read.directory.diffID)
    }

    @Test(arguments: 41...48)
    func showsRandomTrees(seed: UInt64) throws {
        let world = try ModelTests.World(seed: seed)
        let below = try world.scratch.bothForms(world.lowerLayer.name)
        #expect(try below.differences() == [])
        let changes = try UpperDirectory.changes(in: world.upper, above: world.lower)
        let diff = try world.scratch.layer(changes, "b")
        let above = try world.scratch.bothForms(diff.name, lower: world.lower)
        #expect(try above.differences() == [])

        // The kernel's view of one on top of the other, in a mount namespace of its own.
        let layers = "lowerdir=\(above.mount.path):\(below.mount.path)"
        try withExtendedLifetime((above, below)) {
            _ = try shell(
                "unshare -m sh -e -c 'cd \(world.scratch.path) && mount -t overlay -o \(layers) overlay merged && mkdir back && cp -a merged/. back/'"
            )
        }
        let before = try Snapshot(world.lower)
        let shown = try Snapshot(Directory(path: world.scratch.path + "/back")).ignoringLinks(toUnchangedOf: before)
        #expect(shown.differences(from: world.edited.ignoringLinks(toUnchangedOf: before)) == [])
    }

    @Test func isDeterministic() throws {
        let scratch = try Scratch()
        try scratch.write(Array(Edits.program.utf8), to: "edits.py")
        let start = try scratch.directory("start")
        try shell("cd \(scratch.path) && python3 edits.py start 5 200")
        let layer = try scratch.layer(UpperDirectory.changes(in: start, above: LayerStack([])), "a")
        _ = try scratch.image(layer.name, "one")
        _ = try scratch.image(layer.name, "two")
        #expect(try scratch.read("one") == scratch.read("two"))
    }

    @Test func directoriesMayBeLarge() throws {
        let scratch = try Scratch()
        try shell(
            "cd \(scratch.path) && mkdir -p t/d && cd t/d && seq -f 'a-file-with-a-name-of-some-length-%06.0f' 1 30000 | xargs touch && cd .. && tar cf ../tar ."
        )
        let (_, file) = try scratch.image("tar")
        let mount = try ErofsMount(file)
        #expect(try shell("ls \(mount.path)/d | wc -l && ls -d \(mount.path)/d/*5000 | wc -l") == "30000\n3\n")
        #expect(try Directory(path: mount.path).status(ContainerPath("d"))?.linkCount == 2)
    }

    @Test func holesTakeNoRoom() throws {
        let scratch = try Scratch()
        try shell(
            "cd \(scratch.path) && truncate -s 100G huge && printf x | dd of=huge bs=1 seek=5000000000 conv=notrunc 2>/dev/null && tar --sparse -cf tar huge"
        )
        let (_, file) = try scratch.image("tar")
        #expect(try file.status().size < 10 << 20)
        let mount = try ErofsMount(file)
        let read = "dd if=\(mount.path)/huge bs=1 skip=4999999999 count=3 2>/dev/null | od -An -c"
        #expect(try shell("stat -L -c %s \(mount.path)/huge && \(read)") == "107374182400\n  \\0   x  \\0\n")
    }

    @Test(arguments: HostileTests.cases)
    func refusesWhatUnpackingRefuses(hostile: HostileTests.Case) throws {
        let scratch = try Scratch()
        try scratch.write(Tar(hostile.members, isEnded: hostile.says != "ends before").bytes, to: "tar")
        var options = Scratch.overlayOptions
        options.limits = LayerLimits(maxEntries: 5, maxBytes: 100_000)
        func message(_ body: () throws -> ReadLayer) -> String {
            do { return "\(try body().diffID)" } catch { return "\(error)" }
        }
        let directory = try scratch.directory("out")
        let unpacking = message {
            try scratch.reading("tar") { try LayerReader.apply($0, to: directory, options: options) }
        }
        let raw = open(scratch.path + "/image", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        let file = OwnedDescriptor(owning: raw, path: "image")
        #expect(
            message { try scratch.reading("tar") { try LayerReader.image($0, to: file, options: options) } }
                == unpacking
        )
    }

    static let inexpressible = [
        Case("a name too long", [long("", 256)]),
        Case("a user's attribute of a link", [attributed(Member("l", "2", link: "x"))]),
        Case(
            "an attribute of no known kind",
            [
                {
                    var member = Member("f"); member.pax = [("SCHILY.xattr.other.x", [1])]; return member
                }()
            ]
        ),
        Case(
            "malformed capabilities",
            [
                {
                    var member = Member("f"); member.pax = [("SCHILY.xattr.security.capability", [1])]; return member
                }()
            ]
        ),
    ]

    @Test(arguments: inexpressible)
    func leavesToDirectories(example: Case) throws {
        let scratch = try Scratch()
        try scratch.write(Tar(example.members).bytes, to: "tar")
        let error = #expect(throws: LayerError.self) { try scratch.image("tar") }
        guard case .noImage = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func isNoneBeforeItsEnd() throws {
        let scratch = try Scratch()
        let members = [Member("f", content: String(repeating: "x", count: 3 << 20)), cutOff()]
        try scratch.write(Tar(members, isEnded: false).bytes, to: "tar")
        #expect(throws: LayerError.self) { try scratch.image("tar") }
        let raw = open(scratch.path + "/image", O_RDONLY | O_CLOEXEC)
        let file = OwnedDescriptor(owning: raw, path: "image")
        #expect(try file.status().size > 0)
        #expect(throws: FileError.self) { try ErofsMount(file) }
    }

    private func cutOff() -> Member {
        var member = Member("g", content: "short")
        member.size = 50_000
        return member
    }

    @Test func marksTellOfPowerCuts() throws {
        let scratch = try Scratch()
        try scratch.write([1], to: "image")
        let raw = open(scratch.path + "/image", O_RDWR | O_CLOEXEC)
        let file = OwnedDescriptor(owning: raw, path: "image")
        #expect(ImageMark.isComplete(file, boot: "now"))
        ImageMark.set(file, boot: "now")
        #expect(ImageMark.isComplete(file, boot: "now"))
        #expect(!ImageMark.isComplete(file, boot: "later"))
        // Old enough to be on the disk: it is waited for, and counts from then on.
        try shell("touch -d '2 minutes ago' \(scratch.path)/image")
        #expect(ImageMark.isComplete(file, boot: "now"))
        #expect(ImageMark.isComplete(file, boot: "later"))
    }
}
