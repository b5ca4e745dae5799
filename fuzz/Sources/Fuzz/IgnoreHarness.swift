import BuildFileParser

/// The first line is a path, the rest an ignore file.
///
/// Walking down with each directory's verdict must come to what the definition says, with and without pruning, and
/// to what matching naively says.
func fuzzIgnore(_ input: [UInt8]) {
    let end = input.firstIndex(of: UInt8(ascii: "\n")) ?? input.endIndex
    let path = Array(input[..<end])
    let file = Array(input[min(end + 1, input.count)...])
    let rules: IgnoreRules
    do throws(Diagnostic) {
        rules = try IgnoreRules(parsing: file)
    } catch {
        _ = DiagnosticRenderer(fileName: ".dockerignore", source: file, color: false).render(error)
        return
    }
    guard !path.isEmpty, path.count <= 200, !path.contains(0),
        path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy({ !$0.isEmpty })
    else { return }
    let verdict = rules.verdict(for: path)
    checkWalk(rules, path, verdict)
    // The definition tries every way: more stars than these would take it too long.
    guard file.count <= 64, path.count <= 24, file.count(where: { $0 == UInt8(ascii: "*") }) <= 8 else { return }
    guard let naive = NaiveIgnore(file) else { return }
    let expected = naive.isIgnored(path)
    require(verdict.ignored == expected, "the verdict is \(verdict.ignored), by the definition \(expected)")
}

private func checkWalk(_ rules: IgnoreRules, _ path: [UInt8], _ verdict: IgnoreRules.Verdict) {
    var parent = IgnoreRules.Verdict.included
    var isPruned = false
    for index in path.indices where path[index] == UInt8(ascii: "/") {
        let directory = Array(path[..<index])
        parent = rules.verdict(for: directory, parent: parent)
        if parent.ignored, !rules.mayContainExceptions(below: directory, ignoredBy: parent) { isPruned = true }
    }
    require(rules.verdict(for: path, parent: parent) == verdict, "walking comes to something else")
    require(!isPruned || verdict.ignored, "a directory is not entered, but the path is not left out")
}
