import CSQLite
import Synchronization

/// A failed statement of the cache database.
public struct DatabaseError: Error, Sendable, CustomStringConvertible {
    /// The database's file.
    public let path: String
    /// SQLite's own words.
    public let message: String

    /// One sentence: which database, what SQLite says, what to do.
    public var description: String {
        "the cache database \(path) cannot be used: \(message); "
            + "free disk space if it is full, else remove the file (the cache begins anew, images stay)"
    }
}

/// A value that a statement takes or gives.
enum DatabaseValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])

    var integer: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    var real: Double? {
        guard case .real(let value) = self else { return nil }
        return value
    }

    var text: String? {
        guard case .text(let value) = self else { return nil }
        return value
    }

    var blob: [UInt8]? {
        guard case .blob(let value) = self else { return nil }
        return value
    }
}

/// One connection to an SQLite file, used by one thread at a time.
///
/// SQLite's own API rather than an ORM: the cache has four small tables, and a plain rebuild must not pay for more.
final class Database: Sendable {
    let path: String
    private let connection: Mutex<Connection>

    /// Opens or creates the file, and its tables as `schema` says.
    init(path: String, schema: String) throws {
        self.path = path
        var handle: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(code))
            sqlite3_close(handle)
            throw DatabaseError(path: path, message: message)
        }
        connection = Mutex(Connection(handle: handle, path: path))
        sqlite3_busy_timeout(handle, 60_000)
        try script("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + schema)
    }

    deinit {
        connection.withLock { connection in
            connection.forgetStatements()
            _ = sqlite3_close(connection.handle)
        }
    }

    /// Runs statements that give nothing.
    func script(_ text: String) throws {
        try connection.withLock { connection in
            guard sqlite3_exec(connection.handle, text, nil, nil, nil) == SQLITE_OK else { throw connection.failure() }
        }
    }

    /// Runs one statement and gives its rows, at most `limit`.
    @discardableResult
    func query(_ text: String, _ values: [DatabaseValue] = [], limit: Int = 1 << 20) throws -> [[DatabaseValue]] {
        try connection.withLock { connection in try connection.query(text, values, limit: limit) }
    }

    /// Runs several statements as one transaction.
    func transaction(_ statements: [(text: String, values: [DatabaseValue])]) throws {
        try connection.withLock { connection in
            _ = try connection.query("BEGIN IMMEDIATE", [], limit: 0)
            do {
                for statement in statements { _ = try connection.query(statement.text, statement.values, limit: 0) }
                _ = try connection.query("COMMIT", [], limit: 0)
            } catch {
                _ = try? connection.query("ROLLBACK", [], limit: 0)
                throw error
            }
        }
    }
}

/// The handle, reached only under the mutex of ``Database``: SQLite connections move between threads freely so.
private struct Connection: @unchecked Sendable {
    let handle: OpaquePointer
    let path: String
    /// Compiled statements by their text: a build asks the same questions for each of its steps.
    private var statements: [String: OpaquePointer] = [:]

    init(handle: OpaquePointer, path: String) {
        self.handle = handle
        self.path = path
    }

    mutating func forgetStatements() {
        for statement in statements.values { sqlite3_finalize(statement) }
        statements = [:]
    }

    private mutating func statement(_ text: String) throws -> OpaquePointer {
        if let statement = statements[text] { return statement }
        var statement: OpaquePointer?
        guard sqlite3_prepare_v2(handle, text, -1, &statement, nil) == SQLITE_OK, let statement else { throw failure() }
        statements[text] = statement
        return statement
    }

    func failure() -> DatabaseError {
        DatabaseError(path: path, message: String(cString: sqlite3_errmsg(handle)))
    }

    mutating func query(_ text: String, _ values: [DatabaseValue], limit: Int) throws -> [[DatabaseValue]] {
        let statement = try statement(text)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        for (index, value) in values.enumerated() {
            guard bind(value, to: statement, at: Int32(index + 1)) == SQLITE_OK else { throw failure() }
        }
        var rows: [[DatabaseValue]] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_DONE: return rows
            case SQLITE_ROW:
                guard rows.count < limit else { return rows }
                rows.append((0..<sqlite3_column_count(statement)).map { column(statement, $0) })
            default: throw failure()
            }
        }
    }

    private func bind(_ value: DatabaseValue, to statement: OpaquePointer, at index: Int32) -> Int32 {
        // SQLITE_TRANSIENT: SQLite copies the bytes before the call returns.
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        switch value {
        case .null: return sqlite3_bind_null(statement, index)
        case .integer(let number): return sqlite3_bind_int64(statement, index, number)
        case .real(let number): return sqlite3_bind_double(statement, index, number)
        case .text(let text): return sqlite3_bind_text(statement, index, text, -1, transient)
        case .blob(let bytes):
            return bytes.withUnsafeBytes { buffer in
                sqlite3_bind_blob(statement, index, buffer.baseAddress ?? nil, Int32(buffer.count), transient)
            }
        }
    }

    private func column(_ statement: OpaquePointer, _ index: Int32) -> DatabaseValue {
        switch sqlite3_column_type(statement, index) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, index))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(statement, index))
        case SQLITE_TEXT:
            guard let text = sqlite3_column_text(statement, index) else { return .null }
            return .text(String(cString: text))
        case SQLITE_BLOB:
            guard let bytes = sqlite3_column_blob(statement, index) else { return .blob([]) }
            let count = Int(sqlite3_column_bytes(statement, index))
            return .blob(Array(UnsafeRawBufferPointer(start: bytes, count: count)))
        default: return .null
        }
    }
}
