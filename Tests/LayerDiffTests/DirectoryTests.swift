import Glibc
import LayerDiff
import OCI
import SystemPackage
import Testing

@Suite struct DirectoryTests {
    let scratch: Scratch
    let directory: Directory

    init() throws {
        scratch = try Scratch()
        directory = try scratch.directory("root")
    }

    private func run(_ command: String) throws {
        try shell("cd \(scratch.path)/root && \(command)")
    }

    @Test func listsInByteOrderWithStatus() throws {
        try run(#"touch b a Z "$(printf '\377')" && mkdir d && ln -s a l && mkfifo p && mknod c c 1 3 && chmod 4711 a"#)
        let items = try directory.list(.root)
        #expect(items.map(\.name) == [[0x5a], [0x61], [0x62], [0x63], [0x64], [0x6c], [0x70], [0xff]])
        #expect(
            items.map(\.status.kind) == [.file, .file, .file, .characterDevice, .directory, .symlink, .fifo, .file]
        )
        #expect(items[1].status.mode == 0o4711)
        #expect(items[3].status.deviceMajor == 1 && items[3].status.deviceMinor == 3)
    }

    @Test func listsManyNames() throws {
        try run("seq 1 3000 | xargs -n 500 touch")
        #expect(try directory.list(.root).count == 3000)
    }

    @Test func statusFollowsNothing() throws {
        try run("mkdir d && ln -s d l && ln -s /etc out && touch d/f")
        #expect(try directory.status(ContainerPath("l"))?.kind == .symlink)
        #expect(try directory.status(ContainerPath("missing/x")) == nil)
        #expect(try directory.status(ContainerPath("d/f/x")) == nil)
        #expect(throws: FileError.self) { try directory.status(ContainerPath("out/passwd")) }
        #expect(try directory.readLink(ContainerPath("out")) == Array("/etc".utf8))
    }

    @Test func opensBeneathOnly() throws {
        try run("mkdir d && echo inner > d/f && ln -s d l && ln -s /d/f absolute && ln -s ../../../../d/f up")
        #expect(throws: FileError.self) { try directory.openFile(ContainerPath("l/f")) }
        for path in ["d/f", "l/f", "absolute", "up"] {
            let file = try directory.openFileInRoot(ContainerPath(path))
            var bytes = [UInt8](repeating: 0, count: 16)
            let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
            #expect(String(decoding: bytes[..<count], as: UTF8.self) == "inner\n")
        }
    }

    @Test func saysWhatFailed() throws {
        let error = #expect(throws: FileError.self) { try directory.openFile(ContainerPath("none")) }
        #expect(error?.errno == .noSuchFileOrDirectory)
        #expect(error?.description == "cannot open \(scratch.path)/root/none: No such file or directory")
    }

    @Test func readsExtendedAttributesOfAnyKind() throws {
        try run(
            "touch f && chmod 000 f && ln -s f l && python3 -c \"import os; os.setxattr('f', 'user.b', b'2\\0'); "
                + "os.setxattr('f', 'user.a', b''); os.setxattr('l', 'trusted.t', b'x', follow_symlinks=False)\""
        )
        let attributes = try directory.extendedAttributes(ContainerPath("f"))
        #expect(attributes == [ExtendedAttribute("user.a", ""), ExtendedAttribute("user.b", "2\0")])
        #expect(try directory.extendedAttributes(ContainerPath("l")) == [ExtendedAttribute("trusted.t", "x")])
    }

    @Test func digestsContent() throws {
        try run("printf abc > f")
        #expect(try contentDigest(directory, ContainerPath("f")) == Digest(of: "abc".utf8))
    }
}
