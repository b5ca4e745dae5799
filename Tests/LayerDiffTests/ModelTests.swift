import LayerDiff
import Testing

/// Random trees, edited in a kernel's overlay: what the layers say must be what the overlay shows.
@Suite struct ModelTests {
    /// A lower tree, an edited one and the upper directory that the kernel made of the edits.
    struct World {
        let scratch: Scratch
        let lower: LayerStack
        let lowerLayer: StoredLayer
        let upper: Directory
        let edited: Snapshot

        init(seed: UInt64) throws {
            scratch = try Scratch()
            try scratch.write(Array(Edits.program.utf8), to: "edits.py")
            let start = try scratch.directory("start")
            try shell("cd \(scratch.path) && python3 edits.py start \(seed) 80")
            lowerLayer = try scratch.layer(UpperDirectory.changes(in: start, above: LayerStack([])), "a")
            lower = LayerStack([try lowerLayer.unpacked("lower")])
            for name in ["upper", "work", "merged", "edited"] { _ = try scratch.directory(name) }
            try shell("unshare -m sh -e -c '\(Self.script(scratch.path, seed))'")
            upper = try Directory(path: scratch.path + "/upper")
            edited = try Snapshot(Directory(path: scratch.path + "/edited"))
        }

        private static func script(_ path: String, _ seed: UInt64) -> String {
            """
            cd \(path)
            mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off,metacopy=off,index=off overlay merged
            python3 edits.py merged \(seed + 1000) 60
            cp -a merged/. edited/
            """
        }
    }

    @Test(arguments: 1...12)
    func diffAndApply(seed: UInt64) throws {
        let world = try World(seed: seed)
        let scratch = world.scratch
        #expect(try Snapshot(Directory(path: scratch.path + "/start")).differences(from: Snapshot(world.lower)) == [])
        let changes = try UpperDirectory.changes(in: world.upper, above: world.lower)
        let diff = try scratch.layer(changes, "b")
        #expect(diff.index.entries.map(\.path) == changes.map(\.entry.path))
        #expect(diff.index.isSelfContained)
        #expect(try LayerIndex(decoding: diff.index.encoded()) == diff.index)
        #expect(try diff.reading { try LayerReader.index($0) }.index == diff.index)
        #expect(try diff.reading { try LayerReader.hasSameContent(changes, asBlob: $0) })

        // The merged view.
        let layer = try diff.unpacked("diff", lower: world.lower)
        let stack = LayerStack(world.lower.layers + [layer])
        let before = try Snapshot(world.lower)
        let edited = world.edited.ignoringLinks(toUnchangedOf: before)
        func differences(_ snapshot: Snapshot) -> [String] {
            snapshot.ignoringLinks(toUnchangedOf: before).differences(from: edited)
        }
        #expect(differences(try Snapshot(stack)) == [])

        // Deleting what is gone.
        let flat = try scratch.directory("flat")
        for stored in [world.lowerLayer, diff] {
            _ = try stored.reading {
                try LayerReader.apply($0, to: flat, options: ApplyOptions(form: .flat, devices: .made))
            }
        }
        #expect(differences(try Snapshot(flat)) == [])

        // The kernel's view of the layer that came back.
        try shell(
            "unshare -m sh -e -c 'cd \(scratch.path) && mount -t overlay -o lowerdir=diff:lower overlay merged && mkdir back && cp -a merged/. back/'"
        )
        #expect(differences(try Snapshot(Directory(path: scratch.path + "/back"))) == [])
    }

    @Test(arguments: 21...24)
    func everythingIsDeterministic(seed: UInt64) throws {
        let world = try World(seed: seed)
        let scratch = world.scratch
        let changes = try UpperDirectory.changes(in: world.upper, above: world.lower)
        let diff = try scratch.layer(changes, "b")
        #expect(try scratch.layer(changes, "again").blob == diff.blob)
        _ = try diff.unpacked("one", lower: world.lower)
        _ = try diff.unpacked("two", lower: world.lower)
        _ = try diff.unpacked("two", lower: world.lower)
        let tar =
            "tar --numeric-owner --sort=name --xattrs --xattrs-include='*' --hard-dereference --format=posix --pax-option=delete=atime,delete=ctime -C"
        try shell(
            "cd \(scratch.path) && \(tar) one -cf one.tar . && \(tar) two -cf two.tar . && touch -d @0 one two && cmp one.tar two.tar || cmp -i 4096 one.tar two.tar"
        )
        // An unpacked layer, taken for an upper directory, is the layer again.
        let again = try UpperDirectory.changes(in: Directory(path: scratch.path + "/one"), above: world.lower)
        #expect(again.map(\.entry.path) == changes.map(\.entry.path))
        #expect(try scratch.layer(again, "from one").blob == diff.blob)
    }

    @Test func flattenedIsOneLayerOfAll() throws {
        let world = try World(seed: 40)
        let changes = try UpperDirectory.changes(in: world.upper, above: world.lower)
        let diff = try world.scratch.layer(changes, "b").unpacked("diff", lower: world.lower)
        let stack = LayerStack(world.lower.layers + [diff])
        let all = stack.flattened().map { flat -> LayerEntry in
            guard case .file = flat.entry.kind, let directory = try? stack.layers[flat.found.layer].directory() else {
                return LayerEntry(entry: flat.entry)
            }
            return LayerEntry(entry: flat.entry, content: .file(directory, flat.found.contentPath))
        }
        let whole = try world.scratch.layer(all, "whole")
        #expect(whole.index.isSelfContained)
        #expect(try Snapshot(LayerStack([whole.unpacked("whole directory")])).differences(from: world.edited) == [])
    }
}
