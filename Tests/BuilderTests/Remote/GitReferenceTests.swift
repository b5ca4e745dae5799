import Testing

@testable import Builder

@Suite struct GitReferenceTests {
    @Test(arguments: [
        ("https://host/a/b.git", "https://host/a/b.git", nil, nil),
        ("http://host:81/b.git#main", "http://host:81/b.git", "main", nil),
        ("https://host/b.git#v1:dir/sub", "https://host/b.git", "v1", "dir/sub"),
        ("https://host/b.git#:dir", "https://host/b.git", nil, "dir"),
        ("git://host/b", "git://host/b", nil, nil),
        ("ssh://git@host:22/b#pull/42/head", "ssh://git@host:22/b", "pull/42/head", nil),
        ("git@host:a/b.git#main", "git@host:a/b.git", "main", nil),
        ("someone@host:b", "someone@host:b", nil, nil),
        ("https://host/b.git?ref=main", "https://host/b.git", "main", nil),
        ("https://host/b.git?tag=v1&subdir=d", "https://host/b.git", "refs/tags/v1", "d"),
        ("https://host/b.git?branch=x%2Fy", "https://host/b.git", "refs/heads/x/y", nil),
        ("git@host:b.git?branch=main#", "git@host:b.git", "refs/heads/main", nil),
        ("HTTPS://host/b.git", "https://host/b.git", nil, nil),
    ])
    func urls(text: String, remote: String, ref: String?, subdirectory: String?) throws {
        let reference = try GitReference.parse(text)
        #expect(reference?.remote == remote)
        #expect(reference?.ref == ref)
        #expect(reference?.subdirectory == subdirectory)
    }

    @Test(arguments: [
        "https://host/file.tar.gz", "http://host/b.git.txt", "https://host/b#main", "directory", "./git@host:x",
        "a/b.git",
        "file:///b.git", "ext::sh -c id", "ftp://host/b.git", "github.com/a/b", "",
    ])
    func whatIsNone(text: String) throws {
        #expect(try GitReference.parse(text) == nil)
    }

    @Test(arguments: [
        "https://host/b.git#-x", "https://host/b.git#--upload-pack=x", "https://host/b.git#a..b",
        "https://host/b.git#a b",
        "https://host/b.git#a*", "https://-host/b.git", "ssh://-oProxyCommand=x/b", "ssh://-l@host/b", "git@-oX:b",
        "-u@host:x",
        "git@host:-b", "git@host:", "https:///b.git", "https://host/b.git?x=y", "https://host/b.git?ref=",
        "https://host/b.git?ref=a&ref=b", "https://host/b.git?tag=a&branch=b", "https://host/b.git?commit=xyz",
        "https://host/b.git?ref=a#b", "https://host/b.git?submodules=maybe", "https://host/\u{1}b.git",
        "https://host/b.git#refs/heads/x@{1}", "https://host/b.git#a%00b",
    ])
    func whatCannotBe(text: String) {
        #expect(throws: MalformedGitReference.self) { try GitReference.parse(text) }
    }

    @Test func flags() throws {
        let none = try GitReference.parse("https://host/b.git")
        #expect(none?.keepsGitDirectory == nil)
        #expect(none?.fetchesSubmodules == nil)
        let all = try GitReference.parse("https://host/b.git?keep-git-dir&submodules=0&checksum=ABCDEF0")
        #expect(all?.keepsGitDirectory == true)
        #expect(all?.fetchesSubmodules == false)
        #expect(all?.checksum == "abcdef0")
        #expect(all?.ref == "abcdef0")
    }

    @Test func credentialsAreKeptApart() throws {
        let reference = try #require(try GitReference.parse("https://user:se%40cret@host/b.git#main"))
        #expect(reference.credentials == "user:se@cret")
        #expect(reference.host == "host")
        #expect(reference.shown == "https://host/b.git#main")
        let error = #expect(throws: MalformedGitReference.self) {
            try GitReference.parse("https://user:secret@host/b.git#-x")
        }
        #expect(error.map { "\($0)".contains("secret") } == false)
        let ssh = try GitReference.parse("ssh://git:secret@host/b.git")
        #expect(ssh?.remote == "ssh://git@host/b.git")
    }

    @Test func formsOfTheCommandLine() throws {
        #expect(try GitReference.parse("file:///a/b#main", forms: [.file])?.remote == "file:///a/b")
        #expect(try GitReference.parse("github.com/a/b#main", forms: [.bare])?.remote == "https://github.com/a/b")
    }

    @Test(arguments: [
        ("https://host/a/b.git", "../c.git", "https://host/a/c.git"),
        ("https://host/a/b.git", "./c", "https://host/a/b.git/c"),
        ("https://host/a/b.git", "../../c/d.git", "https://host/c/d.git"),
        ("git@host:a/b.git", "../c.git", "git@host:a/c.git"),
        ("git@host:b.git", "../c.git", "git@host:c.git"),
        ("https://host/b.git", "https://other/c", "https://other/c"),
        ("https://host/b.git", "git@other:c", "git@other:c"),
    ])
    func submodules(parent: String, url: String, expected: String) throws {
        let reference = try #require(try GitReference.parse(parent))
        #expect(try reference.submodule(url).remote == expected)
    }

    @Test(arguments: [
        "file:///etc", "/etc", "--upload-pack=touch /x", "-u", "ext::sh -c id", "../../../../etc", "ssh://-oX/y",
        "https://host/a b", "https://host/b.git#main",
    ])
    func submodulesThatCannotBe(url: String) throws {
        let reference = try #require(try GitReference.parse("file:///a/b", forms: [.file]))
        #expect(throws: MalformedGitReference.self) { try reference.submodule(url) }
    }

    @Test func credentialsStayWithTheirHost() throws {
        let reference = try #require(try GitReference.parse("https://token@host/a/b.git"))
        #expect(try reference.submodule("../c.git").credentials == "token")
        #expect(try reference.submodule("https://other/c.git").credentials == nil)
        #expect(try reference.submodule("http://host/c.git").credentials == nil)
    }

    @Test func secretsOpenTheirHosts() throws {
        var access = GitAccess(secrets: [
            "GIT_AUTH_TOKEN": Array("general\n".utf8), "GIT_AUTH_HEADER.other": Array("Bearer special".utf8),
            "GIT_AUTH_TOKEN.broken": Array("a\nb".utf8),
        ])
        access.host = "host"
        func header(_ url: String) throws -> String? {
            access.authorization(for: try #require(try GitReference.parse(url)))
        }
        #expect(try header("https://host/b.git") == "Authorization: Basic eC1hY2Nlc3MtdG9rZW46Z2VuZXJhbA==")
        #expect(try header("https://other:8443/b.git") == "Authorization: Bearer special")
        #expect(try header("https://third/b.git") == nil)
        #expect(try header("https://broken/b.git") == nil)
        #expect(try header("ssh://git@host/b.git") == nil)
    }

    @Test(arguments: [
        ("https://user:pw@host/a?b=c#d", "https://host/a?b=c#d"), ("http://host/a@b", "http://host/a@b"),
        ("ssh://git:pw@host/a", "ssh://git@host/a"), ("git@host:a", "git@host:a"), ("plain", "plain"),
    ])
    func historyHasNoCredentials(url: String, expected: String) {
        #expect(withoutCredentials(url) == expected)
    }
}
