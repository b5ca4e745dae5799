import Testing

@testable import LayerDiff

@Suite struct PatternSearchTests {
    /// The first pattern, found the slow way.
    private func naive(_ patterns: [[UInt8]], in bytes: [UInt8]) -> (pattern: Int, offset: Int)? {
        for offset in bytes.indices {
            for (index, pattern) in patterns.enumerated() where pattern.count >= PatternSearch.shortestPattern {
                if bytes[offset...].starts(with: pattern) { return (index, offset) }
            }
        }
        return nil
    }

    /// Few different bytes, so that almost-matches and overlaps abound.
    private func random(_ count: Int, of alphabet: UInt8, _ dice: inout Dice) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0..<alphabet, using: &dice) }
    }

    private func pieces(_ bytes: [UInt8], _ dice: inout Dice) -> [ArraySlice<UInt8>] {
        var result: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = min(rest.count, Int.random(in: 1...40, using: &dice))
            result.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        return result
    }

    @Test(arguments: [2, 3, 200] as [UInt8])
    func findsWhatTheSlowWayFinds(alphabet: UInt8) throws {
        var dice = Dice(seed: UInt64(alphabet))
        var hits = 0
        for _ in 0..<400 {
            var bytes = random(Int.random(in: 0...300, using: &dice), of: alphabet, &dice)
            let patterns = (0..<Int.random(in: 1...5, using: &dice)).map { _ in
                random(Int.random(in: 5...40, using: &dice), of: alphabet, &dice)
            }
            if let pattern = patterns.last, Bool.random(using: &dice) {
                bytes.insert(contentsOf: pattern, at: Int.random(in: 0...bytes.count, using: &dice))
            }
            guard let search = PatternSearch(patterns) else {
                #expect(patterns.allSatisfy { $0.count < PatternSearch.shortestPattern })
                continue
            }
            let expected = naive(patterns, in: bytes)
            if expected != nil { hits += 1 }
            let found = search.firstMatch(in: bytes)
            #expect(found?.pattern == expected?.pattern && found?.offset == expected?.offset)
            var stream = StreamSearch(search)
            for piece in pieces(bytes, &dice) { piece.withUnsafeBytes { stream.add($0) } }
            // Of a stream, the first that is complete may begin behind one that is longer.
            #expect((stream.found == nil) == (expected == nil))
            if let found = stream.found {
                #expect(bytes[Int(found.offset)...].starts(with: patterns[found.pattern]))
            }
        }
        #expect(hits > 100)
    }

    @Test(arguments: [1, 2, 7, 8, 100, 4095, 4096, 4097])
    func findsOnePatternWhereverAStreamIsCut(size: Int) throws {
        let pattern = Array("a secret that must not be here".utf8)
        let search = try #require(PatternSearch([pattern]))
        for place in [0, 1, size - 1, size, 5000] {
            let bytes = [UInt8](repeating: 0x61, count: place) + pattern + [UInt8](repeating: 0x20, count: 300)
            var stream = StreamSearch(search)
            for start in stride(from: 0, to: bytes.count, by: size) {
                bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { stream.add($0) }
            }
            #expect(stream.found?.offset == Int64(place))
        }
    }

    @Test func looksForTheBeginningOfLongPatterns() throws {
        let pattern = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 >> 8) }
        let search = try #require(PatternSearch([pattern]))
        #expect(search.firstMatch(in: Array(pattern.prefix(PatternSearch.longestPattern)))?.offset == 0)
        #expect(search.firstMatch(in: Array(pattern.prefix(PatternSearch.longestPattern - 1))) == nil)
    }

    @Test func leavesOutShortPatterns() throws {
        #expect(PatternSearch([]) == nil)
        #expect(PatternSearch([Array("1234567".utf8)]) == nil)
        let search = try #require(PatternSearch([Array("1234567".utf8), Array("12345678".utf8)]))
        #expect(search.firstMatch(in: Array("x12345678".utf8))?.pattern == 1)
        #expect(search.firstMatch(in: Array("x1234567".utf8)) == nil)
    }

    // MARK: In layers

    private func match(_ entries: [LayerEntry], _ text: String = "open sesame") throws -> LayerMatch? {
        let scratch = try Scratch()
        let search = try #require(PatternSearch([Array(text.utf8)]))
        let found = try scratch.file("blob") { file in
            let pending = try LayerWriter.begin(entries, blob: file, search: search)
            _ = try pending.finish()
            return pending.match
        }
        // The same layer, read again.
        let directory = try Directory(path: scratch.path)
        let read = try LayerReader.firstMatch(of: search, in: directory.openFile(ContainerPath("blob")))
        #expect(read == found)
        return found
    }

    private func file(_ path: String, _ bytes: [UInt8], attributes: [ExtendedAttribute] = []) -> LayerEntry {
        let entry = TreeEntry(
            path: ContainerPath(path),
            kind: .file(size: Int64(bytes.count)),
            mode: 0o644,
            uid: 0,
            gid: 0,
            modified: 0,
            attributes: attributes
        )
        return LayerEntry(entry: entry, content: bytes.isEmpty ? .none : .bytes(bytes))
    }

    @Test(arguments: [0, 1000, 262_000, 262_140, 700_000])
    func namesTheFile(before: Int) throws {
        let large = [UInt8](repeating: 0x2E, count: before) + Array("open sesame".utf8)
        let found = try match([file("a", Array("open".utf8)), file("b", large), file("c", Array(" sesame".utf8))])
        #expect(found?.path == ContainerPath("b") && found?.part == .content)
    }

    @Test func namesTheOtherPlaces() throws {
        let attribute = ExtendedAttribute("user.note", "open sesame")
        #expect(try match([file("a", [1], attributes: [attribute])])?.part == .attributeValue(name: attribute.name))
        #expect(try match([file("dir/open sesame", [])])?.part == .name)
        let long = String(repeating: "d/", count: 80) + "open sesame/" + String(repeating: "e", count: 90)
        #expect(try match([file(long, [])])?.part == .name)
        let link = TreeEntry(
            path: ContainerPath("l"),
            kind: .symlink(target: Array("/x/open sesame".utf8)),
            mode: 0o777,
            uid: 0,
            gid: 0,
            modified: 0
        )
        #expect(try match([LayerEntry(entry: link)])?.part == .linkTarget)
        #expect(try match([file("a", Array("open sesam".utf8))]) == nil)
    }
}
