import Glibc
import OCI

/// The two streams of the terminal: results go to one, everything else to the other.
enum Console {
    /// Writes a line of the result.
    ///
    /// A reader that has seen enough is no failure; a disk that is full is.
    static func print(_ text: String) throws { try print(bytes: Array((text + "\n").utf8)) }

    /// Writes whole lines of the result: as they are, unless a terminal would act on what came from elsewhere.
    static func print(bytes: [UInt8]) throws {
        var bytes = bytes
        if isatty(1) == 1 { bytes = Array(VisibleText.of(String(decoding: bytes, as: UTF8.self)).utf8) }
        do {
            try HostFile.write(bytes[...], descriptor: 1, named: "standard output")
        } catch {
            guard error.code == EPIPE else { throw error }
        }
    }

    /// Writes a line for the reader.
    ///
    /// Parts of it may come from a build file, an image or a step: a terminal is to do nothing for them.
    static func note(_ text: String) { write(VisibleText.of(text) + "\n", to: 2) }

    /// Writes text as it is.
    ///
    /// A reader that is gone is no reason to fail.
    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Whether colours may be used on standard error.
    static var hasColor: Bool { hasColor(on: 2) }

    /// Whether colours may be written to a descriptor: a terminal, and nobody has said no.
    static func hasColor(on descriptor: CInt) -> Bool {
        isatty(descriptor) == 1 && (getenv("NO_COLOR").map { $0.pointee == 0 } ?? true)
            && getenv("TERM").map { strcmp($0, "dumb") != 0 } ?? false
    }

    /// A directory's name made absolute.
    static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "." }
        defer { free(path) }
        return String(cString: path)
    }

    /// An environment variable; empty ones are as good as none.
    static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }
}
