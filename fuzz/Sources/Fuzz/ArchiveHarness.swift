import Glibc
import LayerDiff
import SystemPackage

/// An archive as ADD unpacks it, with what libarchive decompresses: contents in numbered files, names in a model.
func fuzzArchive(_ input: [UInt8]) {
    let bytes = blob(input)
    withScratch { path in
        withFile(bytes) { file in
            let owned = OwnedDescriptor(owning: dup(file.rawValue), path: "archive")
            let limits = LayerLimits(maxEntries: mostLayerEntries, maxBytes: mostLayerBytes)
            guard let scratch = try? Directory(path: path) else { return require(false, "no scratch directory") }
            do throws(LayerError) {
                let archive = try Archive.extract(owned, into: scratch, limits: limits)
                require(try Archive.isArchive(owned) || archive.entries.isEmpty, "entries of what is no archive")
                check(archive)
            } catch {
                require(!error.description.isEmpty, "an error says nothing")
            }
        }
    }
}

private func check(_ archive: ExtractedArchive) {
    let paths = archive.entries.map(\.entry.path)
    for (index, path) in paths.enumerated() {
        require(index == 0 || paths[index - 1] < path, "the entries are not in order")
        guard let parent = path.parent, !parent.isRoot else { continue }
        require(paths.contains(parent), "\(path) has no parent directory")
    }
    let isListed = archive.impliedDirectories.allSatisfy { paths.contains($0) }
    require(isListed, "an implied directory is not among the entries")
}

/// Calls `body` with an empty directory and removes it: the files in it have numbers as names.
private func withScratch(_ body: (String) -> Void) {
    var template = Array("/tmp/swbuild-fuzz-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { return require(false, "no directory: \(errno)") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    body(path)
    for number in 0...(mostLayerEntries + 1) { unlink("\(path)/\(number)") }
    require(rmdir(path) == 0, "something else than numbered files in the scratch directory")
}
