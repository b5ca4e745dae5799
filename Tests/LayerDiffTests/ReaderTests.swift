import LayerDiff
import OCI
import Testing

@Suite struct ReaderTests {
    typealias Member = Tar.Member
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private func listing(_ directory: String) throws -> String {
        try shell("cd \(scratch.path)/\(directory) && find . -mindepth 1 -printf '%P %y %m\\n' | sort")
    }

    @Test func laterEntriesWin() throws {
        let tar = Tar([
            Member("./a", content: "one"), Member("/b/", "5"), Member("b/x", content: "x"),
            Member("./a", content: "two"),
            Member("b", content: "file now"), Member("c", "2", link: "b"), Member("c/", "5"), Member("c/y"),
        ])
        let read = try scratch.apply(tar.bytes, to: "out")
        #expect(try listing("out") == "a f 644\nb f 644\nc d 755\nc/y f 644\n")
        #expect(try shell("cat \(scratch.path)/out/a") == "two")
        #expect(read.index.entries.map(\.path.description) == ["/a", "/b", "/c", "/c/y"])
    }

    @Test func hardLinksSurviveTheirTarget() throws {
        let tar = Tar([Member("a", content: "one"), Member("b", "1", link: "./a"), Member("a", content: "two!")])
        let read = try scratch.apply(tar.bytes, to: "out")
        #expect(try shell("cd \(scratch.path)/out && cat a b") == "two!one")
        #expect(read.index.entry(at: ContainerPath("b"))?.kind == .file(size: 3))
    }

    @Test func whiteoutsInOverlayForm() throws {
        let tar = Tar([
            Member(".wh.gone"), Member("d/", "5"), Member("d/.wh..wh..opq"), Member("d/f"), Member(".wh.e"),
            Member("e/", "5"), Member("f/x"), Member("f/.wh..wh..opq"), Member(".wh..wh.plnk/1.2"),
            Member(".wh..wh.aufs"),
        ])
        let read = try scratch.apply(tar.bytes, to: "out")
        #expect(try listing("out") == "d d 755\nd/f f 644\ne d 755\nf d 755\nf/x f 644\ngone c 0\n")
        let root = try Directory(path: scratch.path + "/out")
        for path in ["d", "e", "f"] {
            let mark = ExtendedAttribute("trusted.overlay.opaque", "y")
            #expect(try root.extendedAttributes(ContainerPath(path)) == [mark])
            #expect(read.index.entry(at: ContainerPath(path))?.kind == .directory(opaque: true))
        }
        #expect(read.index.entry(at: ContainerPath("gone"))?.kind == .whiteout)
    }

    @Test func whiteoutsDeleteInFlatForm() throws {
        try shell(
            "mkdir -p \(scratch.path)/out/d/sub \(scratch.path)/out/e && cd \(scratch.path)/out && touch d/old d/sub/old e/x f g"
        )
        let tar = Tar([
            Member("d/new"), Member("d/.wh..wh..opq"), Member(".wh.e"), Member(".wh.f"), Member("f"), Member("g/h"),
        ])
        try scratch.apply(tar.bytes, to: "out", ApplyOptions(form: .flat))
        #expect(try listing("out") == "d d 755\nd/new f 644\nf f 644\ng d 755\ng/h f 644\n")
    }

    @Test func namesStayBytes() throws {
        var raw = Member("")
        raw.name = [0x63, 0xe9]
        var pax = Member("placeholder")
        pax.pax = [("path", Array("p\u{e9}\u{308}x".utf8))]
        var bad = Member("placeholder")
        bad.pax = [("path", [0x71, 0xff, 0xfe])]
        var link = Member("link", "2")
        link.pax = [("linkpath", [0xc3, 0xa9, 0xff])]
        let read = try scratch.apply(Tar([raw, pax, bad, link]).bytes, to: "out")
        let names = read.index.entries.map(\.path.bytes)
        #expect(names == [[0x63, 0xe9], Array("link".utf8), Array("p\u{e9}\u{308}x".utf8), [0x71, 0xff, 0xfe]])
        #expect(read.index.entry(at: ContainerPath("link"))?.kind == .symlink(target: [0xc3, 0xa9, 0xff]))
        #expect(try Directory(path: scratch.path + "/out").list(.root).map(\.name) == names)
    }

    @Test func extendedAttributesOfBothSpellings() throws {
        var member = Member("f")
        member.pax = [
            ("SCHILY.xattr.user.a", [0, 10, 0x3d, 0xff]), ("SCHILY.xattr.trusted.overlay.redirect", [0x2f]),
            ("LIBARCHIVE.xattr.user.b", Array("eHl6".utf8)), ("SCHILY.xattr.user.overlay.opaque", [0x79]),
        ]
        let read = try scratch.apply(Tar([member]).bytes, to: "out")
        let expected = [
            ExtendedAttribute(name: Array("user.a".utf8), value: [0, 10, 0x3d, 0xff]),
            ExtendedAttribute("user.b", "xyz"),
        ]
        #expect(read.index.entries.first?.attributes == expected)
        #expect(try Directory(path: scratch.path + "/out").extendedAttributes(ContainerPath("f")) == expected)
    }

    @Test func missingParentsLookAsBelow() throws {
        let below: [LayerEntry] = [
            .node("opt", .directory(opaque: false), mode: 0o711), .file("opt/file", "shared", mode: 0o640),
        ]
        let lower = LayerStack([try scratch.layer(below, "below").unpacked("below-directory")])
        let tar = Tar([Member("opt/new/f"), Member("opt/linked", "1", link: "opt/file")])
        let options = ApplyOptions(form: .overlay(attributePrefix: "trusted.overlay."), lower: { lower })
        let read = try scratch.apply(tar.bytes, to: "out", options)
        #expect(try listing("out") == "opt d 711\nopt/linked f 640\nopt/new d 755\nopt/new/f f 644\n")
        #expect(try shell("cat \(scratch.path)/out/opt/linked") == "shared")
        #expect(!read.index.isSelfContained)
    }

    @Test func sparseFilesComeBackWhole() throws {
        try shell(
            "cd \(scratch.path) && mkdir t && cd t && truncate -s 3M s && printf mid | dd of=s bs=1 seek=1500000 conv=notrunc "
                + "status=none && tar --format=posix --sparse -cf ../raw.tar s && tar --format=gnu --sparse -cf ../gnu.tar s"
        )
        for name in ["raw.tar", "gnu.tar"] {
            try scratch.apply(try scratch.read(name), to: "out-\(name)")
            try shell("cd \(scratch.path) && cmp t/s out-\(name)/s && test $(stat -c %b out-\(name)/s) -lt 1000")
        }
    }

    @Test(arguments: ["gzip", "gzip members", "gzip padded", "zstd", "zstd frames"])
    func decompresses(form: String) throws {
        var dice = Dice(seed: 5)
        var large = Member("large")
        large.content = dice.bytes(700_000) + [UInt8](repeating: 7, count: 900_000)
        let tar = Tar([large, Member("small", content: "x")])
        try scratch.write(tar.bytes, to: "plain")
        let halves = "head -c 654321 plain | TOOL > blob && tail -c +654322 plain | TOOL >> blob"
        let command = [
            "gzip": "gzip -c plain > blob", "gzip members": halves.replacing("TOOL", with: "gzip"),
            "gzip padded": "gzip -c plain > blob && head -c 777777 /dev/zero >> blob",
            "zstd": "zstd -q -c plain > blob", "zstd frames": halves.replacing("TOOL", with: "zstd -q"),
        ][form]
        try shell("cd \(scratch.path) && \(command ?? "false")")
        let read = try scratch.reading("blob") { try LayerReader.index($0) }
        #expect(read.diffID.digest == Digest(of: tar.bytes))
        #expect(read.blobDigest == Digest(of: try scratch.read("blob")))
        #expect(read.index.entries.count == 2)
        #expect(read.compression.rawValue == form.split(separator: " ").first.map(String.init))
        let length = try scratch.read("blob").count
        for cut in [1, 9, 5000, length - 12] where form != "gzip padded" {
            try shell("cd \(scratch.path) && head -c -\(cut) blob > short")
            #expect(throws: LayerError.self, "\(cut)") { try scratch.reading("short") { try LayerReader.index($0) } }
        }
        if form != "gzip padded" {
            try shell(
                "cd \(scratch.path) && cp blob bad && printf 'XXXXXXXX' | dd of=bad bs=1 seek=300000 conv=notrunc status=none"
            )
            #expect(throws: LayerError.self) { try scratch.reading("bad") { try LayerReader.index($0) } }
        }
    }

    @Test func hashesWhatFollowsTheArchive() throws {
        let bytes = Tar([Member("f")]).bytes + [UInt8](repeating: 0, count: 9000)
        #expect(try scratch.apply(bytes, to: "out").diffID.digest == Digest(of: bytes))
    }
}
