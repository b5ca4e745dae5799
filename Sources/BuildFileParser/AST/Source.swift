/// A place in a build file.
///
/// Lines and columns count from 1; a column counts UTF-8 bytes.
public struct SourcePosition: Sendable, Hashable, Comparable {
    /// Counts from 1.
    public var line: Int
    /// Counts from 1, in bytes; a byte order mark does not count.
    public var column: Int

    /// Makes a place.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// The order of places in the file.
    public static func < (left: Self, right: Self) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// The text from `start` up to, and without, `end`.
public struct SourceRange: Sendable, Hashable {
    /// The first byte.
    public var start: SourcePosition
    /// The place after the last byte, on that byte's line.
    public var end: SourcePosition

    /// Makes a range.
    public init(start: SourcePosition, end: SourcePosition) {
        self.start = start
        self.end = end
    }
}

/// A value with the place that it was read from.
public struct Located<Value: Sendable & Hashable>: Sendable, Hashable {
    /// The value.
    public var value: Value
    /// Its place.
    public var range: SourceRange

    /// Joins a value and its place.
    public init(_ value: Value, at range: SourceRange) {
        self.value = value
        self.range = range
    }
}
