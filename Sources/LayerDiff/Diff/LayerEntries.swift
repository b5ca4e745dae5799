/// Makes the entries of a layer when they are asked for.
///
/// An entry has some hundred and fifty bytes, and its paths have as many again. Who knows its files by less makes an
/// entry when it is written.
public protocol LayerEntrySource: Sendable {
    /// How many entries there are.
    var count: Int { get }

    /// The entry with this number; asked for by several threads, and more than once.
    func entry(_ number: Int) -> LayerEntry

    /// The length of an entry that is a regular file with a content in a file; `nil` for others.
    func fileSize(_ number: Int) -> Int64?
}

/// The entries of a layer that is to be written, in byte order of their paths.
public struct LayerEntries: Sendable, RandomAccessCollection {
    private enum Storage: Sendable {
        case list([LayerEntry])
        case source(any LayerEntrySource)
    }

    private let storage: Storage

    /// The number behind the last one.
    public let endIndex: Int

    /// Takes a list.
    public init(_ entries: [LayerEntry]) {
        storage = .list(entries)
        endIndex = entries.count
    }

    /// Takes entries that are made when they are asked for.
    public init(from source: any LayerEntrySource) {
        storage = .source(source)
        endIndex = source.count
    }

    /// The number of the first one.
    public var startIndex: Int { 0 }

    /// The entry with this number.
    public subscript(number: Int) -> LayerEntry {
        switch storage {
        case .list(let entries): entries[number]
        case .source(let source): source.entry(number)
        }
    }

    /// The length of an entry that is a regular file with a content in a file; `nil` for others.
    func fileSize(_ number: Int) -> Int64? {
        switch storage {
        case .list(let entries):
            guard case .file(let size) = entries[number].entry.kind, case .file = entries[number].content else {
                return nil
            }
            return size
        case .source(let source): return source.fileSize(number)
        }
    }
}
