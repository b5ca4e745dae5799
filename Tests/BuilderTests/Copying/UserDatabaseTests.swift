import Testing

@testable import Builder

@Suite struct UserDatabaseTests {
    static let database = UserDatabase(
        passwd: Array(
            """
            root:x:0:0:root:/root:/bin/sh
            # a comment
            app:x:1000:2000:App,,,:/home/app:/bin/sh
            homeless:x:1001:2001
            broken:x:many:0::/
            twin:x:1000:3000::/twin:\r
            1002:x:5:6::/number:
            """.utf8
        ),
        group: Array(
            """
            root:x:0:
            wheel:x:10:app,other
            audio:x:11:other,app
            apps:x:2000:
            broken:x::app
            short:x:12
            """.utf8
        )
    )

    struct Case: Sendable, CustomTestStringConvertible {
        var text: String
        var uid: UInt32
        var gid: UInt32
        var groups: [UInt32] = []
        var home = "/"

        var testDescription: String { text }
    }

    /// Dockerfile reference, "USER": without a group the user has the primary one, and those that list it.
    @Test(arguments: [
        Case(text: "", uid: 0, gid: 0, home: "/root"),
        Case(text: "root", uid: 0, gid: 0, home: "/root"),
        Case(text: "0", uid: 0, gid: 0, home: "/root"),
        Case(text: "app", uid: 1000, gid: 2000, groups: [10, 11], home: "/home/app"),
        Case(text: "app:audio", uid: 1000, gid: 11, home: "/home/app"),
        Case(text: "app:77", uid: 1000, gid: 77, home: "/home/app"),
        Case(text: "1000", uid: 1000, gid: 2000, groups: [10, 11], home: "/home/app"),
        Case(text: "1000:wheel", uid: 1000, gid: 10, home: "/home/app"),
        Case(text: "homeless", uid: 1001, gid: 2001),
        Case(text: "12345", uid: 12345, gid: 0),
        Case(text: "12345:short", uid: 12345, gid: 12),
        Case(text: "4294967294", uid: 4_294_967_294, gid: 0),
    ])
    func identities(expected: Case) throws {
        let identity = try Self.database.identity(expected.text)
        #expect(identity.uid == expected.uid)
        #expect(identity.gid == expected.gid)
        #expect(identity.supplementaryGroups == expected.groups)
        #expect(identity.home == expected.home)
    }

    /// The number 4294967295 is -1, which stands for "no change" in chown(2).
    @Test(arguments: ["nobody", "broken", "-1", "4294967295", "4294967296", "app:nobody", "app:broken", "# a comment"])
    func unknownNamesAreErrors(text: String) {
        let error = #expect(throws: CopyError.self) { try Self.database.identity(text) }
        #expect(error?.description.contains("the image has no") == true)
    }

    /// Dockerfile reference, "COPY --chown": a user's name brings its group; a number alone stands for both.
    @Test(
        arguments: [
            ("app", 1000, 2000), ("app:wheel", 1000, 10), ("app:", 1000, 2000), ("1000", 1000, 1000), ("55", 55, 55),
            ("55:66", 55, 66), ("55:audio", 55, 11), (":audio", 0, 11), ("root", 0, 0), ("root:root", 0, 0),
            ("0:0", 0, 0),
        ] as [(String, UInt32, UInt32)]
    )
    func owners(text: String, uid: UInt32, gid: UInt32) throws {
        let owner = try Self.database.owner(text)
        #expect(owner.uid == uid)
        #expect(owner.gid == gid)
    }

    @Test(arguments: ["nobody", "app:nobody", "1:nobody"])
    func unknownOwnersAreErrors(text: String) {
        #expect(throws: CopyError.self) { try Self.database.owner(text) }
    }

    @Test func anImageWithoutFilesKnowsRootAndNumbers() throws {
        let empty = UserDatabase(passwd: [], group: [])
        #expect(try empty.identity("root") == empty.identity("0"))
        #expect(try empty.identity("").home == "/")
        #expect(try empty.identity("7:8").gid == 8)
        #expect(try empty.owner("root:root").gid == 0)
        #expect(throws: CopyError.self) { try empty.identity("app") }
    }

    @Test func namesOfTheFilesAreFoundInTheFileSystemOnly() throws {
        // A link out of the root leads to nothing, and is no error.
        let stack = fileSystem([
            directory("etc"), link("etc/passwd", to: "../../../../missing"), directory("etc/group"),
        ])
        #expect(try UserDatabase(in: stack).users == [])
    }
}
