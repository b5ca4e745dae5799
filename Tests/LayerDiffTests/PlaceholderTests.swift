import LayerDiff
import Testing

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
