/// The shortest path that leads to the same place: no empty, `.` or inner `..` names and no slash at the end.
///
/// That is Go's `filepath.Clean`; nothing at all becomes `.`.
func cleanedPath(_ path: ArraySlice<UInt8>) -> [UInt8] {
    let isAbsolute = path.first == .slash
    var names: [ArraySlice<UInt8>] = []
    let dot = UInt8(ascii: ".")
    for name in path.split(separator: .slash) where !name.elementsEqual([dot]) {
        if name.elementsEqual([dot, dot]) {
            if let last = names.last, !last.elementsEqual([dot, dot]) {
                names.removeLast()
            } else if !isAbsolute {
                names.append(name)
            }
        } else {
            names.append(name)
        }
    }
    let joined = Array(names.joined(separator: [.slash]))
    if isAbsolute { return [.slash] + joined }
    return joined.isEmpty ? [dot] : joined
}
