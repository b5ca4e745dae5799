import Exec
import Glibc
import OCI

/// The values of the secrets that a caller gave.
enum SecretValues {
    /// Larger values are no secrets; the limit is BuildKit's.
    static let limit = 500 << 10

    static func read(_ secrets: [Secret], _ cancellation: Cancellation) throws -> [String: [UInt8]] {
        var values: [String: [UInt8]] = [:]
        for secret in secrets { values[secret.id] = try value(of: secret, cancellation) }
        return values
    }

    private static func value(of secret: Secret, _ cancellation: Cancellation) throws -> [UInt8] {
        switch secret.source {
        case .value(let value): return value
        case .file(let path): return try HostFile.read(path, limit: limit)
        case .command(let words):
            return try SecretCommand(id: secret.id, words: words).run(cancellation)
        case .environment(let name):
            guard let value = getenv(name) else {
                throw MalformedOption(
                    option: "--secret",
                    value: "id=\(secret.id),env=\(name)",
                    expected: "the variable \(name) to be set"
                )
            }
            // Its very bytes: a key need not be text.
            return Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
        }
    }
}

extension BuildRequest {
    /// Runs the commands that secrets come from, each once: what reads the secrets later finds their values.
    /// - Throws: what says why a command gave none.
    public mutating func runSecretCommands(_ cancellation: Cancellation) throws {
        for (index, secret) in secrets.enumerated() {
            guard case .command(let words) = secret.source else { continue }
            secrets[index].source = .value(try SecretCommand(id: secret.id, words: words).run(cancellation))
        }
    }
}

/// A program that writes a secret to its standard output.
struct SecretCommand {
    let id: String
    let words: [String]

    /// Long enough for somebody who is asked for a passphrase by a window of the program's own.
    private static let seconds = 120

    /// What the program writes, without the newlines at the end, as `$(…)` of a shell.
    func run(_ cancellation: Cancellation) throws -> [UInt8] {
        let process = ChildProcess(
            arguments: words,
            environment: Self.environment,
            limits: ChildProcess.Limits(seconds: Self.seconds, output: SecretValues.limit),
            cancellation: cancellation
        )
        let result: ChildProcess.Result
        do throws(ChildProcess.Failure) {
            result = try process.run()
        } catch {
            throw failure(Self.reason(error))
        }
        var value = result.output
        while value.last == 0x0A { value.removeLast() }
        guard result.status == 0 else { throw failure(Self.reason(result, hiding: value)) }
        guard !value.isEmpty else { throw failure("it wrote nothing to its standard output") }
        return value
    }

    private func failure(_ reason: String) -> SecretCommandError {
        SecretCommandError(id: id, program: words.first ?? "", reason: reason)
    }

    private static var environment: [String] {
        var result: [String] = []
        var entry = environ
        while let text = entry.pointee {
            result.append(String(cString: text))
            entry += 1
        }
        return result
    }

    private static func reason(_ failure: ChildProcess.Failure) -> String {
        switch failure {
        case .cannotStart(let errno):
            errno == ENOENT ? "there is no such program" : "it cannot be started: \(String(cString: strerror(errno)))"
        case .cancelled, .stopped: "it was interrupted"
        case .timedOut: "it did not end within \(seconds) seconds"
        case .tooMuchOutput: "it wrote more than \(SecretValues.limit >> 10) KiB"
        }
    }

    /// How it ended, and the last line that it wrote for its user, unless that shows a line of what it is to keep.
    private static func reason(_ result: ChildProcess.Result, hiding value: [UInt8]) -> String {
        let status = "it ended with status \(result.status)"
        let isEnd = { (byte: UInt8) in byte == 0x0A || byte == 0x0D }
        guard let line = result.errors.split(whereSeparator: isEnd).last,
            !value.split(whereSeparator: isEnd).contains(where: { line.firstRange(of: $0) != nil })
        else { return status }
        let scalars = String(decoding: line, as: UTF8.self).unicodeScalars
        let shown = String.UnicodeScalarView(scalars.filter { $0.value >= 0x20 && $0.value != 0x7F })
        return "\(status): \(String(shown).prefix(300))"
    }
}

/// A command that gave no secret.
struct SecretCommandError: Error, CustomStringConvertible {
    let id: String
    let program: String
    let reason: String

    /// The program alone: its arguments may be secret.
    var description: String { "cannot have the secret `\(id)` from \(program): \(reason)" }
}
