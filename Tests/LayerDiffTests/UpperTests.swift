import LayerDiff
import Testing

@Suite struct UpperTests {
    let scratch: Scratch
    let lower: LayerStack

    /// A lower layer with a bit of everything, unpacked.
    init() throws {
        scratch = try Scratch()
        let entries: [LayerEntry] = [
            .directory("d"), .file("d/keep", "content"), .file("d/other", "content"), .directory("full"),
            .file("full/x"),
            .directory("empty"), .node("link", .symlink(target: Array("d".utf8)), mode: 0o777),
        ]
        lower = LayerStack([try scratch.layer(entries, "lower").unpacked("lower-directory")])
    }

    /// What a script that makes an upper directory amounts to: `path kind` for each entry.
    private func changes(_ script: String) throws -> [String] {
        let upper = try scratch.directory("upper")
        try shell("cd \(scratch.path)/upper && \(script)")
        return try UpperDirectory.changes(in: upper, above: lower).map { layer in
            let kind =
                switch layer.entry.kind {
                case .file: "file"
                case .directory(let opaque): opaque ? "opaque" : "directory"
                case .symlink: "symlink"
                case .hardLink(let target): "link to \(target)"
                case .characterDevice, .blockDevice: "device"
                case .fifo: "fifo"
                case .whiteout: "whiteout"
                }
            return "\(layer.entry.path) \(kind)"
        }
    }

    static let copiedUp = "mkdir -p d && cp -a ../lower-directory/d/keep d/keep && touch -d @1000 d"
    @Test(arguments: [
        ("true", 0), ("chmod 600 d/keep", 7), ("chown 5:5 d/keep", 7), ("chmod 600 d/keep && touch d/keep", 0),
        ("chmod 600 d/keep && printf longer-content > d/keep && touch -d @1000 d/keep", 0),
        ("printf new > d/new && chmod 600 d/new", 0),
    ])
    func rewrittenBytesAreCounted(_ script: String, _ expected: Int64) throws {
        let upper = try scratch.directory("upper")
        try shell("cd \(scratch.path)/upper && \(Self.copiedUp) && \(script)")
        #expect(try UpperDirectory.changesAndRewrites(in: upper, above: lower).rewrittenBytes == expected)
    }

    static let opaque = #"python3 -c "import os,sys; os.setxattr(sys.argv[1], sys.argv[2], b'y')""#

    @Test(arguments: [
        ("true", []),
        (copiedUp, []),
        (copiedUp + " && chmod 600 d/keep && touch -d @1000 d", ["/d directory", "/d/keep file"]),
        (copiedUp + " && touch d/keep && touch -d @1000 d", ["/d directory", "/d/keep file"]),
        (copiedUp + " && printf CONTENT > d/keep && touch -d @1000 d/keep d", ["/d directory", "/d/keep file"]),
        (copiedUp + " && chown 5 d", ["/d directory"]),
        // A directory's time alone is no change: things come and go in /tmp and leave nothing else.
        (copiedUp + " && touch -d @1001 d", []),
        ("mkdir d && mknod d/keep c 0 0 && mknod d/never c 0 0", ["/d directory", "/d/keep whiteout"]),
        ("mkdir d && touch -d @1000 d && mknod never c 0 0", []),
        ("mknod full c 0 0", ["/full whiteout"]),
        (
            "mkdir full && \(opaque) full trusted.overlay.opaque && mknod full/x c 0 0 && touch full/n",
            ["/full opaque", "/full/n file"]
        ),
        ("mkdir full && \(opaque) full trusted.overlay.opaque", ["/full opaque"]),
        ("mkdir new && \(opaque) new trusted.overlay.opaque", ["/new directory"]),
        ("mkdir d && touch d/keep && \(opaque) d/keep trusted.overlay.whiteout", ["/d directory", "/d/keep whiteout"]),
        ("mkdir link && touch link/f", ["/link directory", "/link/f file"]),
        ("touch b && ln b a && ln b c", ["/a file", "/b link to /a", "/c link to /a"]),
        (
            "mkfifo p && mknod c c 1 3 && python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('s')\"",
            ["/c device", "/p fifo"]
        ),
        ("mkdir -p a/b && touch a/b/c a-b", ["/a directory", "/a-b file", "/a/b directory", "/a/b/c file"]),
        ("cp -a ../lower-directory/link link", []),
        ("chmod 700 .", ["/ directory"]),
    ])
    func listsWhatChanged(script: String, expected: [String]) throws {
        #expect(try changes(script) == expected)
    }

    @Test func keepsPortableAttributesOnly() throws {
        let names = ["user.a", "user.overlay.origin", "trusted.overlay.origin", "trusted.x", "security.foo"]
        let upper = try scratch.directory("upper")
        try shell(
            "cd \(scratch.path)/upper && touch f && for n in \(names.joined(separator: " ")); do "
                + #"python3 -c "import os,sys; os.setxattr('f', sys.argv[1], b'v')" $n; done"#
        )
        let entries = try UpperDirectory.changes(in: upper, above: lower)
        #expect(
            entries.first?.entry.attributes.map { String(decoding: $0.name, as: UTF8.self) } == [
                "security.foo", "user.a",
            ]
        )
    }

    @Test func refusesRedirects() throws {
        let error = #expect(throws: LayerError.self) {
            try changes("mkdir d && \(Self.opaque) d trusted.overlay.redirect")
        }
        #expect(error?.description.hasPrefix("/d cannot be put into a layer") == true)
    }
}
