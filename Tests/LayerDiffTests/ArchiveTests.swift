import LayerDiff
import Testing

@Suite struct ArchiveTests {
    typealias Member = Tar.Member
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    private func extract(_ name: String, limits: LayerLimits = LayerLimits()) throws -> ExtractedArchive {
        let file = try Directory(path: scratch.path).openFile(ContainerPath(name))
        return try Archive.extract(file, into: scratch.directory("scratch"), limits: limits)
    }

    /// The entries as `path kind mode content`.
    private func listing(_ archive: ExtractedArchive) throws -> [String] {
        try archive.entries.map { layer in
            let entry = layer.entry
            switch entry.kind {
            case .file:
                guard case .file(let directory, let path, _) = layer.content else { return "\(entry.path) file" }
                var bytes = [UInt8](repeating: 0, count: 100)
                let count = try bytes.withUnsafeMutableBytes { try directory.openFile(path).read(into: $0) }
                return "\(entry.path) file \(String(decoding: bytes[..<count], as: UTF8.self))"
            case .symlink(let target): return "\(entry.path) -> \(String(decoding: target, as: UTF8.self))"
            case .hardLink(let target): return "\(entry.path) = \(target)"
            case .directory: return "\(entry.path) \(String(entry.mode, radix: 8))"
            case .characterDevice, .blockDevice, .fifo, .whiteout: return "\(entry.path) other"
            }
        }
    }

    @Test(arguments: [
        ("cat", true), ("gzip", true), ("bzip2", true), ("xz", true), ("zstd -q", true),
    ])
    func isSeenAtTheContent(tool: String, expected: Bool) throws {
        try scratch.write(Tar([Member("a"), Member("b", content: "x")]).bytes, to: "plain")
        try shell(
            "cd \(scratch.path) && \(tool) < plain > archive && head -c 3000 /dev/urandom | \(tool) > noise && \(tool) < /dev/null > empty"
        )
        let directory = try Directory(path: scratch.path)
        #expect(try Archive.isArchive(directory, ContainerPath("archive")) == expected)
        #expect(try !Archive.isArchive(directory, ContainerPath("noise")))
        #expect(try !Archive.isArchive(directory, ContainerPath("empty")))
        #expect(try extract("archive").entries.count == 2)
    }

    @Test func otherFilesAreNoArchives() throws {
        try scratch.write(Tar([]).bytes, to: "zeros")
        try shell(
            "cd \(scratch.path) && echo text > text && mkdir d && ln -s text l && cp /bin/ls program && printf 'PK' > zip"
        )
        let directory = try Directory(path: scratch.path)
        for name in ["zeros", "text", "d", "program", "zip"] {
            #expect(try !Archive.isArchive(directory, ContainerPath(name)), "\(name)")
        }
        #expect(throws: LayerError.self) { try Archive.isArchive(directory, ContainerPath("l")) }
    }

    @Test(arguments: [("3", 0, 0), ("3", 4096, 1), ("4", 8, 1 << 20)])
    func numbersThatNoDeviceHas(type: Character, major: Int, minor: Int) throws {
        try scratch.write(Tar([Member("a"), HostileTests.device("n", type, major, minor)]).bytes, to: "archive")
        #expect(throws: LayerError.self) { try extract("archive") }
    }

    @Test func namesStayInside() throws {
        let tar = Tar([
            Member("./a", content: "1"), Member("/b", content: "2"), Member("../../c/d", content: "3"),
            Member("l", "2", link: "/etc"), Member("l/passwd", content: "4"), Member("up", "2", link: "../../.."),
            Member("up/u", content: "5"), Member("h", "1", link: "l/passwd"), Member("loop", "2", link: "x"),
        ])
        try scratch.write(tar.bytes, to: "archive")
        let archive = try extract("archive")
        #expect(
            try listing(archive) == [
                "/a file 1", "/b file 2", "/c 755", "/c/d file 3", "/etc 755", "/etc/passwd file 4", "/h = /etc/passwd",
                "/l -> /etc", "/loop -> x", "/u file 5", "/up -> ../../..",
            ]
        )
        #expect(archive.impliedDirectories == [ContainerPath("c"), ContainerPath("etc")])
        #expect(try shell("ls \(scratch.path)") == "archive\nscratch\n")
    }

    @Test func laterEntriesWin() throws {
        let tar = Tar([
            Member("d/", "5"), Member("d/x", content: "gone"), Member("d", content: "file"),
            Member("e", content: "gone"),
            Member("e/y", content: "in"), Member("f", content: "old"), Member("g", "1", link: "f"),
            Member("f", content: "new"),
        ])
        try scratch.write(tar.bytes, to: "archive")
        #expect(
            try listing(extract("archive")) == ["/d file file", "/e 755", "/e/y file in", "/f file new", "/g file old"]
        )
    }

    @Test func keepsAttributes() throws {
        var member = Member("f", content: "x")
        (member.mode, member.uid, member.gid, member.modified) = (0o6711, 12, 34, 99)
        member.pax = [("SCHILY.xattr.user.k", [1]), ("mtime", Array("-7.25".utf8))]
        try scratch.write(Tar([member]).bytes, to: "archive")
        let entry = try #require(try extract("archive").entries.first?.entry)
        #expect(entry.mode == 0o6711 && entry.uid == 12 && entry.gid == 34 && entry.modified == -8)
        #expect(entry.attributes == [ExtendedAttribute(name: Array("user.k".utf8), value: [1])])
    }

    @Test func refusesWhatCannotBe() throws {
        try scratch.write(Tar([Member("l", "2", link: "l"), Member("l/x")]).bytes, to: "loop")
        #expect(throws: LayerError.self) { try extract("loop") }
        try scratch.write(Tar([Member("h", "1", link: "none")]).bytes, to: "dangling")
        #expect(throws: LayerError.self) { try extract("dangling") }
        try scratch.write(Tar([Member("a", content: "12345")]).bytes, to: "large")
        #expect(throws: LayerError.self) { try extract("large", limits: LayerLimits(maxBytes: 4)) }
        #expect(throws: LayerError.self) { try extract("large", limits: LayerLimits(maxEntries: 0)) }
    }

    /// The formats that tar programs write, each with long names, sparse files and numbers that do not fit.
    @Test(arguments: [
        "v7", "ustar", "posix", "oldgnu", "gnu", "gnu --sparse", "posix --sparse",
        "posix --sparse --sparse-version=0.0",
        "posix --sparse --sparse-version=0.1",
    ])
    func readsEveryFormat(format: String) throws {
        let isRich = !format.hasPrefix("v7") && !format.hasPrefix("ustar")
        try shell(
            """
            mkdir \(scratch.path)/t && cd \(scratch.path)/t && mkdir -p d/e && echo hello > d/e/f && ln d/e/f d/e/g && ln -s d/e l
            \(isRich ? "mkdir $(printf 'x%.0s' $(seq 150)) && echo deep > $(printf 'x%.0s' $(seq 150))/$(printf 'y%.0s' $(seq 150))" : "true")
            \(isRich ? "ln -s $(printf 'z%.0s' $(seq 200)) longlink && touch -d @-12345 old && chown 3000000:4000000 l -h" : "true")
            truncate -s 4M s; for i in $(seq 40); do printf $i | dd of=s bs=1 seek=$((i*100000)) conv=notrunc status=none; done
            tar --format=\(format) -cf ../archive .
            """
        )
        let archive = try extract("archive")
        let layer = try scratch.layer(archive.entries)
        let stack = LayerStack([try layer.unpacked("unpacked")])
        let original = try Snapshot(Directory(path: scratch.path + "/t"))
        #expect(try Snapshot(stack).differences(from: original) == [])
        let direct = try scratch.reading("archive") { try LayerReader.index($0) }
        #expect(direct.index.entries.count == archive.entries.count)
    }
}
