import Glibc

/// The caller's terminal while another one in a sandbox does what it usually does: echo, lines, and signals of keys.
struct RawTerminal {
    private let descriptor: CInt
    private let before: termios

    /// Puts a terminal into raw mode; `nil` where the descriptor is none.
    init?(_ descriptor: CInt) {
        var settings = termios()
        guard isatty(descriptor) == 1, tcgetattr(descriptor, &settings) == 0 else { return nil }
        before = settings
        self.descriptor = descriptor
        cfmakeraw(&settings)
        tcsetattr(descriptor, TCSADRAIN, &settings)
    }

    /// Makes it what it was before.
    func restore() {
        var settings = before
        tcsetattr(descriptor, TCSADRAIN, &settings)
    }
}
