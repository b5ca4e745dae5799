import BuildFileParser

/// Files that a RUN gave another owner or mode: the layer holds all of their content again.
enum RewrittenFiles {
    /// Less than this is not worth a warning.
    static let threshold: Int64 = 1 << 20

    static func finding(bytes: Int64, in range: SourceRange) -> Finding {
        var finding = Finding(
            .recursiveOwnershipChange,
            "this RUN stored \(megabytes(bytes)) MB a second time, of files whose owner or mode alone changed",
            at: range,
            in: range
        )
        finding.notes = ["set them where the files come from: COPY --chown=… --chmod=…"]
        return finding
    }

    /// With one digit after the point.
    private static func megabytes(_ bytes: Int64) -> String {
        let tenths = (bytes + 50_000) / 100_000
        return "\(tenths / 10).\(tenths % 10)"
    }
}
