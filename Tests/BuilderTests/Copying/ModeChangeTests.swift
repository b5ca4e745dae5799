import BuildFileParser
import Testing

@testable import Builder

@Suite struct ModeChangeTests {
    /// Files and directories before the change; directories have no set-ID bits, which chmod(1) treats in its own way.
    static let files: [UInt16] = [0o644, 0o755, 0o4711, 0o2750, 0o1777, 0o600, 0o100]
    static let directories: [UInt16] = [0o644, 0o755, 0o1777, 0o600, 0o100]

    /// What GNU chmod makes of them with umask 0.
    @Test(
        arguments: [
            ("u=rwX,go=rX", [0o644, 0o755, 0o755, 0o755, 0o755, 0o644, 0o755], [0o755, 0o755, 0o755, 0o755, 0o755]),
            ("a+x", [0o755, 0o755, 0o4711, 0o2751, 0o1777, 0o711, 0o111], [0o755, 0o755, 0o1777, 0o711, 0o111]),
            ("+x", [0o755, 0o755, 0o4711, 0o2751, 0o1777, 0o711, 0o111], [0o755, 0o755, 0o1777, 0o711, 0o111]),
            ("-x", [0o644, 0o644, 0o4600, 0o2640, 0o1666, 0o600, 0o0], [0o644, 0o644, 0o1666, 0o600, 0o0]),
            ("a-w", [0o444, 0o555, 0o4511, 0o2550, 0o1555, 0o400, 0o100], [0o444, 0o555, 0o1555, 0o400, 0o100]),
            (
                "u+s", [0o4644, 0o4755, 0o4711, 0o6750, 0o5777, 0o4600, 0o4100],
                [0o4644, 0o4755, 0o5777, 0o4600, 0o4100]
            ),
            (
                "g+s", [0o2644, 0o2755, 0o6711, 0o2750, 0o3777, 0o2600, 0o2100],
                [0o2644, 0o2755, 0o3777, 0o2600, 0o2100]
            ),
            ("o+s", [0o644, 0o755, 0o4711, 0o2750, 0o1777, 0o600, 0o100], [0o644, 0o755, 0o1777, 0o600, 0o100]),
            (
                "+s", [0o6644, 0o6755, 0o6711, 0o6750, 0o7777, 0o6600, 0o6100],
                [0o6644, 0o6755, 0o7777, 0o6600, 0o6100]
            ),
            (
                "a+t", [0o1644, 0o1755, 0o5711, 0o3750, 0o1777, 0o1600, 0o1100],
                [0o1644, 0o1755, 0o1777, 0o1600, 0o1100]
            ),
            (
                "+t", [0o1644, 0o1755, 0o5711, 0o3750, 0o1777, 0o1600, 0o1100],
                [0o1644, 0o1755, 0o1777, 0o1600, 0o1100]
            ),
            ("u+t", [0o644, 0o755, 0o4711, 0o2750, 0o1777, 0o600, 0o100], [0o644, 0o755, 0o1777, 0o600, 0o100]),
            (
                "o+t", [0o1644, 0o1755, 0o5711, 0o3750, 0o1777, 0o1600, 0o1100],
                [0o1644, 0o1755, 0o1777, 0o1600, 0o1100]
            ),
            ("u=rwx", [0o744, 0o755, 0o711, 0o2750, 0o1777, 0o700, 0o700], [0o744, 0o755, 0o1777, 0o700, 0o700]),
            ("g=rx", [0o654, 0o755, 0o4751, 0o750, 0o1757, 0o650, 0o150], [0o654, 0o755, 0o1757, 0o650, 0o150]),
            ("o=", [0o640, 0o750, 0o4710, 0o2750, 0o770, 0o600, 0o100], [0o640, 0o750, 0o770, 0o600, 0o100]),
            ("a=", [0o0, 0o0, 0o0, 0o0, 0o0, 0o0, 0o0], [0o0, 0o0, 0o0, 0o0, 0o0]),
            ("=", [0o0, 0o0, 0o0, 0o0, 0o0, 0o0, 0o0], [0o0, 0o0, 0o0, 0o0, 0o0]),
            ("a=rwx", [0o777, 0o777, 0o777, 0o777, 0o777, 0o777, 0o777], [0o777, 0o777, 0o777, 0o777, 0o777]),
            ("u=g", [0o444, 0o555, 0o111, 0o2550, 0o1777, 0o0, 0o0], [0o444, 0o555, 0o1777, 0o0, 0o0]),
            ("g=u", [0o664, 0o775, 0o4771, 0o770, 0o1777, 0o660, 0o110], [0o664, 0o775, 0o1777, 0o660, 0o110]),
            ("o=g", [0o644, 0o755, 0o4711, 0o2755, 0o777, 0o600, 0o100], [0o644, 0o755, 0o777, 0o600, 0o100]),
            ("go=u", [0o666, 0o777, 0o4777, 0o777, 0o777, 0o666, 0o111], [0o666, 0o777, 0o777, 0o666, 0o111]),
            ("u+g", [0o644, 0o755, 0o4711, 0o2750, 0o1777, 0o600, 0o100], [0o644, 0o755, 0o1777, 0o600, 0o100]),
            ("u-g", [0o244, 0o255, 0o4611, 0o2250, 0o1077, 0o600, 0o100], [0o244, 0o255, 0o1077, 0o600, 0o100]),
            ("a=rX", [0o444, 0o555, 0o555, 0o555, 0o555, 0o444, 0o555], [0o555, 0o555, 0o555, 0o555, 0o555]),
            ("a-x,a+X", [0o644, 0o644, 0o4600, 0o2640, 0o1666, 0o600, 0o0], [0o755, 0o755, 0o1777, 0o711, 0o111]),
            ("a+X", [0o644, 0o755, 0o4711, 0o2751, 0o1777, 0o600, 0o111], [0o755, 0o755, 0o1777, 0o711, 0o111]),
            ("+X", [0o644, 0o755, 0o4711, 0o2751, 0o1777, 0o600, 0o111], [0o755, 0o755, 0o1777, 0o711, 0o111]),
            ("u+r-w", [0o444, 0o555, 0o4511, 0o2550, 0o1577, 0o400, 0o500], [0o444, 0o555, 0o1577, 0o400, 0o500]),
            ("u=rw,u-w+x", [0o544, 0o555, 0o511, 0o2550, 0o1577, 0o500, 0o500], [0o544, 0o555, 0o1577, 0o500, 0o500]),
            ("ug=rw", [0o664, 0o665, 0o661, 0o660, 0o1667, 0o660, 0o660], [0o664, 0o665, 0o1667, 0o660, 0o660]),
            ("u-s", [0o644, 0o755, 0o711, 0o2750, 0o1777, 0o600, 0o100], [0o644, 0o755, 0o1777, 0o600, 0o100]),
            ("g-s", [0o644, 0o755, 0o4711, 0o750, 0o1777, 0o600, 0o100], [0o644, 0o755, 0o1777, 0o600, 0o100]),
            ("-t", [0o644, 0o755, 0o4711, 0o2750, 0o777, 0o600, 0o100], [0o644, 0o755, 0o777, 0o600, 0o100]),
            ("o-t", [0o644, 0o755, 0o4711, 0o2750, 0o777, 0o600, 0o100], [0o644, 0o755, 0o777, 0o600, 0o100]),
            (
                "ugo+rwxst", [0o7777, 0o7777, 0o7777, 0o7777, 0o7777, 0o7777, 0o7777],
                [0o7777, 0o7777, 0o7777, 0o7777, 0o7777]
            ),
            (
                "u=rwxs", [0o4744, 0o4755, 0o4711, 0o6750, 0o5777, 0o4700, 0o4700],
                [0o4744, 0o4755, 0o5777, 0o4700, 0o4700]
            ),
            (
                "g=s", [0o2604, 0o2705, 0o6701, 0o2700, 0o3707, 0o2600, 0o2100],
                [0o2604, 0o2705, 0o3707, 0o2600, 0o2100]
            ),
            (
                "a=t", [0o1000, 0o1000, 0o1000, 0o1000, 0o1000, 0o1000, 0o1000],
                [0o1000, 0o1000, 0o1000, 0o1000, 0o1000]
            ),
            ("u=", [0o44, 0o55, 0o11, 0o2050, 0o1077, 0o0, 0o0], [0o44, 0o55, 0o1077, 0o0, 0o0]),
            (
                "o=t", [0o1640, 0o1750, 0o5710, 0o3750, 0o1770, 0o1600, 0o1100],
                [0o1640, 0o1750, 0o1770, 0o1600, 0o1100]
            ),
            ("a=u", [0o666, 0o777, 0o777, 0o777, 0o777, 0o666, 0o111], [0o666, 0o777, 0o777, 0o666, 0o111]),
        ] as [(String, [UInt16], [UInt16])]
    )
    func symbolic(text: String, files: [UInt16], directories: [UInt16]) throws {
        let change = try #require(ModeChange(parsing: text))
        #expect(change.isRelative)
        for (before, after) in zip(Self.files, files) {
            let found = change.applied(to: before, isDirectory: false)
            #expect(found == after, "\(text) on a file of \(String(before, radix: 8)): \(String(found, radix: 8))")
        }
        for (before, after) in zip(Self.directories, directories) {
            let found = change.applied(to: before, isDirectory: true)
            #expect(found == after, "\(text) on a directory of \(String(before, radix: 8)): \(String(found, radix: 8))")
        }
    }

    @Test(arguments: [("0", 0), ("7", 7), ("644", 0o644), ("0755", 0o755), ("04711", 0o4711), ("7777", 0o7777)])
    func octal(text: String, mode: UInt16) throws {
        let change = try #require(ModeChange(parsing: text))
        #expect(!change.isRelative)
        #expect(change.applied(to: 0o7777, isDirectory: false) == mode)
        #expect(change.applied(to: 0, isDirectory: true) == mode)
    }

    @Test(arguments: [
        "", "u", "u=z", "755x", "8", "10000", "77777777", "z+x", "u+x,", ",u+x", "u=rwx go=r", "rwx", "0x1ff", "u =r",
        " ",
        "u=gx", "0o755",
    ])
    func refuses(text: String) {
        #expect(ModeChange(parsing: text) == nil)
        guard !text.isEmpty else { return }
        let error = #expect(throws: Diagnostic.self) { try ModeChange.check(text, at: nil) }
        #expect(error?.message.contains("`\(text)` is no mode") == true)
    }
}
