import LayerDiff
import Testing

@Suite struct StackTests {
    private func stack(_ layers: [LayerEntry]...) -> LayerStack {
        LayerStack(
            layers.map { layer in
                LayerStack.Layer(index: LayerIndex(layer.map(\.entry))) {
                    throw CommandFailed(description: "no directory")
                }
            }
        )
    }

    private func link(_ path: String, _ target: String) -> LayerEntry {
        .node(path, .symlink(target: Array(target.utf8)), mode: 0o777)
    }

    @Test func upperLayersHide() {
        let stack = stack(
            [
                .directory("d"), .file("d/a", "1"), .file("d/b"), .directory("o"), .file("o/x"), .file("f"),
                .directory("r"), .file("r/x"),
            ],
            [
                .directory("d"), .node("d/a", .whiteout), .directory("o", isOpaque: true), .file("o/y"),
                .file("r", "now a file"),
            ],
            [.directory("d"), .file("d/a", "back")]
        )
        #expect(stack.lookup(ContainerPath("d/a"))?.layer == 2)
        #expect(stack.lookup(ContainerPath("d/b"))?.layer == 0)
        #expect(stack.lookup(ContainerPath("o/x")) == nil)
        #expect(stack.lookup(ContainerPath("o/y"))?.layer == 1)
        #expect(stack.lookup(ContainerPath("r/x")) == nil)
        #expect(stack.lookup(ContainerPath("f/x")) == nil)
        #expect(stack.children(of: ContainerPath("d")).map(\.entry.path.description) == ["/d/a", "/d/b"])
        #expect(stack.children(of: .root).map(\.entry.path.description) == ["/d", "/f", "/o", "/r"])
        var walked: [String] = []
        stack.walk(.root) { walked.append($0.entry.path.description) }
        #expect(walked == ["/", "/d", "/d/a", "/d/b", "/f", "/o", "/o/y", "/r"])
    }

    @Test func impliedDirectoriesLookAsBelow() {
        let below = LayerEntry.node("opt", .directory(opaque: false), mode: 0o700)
        let stack = stack([below], [.file("opt/x"), .file("new/deep/y")])
        #expect(stack.lookup(ContainerPath("opt"))?.entry.mode == 0o700)
        #expect(stack.lookup(ContainerPath("new/deep"))?.entry.mode == 0o755)
        #expect(stack.lookup(ContainerPath("new/deep/y"))?.layer == 1)
    }

    @Test func hardLinksShowTheirFile() {
        let hard = LayerEntry.node("b", .hardLink(target: ContainerPath("a")), mode: 0)
        let above = LayerEntry.node("c", .hardLink(target: ContainerPath("b")), mode: 0)
        let stack = stack([.file("a", "four", mode: 0o4755), hard], [above])
        for (path, layer) in [("b", 0), ("c", 1)] {
            let found = stack.lookup(ContainerPath(path))
            #expect(found?.entry.kind == .file(size: 4))
            #expect(found?.entry.mode == 0o4755)
            #expect(found?.layer == layer)
        }
        #expect(stack.flattened().map(\.entry.kind).contains(.hardLink(target: ContainerPath("a"))))
    }

    @Test(arguments: [
        ("bin/sh", true, "/usr/bin/dash"), ("bin/sh", false, "/usr/bin/sh"), ("bin", false, "/bin"),
        ("bin/none/x", true, "/usr/bin/none/x"), ("up/etc", true, "/etc"), ("away/x", true, "/srv/x"),
        ("usr/bin/../x", true, "/usr/x"),
    ])
    func resolvesInside(path: String, followLast: Bool, expected: String) throws {
        let stack = stack(
            [.directory("usr"), .directory("usr/bin"), .file("usr/bin/dash"), link("bin", "usr/bin")],
            [link("usr/bin/sh", "dash"), link("up", "../../.."), link("away", "/srv"), .directory("etc")]
        )
        #expect(try stack.resolve(ContainerPath(path), followLast: followLast).description == expected)
    }

    @Test func refusesLoops() {
        let stack = stack([link("a", "b"), link("b", "a")])
        let error = #expect(throws: LayerError.self) { try stack.resolve(ContainerPath("a/x"), followLast: true) }
        #expect(error?.reason == .symlinkLoop(path: "/a/x"))
    }
}
