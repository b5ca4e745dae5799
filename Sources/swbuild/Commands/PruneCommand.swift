import ArgumentParser
import Builder
import Glibc
import OCI
import Store

struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Frees what nothing uses: untagged images, unused cache and cache mounts, layers and logs."
    )

    @OptionGroup var global: GlobalOptions

    @Flag(name: .shortAndLong, help: "Also drops the whole step cache and the cache mounts: only tagged images stay.")
    var all = false

    @Option(name: .long, help: "Keeps cache entries and cache mounts that were used within this many hours.")
    var keepHours: Int = 168

    @Option(
        name: .long,
        help: "What to look at: type=exec.cachemount, type=regular, id=ID of a cache mount, or until=AGE, such as 24h."
    )
    var filter: [String] = []

    @Option(name: .long, help: "Also drops the cache mounts used longest ago until the others take no more: 10g, say.")
    var cacheMountSpace: String?

    func validate() throws {
        guard (0...876_000).contains(keepHours) else {
            throw ValidationError("--keep-hours \(keepHours): expected a number of hours, at most 876000")
        }
    }

    func run() async throws {
        try await reporting {
            let filters = try PruneFilters(parsing: filter)
            let space = try cacheMountSpace.map { text in
                guard let size = ByteSize.parse(text), size <= UInt64(Int64.max) else {
                    throw MalformedOption(option: "--cache-mount-space", value: text, expected: "a size, such as 10g")
                }
                return Int64(size)
            }
            let store = try global.openStore()
            // An age that was asked for holds with --all as well.
            let kept = filters.age ?? (all ? nil : Int64(keepHours) * 3600)
            var freed: Int64 = 0
            if filters.takesMounts {
                let selection = CacheMountSelection(
                    ids: filters.ids,
                    unusedSince: kept.map { Int64(time(nil)) - $0 },
                    mostBytes: kept == nil ? nil : space
                )
                freed += try store.pruneCacheMounts(selection)
            }
            if filters.takesRest { freed += try store.prune(keepingSeconds: kept) }
            try Console.print("freed \(Table.size(freed))")
        }
    }
}

/// The values of `prune --filter`.
struct PruneFilters {
    private(set) var takesMounts = true
    private(set) var takesRest = true
    /// The ids of cache mounts; `nil` for all.
    private(set) var ids: [String]?
    /// In seconds.
    private(set) var age: Int64?

    init(parsing texts: [String]) throws(MalformedOption) {
        for text in texts {
            func failure(_ expected: String) -> MalformedOption {
                MalformedOption(option: "--filter", value: text, expected: expected)
            }
            let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            switch (pair[0], pair.count > 1 ? pair[1] : "") {
            case ("type", "exec.cachemount"): takesRest = false
            case ("type", "regular"): takesMounts = false
            case ("type", _): throw failure("type=exec.cachemount or type=regular")
            case ("id", let id) where !id.isEmpty:
                ids = (ids ?? []) + [id]
                takesRest = false
            case ("until", let text):
                guard let seconds = Self.seconds(text) else { throw failure("an age such as until=24h, 90m or 7d") }
                age = seconds
            default: throw failure("type=exec.cachemount, type=regular, id=ID or until=AGE")
            }
        }
        guard takesMounts || takesRest else {
            throw MalformedOption(
                option: "--filter",
                value: texts.joined(separator: " --filter "),
                expected: "filters that something matches: cache mounts are not type=regular"
            )
        }
    }

    /// `1d12h`, `90m`, `30s`.
    static func seconds(_ text: String) -> Int64? {
        var total: Int64 = 0
        var number: Int64?
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let (tens, overflow) = (number ?? 0).multipliedReportingOverflow(by: 10)
                guard !overflow, tens < 1_000_000_000 else { return nil }
                number = tens + Int64(byte - UInt8(ascii: "0"))
            default:
                let units: [UInt8: Int64] = [
                    UInt8(ascii: "s"): 1, UInt8(ascii: "m"): 60, UInt8(ascii: "h"): 3600, UInt8(ascii: "d"): 86400,
                ]
                guard let count = number, let unit = units[byte] else { return nil }
                total += count * unit
                number = nil
            }
        }
        return text.isEmpty || number != nil ? nil : total
    }
}
