import ArgumentParser
import Builder
import Glibc
import OCI

struct LoginCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "login",
        abstract: "Checks a user's password at a registry, and keeps it for pulls and pushes."
    )

    @OptionGroup var registries: RegistryOptions

    @Option(name: .shortAndLong, help: "The user's name; without it, it is asked for.")
    var username: String?

    @Flag(name: .long, help: "Reads the password from standard input, up to its end.")
    var passwordStdin = false

    @Argument(help: "The registry: HOST[:PORT] (default: docker.io).")
    var registry: String = "docker.io"

    func run() async throws {
        try await reporting {
            let host = try RegistryHost.parse(registry)
            let (user, password) = try credentials()
            let place = try registries.open().logIn(to: host, user: user, password: password)
            Console.note("logged in to \(host) as \(user); the password is kept in \(place)")
        }
    }

    private func credentials() throws -> (user: String, password: String) {
        if passwordStdin {
            guard let username else {
                throw MalformedOption(option: "--password-stdin", value: "", expected: "a user's name as well: -u USER")
            }
            let bytes = try HostFile.read(descriptor: 0, named: "standard input", limit: 64 << 10)
            // The line end that `echo` writes is no part of it.
            let text = String(decoding: bytes, as: UTF8.self)
            return (username, String(text.reversed().drop { $0.isNewline }.reversed()))
        }
        guard isatty(0) == 1 else {
            throw MalformedOption(
                option: "login",
                value: registry,
                expected: "a terminal to ask on, or -u USER --password-stdin"
            )
        }
        let user = try username ?? Self.ask("user: ", isSecret: false)
        return (user, try Self.ask("password: ", isSecret: true))
    }

    private static func ask(_ prompt: String, isSecret: Bool) throws -> String {
        Console.write(prompt, to: 2)
        var before = termios()
        let hidesInput = isSecret && tcgetattr(0, &before) == 0
        if hidesInput {
            var hidden = before
            // Nor is the terminal to be left so by an interrupt.
            hidden.c_lflag &= ~tcflag_t(ECHO | ISIG)
            tcsetattr(0, TCSAFLUSH, &hidden)
        }
        let line = readLine(strippingNewline: true)
        if hidesInput {
            tcsetattr(0, TCSAFLUSH, &before)
            Console.write("\n", to: 2)
        }
        guard let line, !line.isEmpty else {
            throw MalformedOption(option: "login", value: "", expected: "a user and a password")
        }
        return line
    }
}

struct LogoutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "logout",
        abstract: "Forgets a user's password for a registry."
    )

    @OptionGroup var registries: RegistryOptions

    @Argument(help: "The registry: HOST[:PORT] (default: docker.io).")
    var registry: String = "docker.io"

    func run() async throws {
        try await reporting {
            let host = try RegistryHost.parse(registry)
            let wasThere = try registries.open().logOut(of: host)
            Console.note(wasThere ? "logged out of \(host)" : "nobody was logged in to \(host)")
        }
    }
}

/// The name of a registry as an argument.
enum RegistryHost {
    static func parse(_ text: String) throws(MalformedOption) -> String {
        if text == "docker.io" || text == "index.docker.io" { return "docker.io" }
        // What may stand in front of a repository's name is a registry.
        guard let reference = try? ImageReference(parsing: "\(text)/name"), reference.repository == "name" else {
            throw MalformedOption(option: "the registry", value: text, expected: "HOST or HOST:PORT")
        }
        return reference.registry
    }
}
