import Testing

@testable import Builder

@Suite struct ShellMessageTests {
    @Test(
        arguments: [
            ("/bin/sh: 1: mvn: not found", "mvn"), ("/bin/sh: mvn: not found", "mvn"),
            ("sh: line 1: mvn: command not found", "mvn"), ("/bin/bash: line 3: ./run: Permission denied", "./run"),
            ("/bin/sh: 1: ./run: not found", "./run"), ("env: 'python': No such file or directory", "python"),
            ("/usr/bin/env: \u{2018}python3\u{2019}: No such file or directory", "python3"),
            ("env: can't execute 'node': No such file or directory", "node"),
            ("bash: line 1: ./run: cannot execute: required file not found", "./run"),
            ("/bin/sh: 1: /app/tool: Exec format error", "/app/tool"), ("all is well", nil), ("", nil),
            (": not found", nil), ("cat: the file of mine: No such file or directory", nil),
        ] as [(String, String?)]
    )
    func findsTheCommand(_ line: String, _ command: String?) {
        #expect(ShellMessage.command(in: ["first", line]) == command)
    }

    @Test func theLastMessageCounts() {
        #expect(ShellMessage.command(in: ["sh: a: not found", "sh: b: not found", "end"]) == "b")
    }
}
