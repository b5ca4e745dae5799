import LayerDiff
import Testing

@Suite struct IndexTests {
    private func index(_ entries: [LayerEntry]) -> LayerIndex { LayerIndex(entries.map(\.entry)) }

    private var rich: LayerIndex {
        var capable = TreeEntry(
            path: ContainerPath("bin/ping"),
            kind: .file(size: 1 << 40),
            mode: 0o4755,
            uid: 7,
            gid: 9
        )
        capable.modified = -3
        capable.attributes = [ExtendedAttribute(name: Array("security.capability".utf8), value: [1, 0, 0xff])]
        return LayerIndex([
            capable,
            TreeEntry(path: .root, kind: .directory(opaque: false), mode: 0o755),
            TreeEntry(path: ContainerPath("bin"), kind: .directory(opaque: true), mode: 0o1777, modified: 1 << 35),
            TreeEntry(path: ContainerPath("bin/link"), kind: .hardLink(target: ContainerPath("bin/ping")), mode: 0),
            TreeEntry(path: ContainerPath("dev"), kind: .directory(opaque: false), mode: 0o755),
            TreeEntry(path: ContainerPath("dev/null"), kind: .characterDevice(major: 1, minor: 3), mode: 0o666),
            TreeEntry(path: ContainerPath("dev/sda"), kind: .blockDevice(major: 8, minor: 0xfffff), mode: 0o600),
            TreeEntry(path: ContainerPath("dev/p"), kind: .fifo, mode: 0o600, uid: .max, gid: .max),
            TreeEntry(
                path: ContainerPath(cleaning: [0x64, 0x2d, 0xff]),
                kind: .symlink(target: [0xfe, 0x2f]),
                mode: 0o777
            ),
            .whiteout(ContainerPath("gone")),
        ])
    }

    @Test func sortsAndKeepsTheLast() {
        let index = index([.file("b"), .file("a/b"), .directory("a"), .file("a-b"), .file("b", "xyz")])
        #expect(index.entries.map(\.path.description) == ["/a", "/a-b", "/a/b", "/b"])
        #expect(index.entry(at: ContainerPath("b"))?.kind == .file(size: 3))
        #expect(index.entry(at: ContainerPath("c")) == nil)
    }

    @Test func childrenAreTheDirectOnes() {
        let index = index([
            .directory("a"), .file("a/x"), .directory("a/d"), .file("a/d/y"), .file("a/d-e"), .file("a-b"),
            .file("implied/deep/z"),
        ])
        #expect(index.children(of: ContainerPath("a")).map(\.path.description) == ["/a/d", "/a/d-e", "/a/x"])
        #expect(index.children(of: .root).map(\.path.description) == ["/a", "/a-b"])
        #expect(index.descendants(of: ContainerPath("a")).count == 4)
    }

    @Test func readsBackWhatItWrote() throws {
        #expect(try LayerIndex(decoding: rich.encoded()) == rich)
        #expect(try LayerIndex(decoding: LayerIndex([]).encoded()) == LayerIndex([]))
    }

    @Test func refusesDamage() {
        let good = rich.encoded()
        for length in 0..<good.count {
            #expect(throws: LayerError.self) { try LayerIndex(decoding: Array(good[..<length])) }
        }
        #expect(throws: LayerError.self) { try LayerIndex(decoding: good + [0]) }
        var dice = Dice(seed: 4)
        for _ in 0..<5000 {
            var bad = good
            bad[Int.random(in: 5..<bad.count, using: &dice)] = UInt8.random(in: 0...255, using: &dice)
            // Whatever it decodes to, if anything, is an index.
            guard let index = try? LayerIndex(decoding: bad) else { continue }
            #expect(zip(index.entries, index.entries.dropFirst()).allSatisfy { $0.path < $1.path })
        }
    }

    @Test func selfContainedNeedsParentsAndTargets() {
        let link = LayerEntry.node("a/l", .hardLink(target: ContainerPath("a/f")))
        #expect(index([.directory("a"), .file("a/f"), link]).isSelfContained)
        #expect(!index([.directory("a"), link]).isSelfContained)
        #expect(!index([.file("a/f")]).isSelfContained)
        #expect(index([.file("f")]).isSelfContained)
    }

    @Test func treeDigestIsBlindToTimesOnly() {
        let entries = rich.entries
        #expect(LayerIndex(entries).treeDigest() == rich.treeDigest())
        var later = entries
        later[1].modified += 1
        #expect(LayerIndex(later).treeDigest() == rich.treeDigest())
        let changes: [(inout TreeEntry) -> Void] = [
            { $0.mode ^= 1 }, { $0.uid += 1 }, { $0.gid += 1 },
            { $0.attributes.append(ExtendedAttribute("user.z", "")) },
            { $0.path = ContainerPath("bin/zzz") }, { $0.kind = .file(size: 5) }, { $0.kind = .symlink(target: [1]) },
        ]
        for change in changes {
            var other = entries
            change(&other[2])
            #expect(LayerIndex(other).treeDigest() != rich.treeDigest())
        }
    }
}
