import ArgumentParser
import Glibc

/// `--progress`.
enum ProgressStyle: String, ExpressibleByArgument, CaseIterable {
    case auto, plain, rawjson, quiet

    /// What `auto` means here: lines that change need a terminal.
    var resolved: ProgressStyle {
        self == .auto && isatty(2) != 1 ? .plain : self
    }
}
