import CShims
import Testing

@testable import LayerDiff

/// What is different in a user namespace; tried as root, who could do the same as always.
@Suite struct PlaceholderTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let entries: [LayerEntry] = [
        .directory("d"),
        .node("d/char", .characterDevice(major: 1, minor: 3), mode: 0o640),
        .node("d/block", .blockDevice(major: 7, minor: 200), mode: 0o600),
        .node("d/pipe", .fifo, mode: 0o600),
    ]

    private func unpacked(_ devices: DevicePolicy) throws -> Directory {
        let layer = try scratch.layer(Self.entries, "layer")
        let target = try scratch.directory("out")
        _ = try layer.reading {
            try LayerReader.apply($0, to: target, options: ApplyOptions(form: .flat, devices: devices))
        }
        return target
    }

    @Test func placeholdersBecomeTheirDevicesAgain() throws {
        let directory = try unpacked(.placeholders)
        let names = try directory.list(ContainerPath("d")).map { String(decoding: $0.name, as: UTF8.self) }
        #expect(names == ["block", "char", "pipe"])
        let found = try UpperDirectory.changes(in: directory, above: LayerStack([]), form: .user).map(\.entry)
        #expect(found.map(\.kind) == LayerIndex(Self.entries.map(\.entry)).entries.map(\.kind))
        #expect(found.allSatisfy { $0.attributes.isEmpty })
    }

    @Test func placeholdersGoWithTheirNames() throws {
        let directory = try unpacked(.placeholders)
        try shell("cd \(scratch.path)/out/d && mv char moved && chmod 444 moved && rm block")
        let found = try UpperDirectory.changes(in: directory, above: LayerStack([]), form: .user).map(\.entry)
        let moved = try #require(found.first { $0.path == ContainerPath("d/moved") })
        #expect(moved.kind == .characterDevice(major: 1, minor: 3))
        #expect(moved.mode == 0o444)
        #expect(found.count == 3)
    }

    @Test func theMarkIsNothingWhereDevicesCanBeMade() throws {
        let directory = try unpacked(.placeholders)
        let found = try UpperDirectory.changes(in: directory, above: LayerStack([])).map(\.entry)
        #expect(found.first { $0.path == ContainerPath("d/char") }?.kind == .file(size: 0))
        #expect(found.allSatisfy { $0.attributes.isEmpty })
    }

    @Test func devicesAreLeftOut() throws {
        let names = try unpacked(.leftOut).list(ContainerPath("d")).map { String(decoding: $0.name, as: UTF8.self) }
        #expect(names == ["pipe"])
    }

    @Test(arguments: [
        (OverlayForm.trusted, "trusted.overlay.opaque", true), (.trusted, "user.overlay.opaque", false),
        (.user, "user.overlay.opaque", true),
    ])
    func eachFormHeedsItsOwnMarksAlone(_ form: OverlayForm, _ name: String, _ isOpaque: Bool) throws {
        let lower = LayerStack([
            try scratch.layer([.directory("d"), .file("d/x", "x")], "lower").unpacked("lower-directory")
        ])
        let upper = try scratch.directory("upper")
        try shell(
            "mkdir \(scratch.path)/upper/d && python3 -c \"import os; "
                + "os.setxattr('\(scratch.path)/upper/d', '\(name)', b'y')\""
        )
        let found = try UpperDirectory.changes(in: upper, above: lower, form: form).map(\.entry)
        #expect(found.contains { $0.kind == .directory(opaque: true) } == isOpaque)
    }
}

/// Owners where there is one id alone.
@Suite struct OwnerMarkTests {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static let link = TreeEntry.Kind.symlink(target: Array("f".utf8))

    private func owned(_ entry: LayerEntry, _ uid: UInt32, _ gid: UInt32) -> LayerEntry {
        var entry = entry
        (entry.entry.uid, entry.entry.gid) = (uid, gid)
        return entry
    }

    private var entries: [LayerEntry] {
        [
            owned(.directory("d"), 1, 2), owned(.file("d/f", "x", mode: 0o4755), 33, 34),
            owned(.node("d/l", Self.link, mode: 0o777), 5, 6), .file("d/root", "x"),
        ]
    }

    /// The layer unpacked with marks, and itself as the layer below.
    private func unpacked() throws -> (Directory, LayerStack) {
        let layer = try scratch.layer(entries, "layer")
        let target = try scratch.directory("out")
        let options = ApplyOptions(form: .flat, devices: .placeholders, marksOwners: true)
        let read = try layer.reading { try LayerReader.apply($0, to: target, options: options) }
        return (target, LayerStack([LayerStack.Layer(index: read.index) { target }]))
    }

    private func owners(_ found: [LayerEntry]) -> [String] {
        found.map { "\($0.entry.path) \($0.entry.uid):\($0.entry.gid)" }
    }

    @Test func whatIsUnpackedKeepsItsOwners() throws {
        let (directory, _) = try unpacked()
        #expect(try shell("stat -c %u:%g:%a \(scratch.path)/out/d/f") == "0:0:4755\n")
        let found = try UpperDirectory.changes(
            in: directory,
            above: LayerStack([]),
            form: .userWithMarkedOwners,
            owners: StepOwners(recorded: [:], ofNewFiles: .root)
        )
        #expect(owners(found) == ["/d 1:2", "/d/f 33:34", "/d/l 0:0", "/d/root 0:0"])
    }

    @Test func whatIsUnchangedIsNoChange() throws {
        let (directory, lower) = try unpacked()
        #expect(try UpperDirectory.changes(in: directory, above: lower, form: .userWithMarkedOwners).isEmpty)
    }

    @Test func newFilesAreTheStepsUsers() throws {
        let (directory, lower) = try unpacked()
        try shell("cd \(scratch.path)/out && touch new && rm d/f && echo more > d/f && ln -s x new-link")
        let user = OwnerMark.Owner(uid: 1000, gid: 1001)
        let inode = try #require(try directory.status(ContainerPath("new-link"))).inode
        let identity = cshims_identity(directory.rawDescriptor, "new-link")
        #expect(identity != 0)
        func found(_ owners: StepOwners) throws -> [String] {
            let changes = try UpperDirectory.changes(
                in: directory,
                above: lower,
                form: .userWithMarkedOwners,
                owners: owners
            )
            try UpperDirectory.markOwners(of: changes.map(\.entry), in: directory)
            return self.owners(changes)
        }
        var recorded = [inode: StepOwners.Record(owner: OwnerMark.Owner(uid: 7, gid: 8), identity: identity &+ 2)]
        // That was another link, which had the number before.
        #expect(try found(StepOwners(recorded: recorded, ofNewFiles: user)).last == "/new-link 1000:1001")
        recorded[inode]?.identity = identity
        #expect(
            try found(StepOwners(recorded: recorded, ofNewFiles: user)) == [
                "/d 1:2", "/d/f 33:34", "/new 1000:1001", "/new-link 7:8",
            ]
        )
        // They are marked by now: a later step of root's does not take them over.
        #expect(try found(StepOwners()).contains("/new 1000:1001"))
    }

    @Test func newFilesInASetGroupIDDirectoryHaveItsGroup() throws {
        let directory = try scratch.directory("out")
        try shell("cd \(scratch.path)/out && mkdir s && chmod 2775 s && mkdir s/sub && touch s/f s/own s/sub/g plain")
        var group = TreeEntry(path: ContainerPath("s"), kind: .directory(opaque: false), mode: 0o2775)
        group.gid = 50
        var own = TreeEntry(path: ContainerPath("s/own"), kind: .file(size: 0), mode: 0o644)
        (own.uid, own.gid) = (1, 7)
        try UpperDirectory.markOwners(of: [group, own], in: directory)
        let user = StepOwners(recorded: [:], ofNewFiles: OwnerMark.Owner(uid: 1000, gid: 1001))
        let changes = try UpperDirectory.changes(
            in: directory,
            above: LayerStack([]),
            form: .userWithMarkedOwners,
            owners: user
        )
        #expect(
            owners(changes) == [
                "/plain 1000:1001", "/s 0:50", "/s/f 1000:50", "/s/own 1:7", "/s/sub 1000:50", "/s/sub/g 1000:50",
            ]
        )
    }
}
