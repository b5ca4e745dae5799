import Builder

/// Tables of text for a reader.
enum Table {
    /// Columns padded to their widest value; the last one is not.
    static func text(header: [String], rows: [[String]]) -> String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            row.enumerated().map { column, value in
                column == row.count - 1
                    ? value : value + String(repeating: " ", count: widths[column] - value.count + 2)
            }.joined()
        }.joined(separator: "\n")
    }

    /// Bytes in a unit that people read: powers of 1000.
    static func size(_ bytes: Int64) -> String { ByteCount.text(bytes) }
}
