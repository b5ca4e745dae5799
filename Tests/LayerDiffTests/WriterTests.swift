import Glibc
import LayerDiff
import OCI
import Testing

@Suite struct WriterTests {
    let scratch: Scratch

    init() throws {
        scratch = try Scratch()
    }

    /// A tree with a bit of everything, and enough of it to need the threads.
    private func rich() throws -> [LayerEntry] {
        let root = try scratch.directory("rich")
        var dice = Dice(seed: 11)
        let large = dice.bytes(3_000_001)
        try scratch.write(large, to: "rich/large")
        try shell(
            """
            cd \(scratch.path)/rich && mkdir -p d/e && echo hello > d/e/hello && chmod 4755 d/e/hello && chown 12:34 d/e
            ln d/e/hello zz-hard && ln -s 'target with space' link && mkfifo p && mknod null c 1 3 && mknod disk b 8 17
            touch -d @-5 old && touch -d @99999999999 future && touch empty && chmod 000 empty
            truncate -s 5M sparse && printf x | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
            touch "$(printf 'caf\\351')" "$(printf 'caf\\303\\251')"
            mkdir -p $(printf 'long%.0s/' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25)
            echo deep > $(printf 'long%.0s/' 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25)file
            chown 3000000:4000000 large
            python3 -c "import os; os.setxattr('large', 'user.k', b'a\\\\0\\\\n=b')
            os.setxattr('old', 'security.capability', bytes.fromhex('0100000200200000000000000000000000000000'))"
            """.replacing("\n", with: "\n")
        )
        return try UpperDirectory.changes(in: root, above: LayerStack([]))
    }

    @Test(arguments: [LayerCompression.gzip, .zstd(level: 3), .none])
    func othersReadIt(compression: LayerCompression) throws {
        let entries = try rich()
        let layer = try scratch.layer(entries, options: LayerOptions(compression: compression))
        let blob = try scratch.read("layer")
        #expect(layer.blob.size == Int64(blob.count))
        #expect(layer.blob.digest == Digest(of: blob))
        let decompress = [BlobCompression.gzip: "gzip -dc", .zstd: "zstd -dcq", .none: "cat"][layer.blob.compression]
        try shell(
            "cd \(scratch.path) && \(decompress ?? "false") < layer > layer.tar && mkdir gnu && tar -C gnu --xattrs "
                + "--xattrs-include='*' -xpf layer.tar && python3 -c \"import tarfile; print(len(tarfile.open('layer.tar').getmembers()))\""
        )
        let tar = try scratch.read("layer.tar")
        #expect(layer.blob.diffID == DiffID(Digest(of: tar)))
        #expect(layer.blob.uncompressedSize == Int64(tar.count))
        let mine = try Snapshot(Directory(path: scratch.path + "/rich"))
        let theirs = try Snapshot(Directory(path: scratch.path + "/gnu"))
        #expect(mine.differences(from: theirs) == [])
        let read = try layer.reading { try LayerReader.index($0) }
        #expect(read.index == layer.index)
        #expect(read.diffID == layer.blob.diffID)
        #expect(read.blobDigest == layer.blob.digest && read.blobSize == layer.blob.size)
        #expect(read.compression == layer.blob.compression)
        #expect(read.uncompressedSize == layer.blob.uncompressedSize)
        #expect(layer.index.isSelfContained)
    }

    @Test func sameTreeSameBytes() throws {
        let entries = try rich()
        for compression in [LayerCompression.gzip, .zstd(level: 3), .none] {
            let options = LayerOptions(compression: compression)
            let first = try scratch.layer(entries, "first", options: options)
            let second = try scratch.layer(entries, "second", options: options)
            #expect(first.blob == second.blob)
            #expect(try scratch.read("first") == scratch.read("second"))
        }
    }

    /// Pieces of it are compressed on several threads: what can be compressed, what cannot, and nothing but zeros.
    @Test(arguments: [0, 1, 260_000, 262_144, 5_000_000, 40_000_000])
    func gzipIsOneMemberThatOthersRead(size: Int) throws {
        let part = "head -c 700001 /dev/urandom; seq 1 150000; head -c 1300003 /dev/zero"
        try shell("cd \(scratch.path) && for i in $(seq 15); do \(part); done | head -c \(size) > content || true")
        let root = try Directory(path: scratch.path)
        let entry = LayerEntry.file("content")
        var listed = entry.entry
        listed.kind = .file(size: Int64(size))
        let large = [LayerEntry(entry: listed, content: .file(root, ContainerPath("content")))]
        let layer = try scratch.layer(large, "first")
        _ = try scratch.layer(large, "second")
        #expect(try scratch.read("first") == scratch.read("second"))
        let tar = try shell("gzip -dc \(scratch.path)/first | sha256sum").prefix(64)
        #expect(DiffID(try Digest(parsing: "sha256:\(tar)")) == layer.blob.diffID)
        #expect(try shell("tar -xzOf \(scratch.path)/first content | cmp - \(scratch.path)/content") == "")
        #expect(try layer.reading { try LayerReader.hasSameContent(large, asBlob: $0) })
    }

    /// The disk is full when several threads compress already: none of them may wait for the others then.
    @Test func reportsADiskThatFillsUpMeanwhile() throws {
        try shell("mkdir \(scratch.path)/disk && mount -t tmpfs -o size=4m tmpfs \(scratch.path)/disk")
        defer { #expect(throws: Never.self) { try shell("umount -l \(scratch.path)/disk") } }
        try shell("head -c 30000000 /dev/urandom > \(scratch.path)/content")
        var listed = LayerEntry.file("content").entry
        listed.kind = .file(size: 30_000_000)
        let content = ContentSource.file(try Directory(path: scratch.path), ContainerPath("content"))
        let error = #expect(throws: LayerError.self) {
            try scratch.file("disk/blob") {
                try LayerWriter.begin([LayerEntry(entry: listed, content: content)], blob: $0).finish()
            }
        }
        #expect(error?.description == "cannot write the layer's blob: No space left on device")
    }

    @Test func marksBecomeNames() throws {
        let entries: [LayerEntry] = [
            .directory("d", isOpaque: true), .node("d/gone", .whiteout), .node("gone", .whiteout), .file("d/f"),
        ]
        _ = try scratch.layer(entries, options: LayerOptions(compression: .none))
        let names = try shell("tar -tf \(scratch.path)/layer")
        #expect(names == "d/\nd/.wh..wh..opq\nd/.wh.gone\n.wh.gone\nd/f\n")
    }

    @Test func clampsTimes() throws {
        let entries: [LayerEntry] = [.file("f"), .directory("d")]
        let layer = try scratch.layer(entries, options: LayerOptions(latestModification: 400))
        #expect(layer.index.entries.map(\.modified) == [400, 400])
        #expect(try layer.reading { try LayerReader.index($0) }.index == layer.index)
    }

    @Test func refusesReservedNames() throws {
        for name in [".wh.x", "d/.wh..wh..opq", ".wh.d/x", ".wh."] {
            let error = #expect(throws: LayerError.self) { try scratch.layer([.file(name)]) }
            #expect(error?.description.contains("/\(name) cannot be put into a layer") == true)
        }
        _ = try scratch.layer([.file(".wh"), .file("a.wh.b")])
    }

    @Test(arguments: [
        "truncate -s 10 f", "truncate -s 900000 f", "rm f", "rm f && mkfifo f", "rm f && ln -s /etc/passwd f",
    ])
    func refusesFilesThatChanged(edit: String) throws {
        let root = try scratch.directory("changing")
        try shell("cd \(scratch.path)/changing && head -c 800000 /dev/zero > f")
        let entries = try UpperDirectory.changes(in: root, above: LayerStack([]))
        try shell("cd \(scratch.path)/changing && \(edit)")
        #expect(throws: LayerError.self) { try scratch.layer(entries) }
    }

    @Test func reportsAFullDisk() throws {
        let entries = try rich()
        let full = try Descriptor(path: "/dev/full")
        let error = #expect(throws: LayerError.self) {
            try LayerWriter.begin(entries, blob: full.descriptor, options: LayerOptions(compression: .none)).finish()
        }
        #expect(error?.description == "cannot write the layer's blob: No space left on device")
    }

    /// This hangs, or writes to somebody else's file, if threads outlive their layer.
    @Test func abandonedLayersEndTheirThreads() throws {
        let entries = try rich()
        for _ in 0..<20 {
            try scratch.file("abandoned") { _ = try LayerWriter.begin(entries, blob: $0) }
        }
        #expect(try scratch.layer(entries).reading { try LayerReader.hasSameContent(entries, asBlob: $0) })
    }

    @Test func namesItsEncoders() {
        #expect(LayerCompression.gzip.encoderName == "isal-1-128k-512k")
        #expect(LayerCompression.zstd(level: 9).encoderName == "zstd-9")
        #expect(LayerCompression.none.encoderName == "none")
    }
}
