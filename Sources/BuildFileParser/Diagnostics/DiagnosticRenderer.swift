/// Turns a diagnostic into text: the place, the message, the lines of the file with the place underlined, the notes.
///
/// What comes from the file is made safe for a terminal: control characters are shown as U+FFFD.
public struct DiagnosticRenderer: Sendable {
    private static let tabWidth = 4
    /// Lines of the file that one diagnostic shows, and up to how many are underlined.
    private static let lineLimit = 20
    private static let underlinedLines = 3
    /// Columns of a line that are shown, and how many of them before the underlined place where the line is longer.
    private static let widthLimit = 160
    private static let context = 60

    private let fileName: String
    private let source: [UInt8]
    private let color: Bool

    /// Renders diagnostics of the file with that name and content, in colour where wanted.
    public init(fileName: String, source: [UInt8], color: Bool) {
        self.fileName = fileName
        self.source = source
        self.color = color
    }

    /// The diagnostic as lines of text, each with a line end.
    public func render(_ diagnostic: Diagnostic) -> String {
        var place = Self.safe(fileName)
        if let start = diagnostic.range?.start { place += ":\(start.line):\(start.column)" }
        var result = "\(place): \(styled("error", "31;1")): \(Self.safe(diagnostic.message))\n"
        if let range = diagnostic.range { result += excerpt(range) }
        for note in diagnostic.notes { result += "\(styled("note", "36;1")): \(Self.safe(note))\n" }
        return result
    }

    private func styled(_ text: String, _ style: String) -> String {
        color ? "\u{1B}[\(style)m\(text)\u{1B}[0m" : text
    }

    private func excerpt(_ range: SourceRange) -> String {
        let lines = sourceLines(range.start.line...max(range.start.line, range.end.line))
        let gutter = lines.last.map { "\($0.number)".utf8.count } ?? 0
        var result = ""
        // Of a long instruction all is meant: carets would only hide it.
        let isUnderlined = lines.count <= Self.underlinedLines
        for line in lines {
            let first = line.number == range.start.line ? range.start.column : 1
            let last = line.number == range.end.line ? range.end.column : Int.max
            let number = "\(line.number)"
            let margin = String(repeating: " ", count: gutter + 2)
            let shown = Excerpt(line.bytes, from: first, to: last)
            result +=
                String(repeating: " ", count: gutter - number.utf8.count)
                + " \(number) \(isUnderlined ? "|" : ">") \(shown.text)\n"
            if isUnderlined { result += "\(margin)| \(styled(shown.underline, "32;1"))\n" }
        }
        if lines.count == Self.lineLimit, let last = lines.last, last.number < range.end.line {
            result += "\(String(repeating: " ", count: gutter + 2))| …\n"
        }
        return result
    }

    private func sourceLines(_ wanted: ClosedRange<Int>) -> [(number: Int, bytes: ArraySlice<UInt8>)] {
        var lines: [(number: Int, bytes: ArraySlice<UInt8>)] = []
        var reader = LineReader(source)
        while lines.count < Self.lineLimit, let line = reader.next(), line.number <= wanted.upperBound {
            if line.number >= wanted.lowerBound { lines.append((line.number, source[line.content])) }
        }
        return lines
    }

    private static func safe(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "\u{FFFD}" : $0 }))
    }

    /// C0 and C1 controls, and the marks that turn the direction of writing.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// A line as it is shown, and the carets below it.
    private struct Excerpt {
        var text = ""
        var underline = ""

        init(_ bytes: ArraySlice<UInt8>, from first: Int, to last: Int) {
            var cells: [(scalar: Unicode.Scalar, width: Int, marked: Bool)] = []
            let bytes = Array(bytes)
            var index = 0
            var width = 0
            while index < bytes.count {
                let marked = index + 1 >= first && index + 1 < last
                let decoded = DecodedScalar(in: bytes, at: index, before: bytes.count)
                let scalar = Unicode.Scalar(decoded.value) ?? "\u{FFFD}"
                index += decoded.width
                if scalar == "\t" {
                    let blanks = tabWidth - width % tabWidth
                    for _ in 0..<blanks { cells.append((" ", 1, marked)) }
                    width += blanks
                } else {
                    let shown = isControl(scalar) ? "\u{FFFD}" : scalar
                    cells.append((shown, displayWidth(of: shown), marked))
                    width += displayWidth(of: shown)
                }
            }
            if !cells.contains(where: \.marked) { cells.append((" ", 1, true)) }
            let start = cells.firstIndex(where: \.marked) ?? 0
            let isLong = cells.count > widthLimit
            let skipped = isLong && start > widthLimit - context ? start - context : 0
            for cell in cells[skipped...].prefix(widthLimit) {
                text.unicodeScalars.append(cell.scalar)
                underline += String(repeating: cell.marked ? "^" : " ", count: cell.width)
            }
            if skipped > 0 {
                text = "…" + text
                underline = " " + underline
            }
            if cells.count - skipped > widthLimit { text += "…" }
            while text.unicodeScalars.last == " " { text.unicodeScalars.removeLast() }
            while underline.utf8.last == .space { underline.removeLast() }
        }
    }

    /// The columns that a terminal gives to a character: two for wide ones, none for combining ones.
    private static func displayWidth(of scalar: Unicode.Scalar) -> Int {
        switch scalar.value {
        case 0..<0x300: return 1
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF,
            0x20000...0x3FFFD:
            return 2
        default:
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .enclosingMark, .format: return 0
            default: return 1
            }
        }
    }
}
