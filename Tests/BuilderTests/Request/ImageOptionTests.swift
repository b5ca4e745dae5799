import OCI
import Testing

@testable import Builder

@Suite struct ImageOptionTests {
    @Test(
        arguments: [
            ("a=oci-archive:f.tar", .imageArchive(path: "/work/f.tar", form: .oci, name: nil)),
            ("a=oci-archive:/d/f.tar:1", .imageArchive(path: "/d/f.tar", form: .oci, name: "1")),
            (
                "a=docker-archive:f:localhost:5000/x:1",
                .imageArchive(path: "/work/f", form: .docker, name: "localhost:5000/x:1")
            ),
        ] as [(String, NamedContext.Source)]
    )
    func archivesAsContexts(text: String, source: NamedContext.Source) throws {
        #expect(try NamedContext(parsing: text, in: "/work").source == source)
    }

    @Test(arguments: ["a=oci-archive:", "a=docker-archive::x", "a=docker-archive:f:"])
    func malformedArchives(text: String) {
        #expect(throws: MalformedOption.self) { try NamedContext(parsing: text, in: "/work") }
    }

    @Test func outputsThatGoToRegistries() throws {
        let name = try ImageReference(parsing: "here:5000/x:1")
        for (text, kind) in [
            ("type=registry", .registry(names: [])), ("type=registry,name=here:5000/x:1", .registry(names: [name])),
            ("type=image,push=true,name=here:5000/x:1", .registry(names: [name])),
            ("type=image,name=here:5000/x:1", .image(names: [name])), ("type=image,push=false", .image(names: [])),
        ] as [(String, OutputSpec.Kind)] {
            #expect(try OutputSpec(parsing: text, in: "/work").kind == kind, "\(text)")
        }
        #expect(try OutputSpec(parsing: "type=registry,compression=zstd", in: "/").compression == .zstd)
    }

    @Test(arguments: [
        "type=registry,dest=x", "type=image,tar=true", "type=registry,name=UPPER", "type=image,push=yes",
        "type=oci,dest=x,name=a", "type=docker,dest=x,push=true",
    ])
    func malformedOutputs(text: String) {
        #expect(throws: MalformedOption.self) { try OutputSpec(parsing: text, in: "/work") }
    }

    @Test func aLockFileComesBackAsItWas() throws {
        var lock = SourceLock(name: "a")
        lock.set(.image, "docker.io/library/b:1", "sha256:1")
        lock.set(.image, "docker.io/library/a:1", "sha256:2")
        lock.set(.git, "https://h/x.git", "abc")
        lock.set(.url, "https://h/x", "sha256:3")
        let bytes = try lock.json.encoded()
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"git":[{"commit":"abc","name":"https://h/x.git"}],"images":[{"digest":"sha256:2","name":"#
                + #""docker.io/library/a:1"},{"digest":"sha256:1","name":"docker.io/library/b:1"}],"#
                + #""urls":[{"digest":"sha256:3","name":"https://h/x"}],"version":1}"#
        )
        #expect(try SourceLock(parsing: bytes, as: "a") == lock)
    }

    @Test(arguments: ["", "[]", "{}", #"{"version":2}"#, #"{"version":1,"images":[{"name":"a"}]}"#])
    func malformedLockFiles(text: String) {
        #expect(throws: DocumentError.self) { try SourceLock(parsing: Array(text.utf8), as: "lock") }
    }

    @Test func aBuildIsHeldToItsLock() throws {
        var lock = SourceLock(name: "the.lock")
        lock.set(.url, "https://h/x", Digest(of: "one".utf8).description)
        let sources = UsedSources(contexts: [], locked: lock)
        try sources.use(url: "https://user:word@h/x", digest: Digest(of: "one".utf8))
        let changed = #expect(throws: UnlockedSource.self) {
            try sources.use(url: "https://h/x", digest: Digest(of: "two".utf8))
        }
        #expect(changed?.description.contains("but the.lock says sha256:") == true)
        let unknown = #expect(throws: UnlockedSource.self) {
            try sources.use(url: "https://h/y", digest: Digest(of: "one".utf8))
        }
        #expect(unknown?.description.hasPrefix("the.lock does not list https://h/y") == true)
        #expect(sources.all.value(of: .url, "https://h/x") != nil)
    }
}
