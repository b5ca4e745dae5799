/// A normalised path in a root file system.
///
/// It has no leading or trailing slash, no empty component, no `.` and no `..`; the empty path is the root. Names are
/// bytes: whatever a file system allows is kept as it is.
public struct ContainerPath: Sendable, Hashable {
    /// The path's bytes, without a leading slash.
    public let bytes: [UInt8]

    /// How long no path can be that is given to the kernel: `PATH_MAX`.
    static let tooLong = 4096

    /// The root directory.
    public static let root = ContainerPath(clean: [])

    /// Normalises `path`; a `..` that would leave the root stays at the root.
    public init(cleaning path: some Sequence<UInt8>) {
        self.init(clean: Self.append(path, to: []))
    }

    /// Normalises `text`.
    public init(_ text: String) {
        self.init(cleaning: text.utf8)
    }

    /// Takes bytes that are known to be normalised.
    init(clean bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Takes bytes that somebody says are normalised; `nil` where they are not, or there is a zero among them.
    init?(ifClean bytes: [UInt8]) {
        guard bytes.withUnsafeBufferPointer(Self.isClean) else { return nil }
        self.bytes = bytes
    }

    private static func isClean(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        var (length, dots) = (0, 0)  // of the component
        func isName() -> Bool { length > 0 && !(length == dots && dots <= 2) }
        for byte in bytes {
            switch byte {
            case 0: return false
            case UInt8(ascii: "/"):
                guard isName() else { return false }
                (length, dots) = (0, 0)
            default:
                length += 1
                if byte == UInt8(ascii: ".") { dots += 1 }
            }
        }
        return bytes.isEmpty || isName()
    }

    /// The path of `name` in the directory `parent`; `name` is one component, as a directory lists it.
    init(parent: ContainerPath, name: some Collection<UInt8>) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(parent.bytes.count + 1 + name.count)
        bytes.append(contentsOf: parent.bytes)
        if !bytes.isEmpty { bytes.append(UInt8(ascii: "/")) }
        bytes.append(contentsOf: name)
        self.bytes = bytes
    }

    /// Whether this is the root.
    public var isRoot: Bool { bytes.isEmpty }

    /// The names from the root down.
    public var components: [ArraySlice<UInt8>] {
        bytes.split(separator: UInt8(ascii: "/"))
    }

    /// The last component; empty for the root.
    public var name: ArraySlice<UInt8> {
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return bytes[...] }
        return bytes[(slash + 1)...]
    }

    /// The directory that this is in; `nil` for the root.
    public var parent: ContainerPath? {
        guard !isRoot else { return nil }
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return .root }
        return ContainerPath(clean: Array(bytes[..<slash]))
    }

    /// The directories above this one, the nearest first, the root last.
    var ancestors: some Sequence<ContainerPath> {
        sequence(state: self) { current in
            guard let parent = current.parent else { return nil }
            current = parent
            return parent
        }
    }

    /// This path with `relative` behind it, normalised; a `..` leads upwards, but not out of the root.
    public func appending(_ relative: some Sequence<UInt8>) -> ContainerPath {
        ContainerPath(clean: Self.append(relative, to: bytes))
    }

    /// The path of `name` in this directory; `name` is one component, as a directory lists it.
    public func child(_ name: [UInt8]) -> ContainerPath { ContainerPath(parent: self, name: name) }

    /// The path of `name` in this directory; `name` is one component, as a directory lists it.
    public func child(_ name: UnsafeRawBufferPointer) -> ContainerPath {
        let above = isRoot ? 0 : bytes.count + 1
        return ContainerPath(
            clean: [UInt8](unsafeUninitializedCapacity: above + name.count) { buffer, count in
                let path = UnsafeMutableRawBufferPointer(buffer)
                path.copyBytes(from: bytes)
                if above > 0 { path[above - 1] = UInt8(ascii: "/") }
                UnsafeMutableRawBufferPointer(rebasing: path[above...]).copyMemory(from: name)
                count = above + name.count
            }
        )
    }

    /// This path with all of `other` behind it.
    public func appending(_ other: ContainerPath) -> ContainerPath {
        if isRoot { return other }
        return other.isRoot ? self : ContainerPath(parent: self, name: other.bytes)
    }

    /// The rest of this path, which is `ancestor` or beneath it.
    public func dropping(_ ancestor: ContainerPath) -> ContainerPath {
        if ancestor.isRoot { return self }
        return ContainerPath(clean: Array(bytes.dropFirst(ancestor.bytes.count + 1)))
    }

    /// Whether `other` is somewhere beneath this directory; a path is no ancestor of itself.
    public func isAncestor(of other: ContainerPath) -> Bool {
        if isRoot { return !other.isRoot }
        return other.bytes.count > bytes.count && other.bytes[bytes.count] == UInt8(ascii: "/")
            && other.bytes.starts(with: bytes)
    }

    private static func append(_ path: some Sequence<UInt8>, to start: [UInt8]) -> [UInt8] {
        append(Array(path)[...], to: start)
    }

    /// Of one concrete type: a generic one would not be specialised for callers in other modules.
    private static func append(_ path: ArraySlice<UInt8>, to start: [UInt8]) -> [UInt8] {
        let (slash, dot) = (UInt8(ascii: "/"), UInt8(ascii: "."))
        var result = start
        result.reserveCapacity(start.count + 1 + path.count)
        var rest = path
        while true {
            let end = rest.firstIndex(of: slash) ?? rest.endIndex
            let component = rest[..<end]
            let isUp = component.count == 2 && component.first == dot && component.last == dot
            if isUp {
                result.removeSubrange((result.lastIndex(of: slash) ?? 0)...)
            } else if !component.isEmpty, component.count > 1 || component.first != dot {
                if !result.isEmpty { result.append(slash) }
                result.append(contentsOf: component)
            }
            guard end < rest.endIndex else { return result }
            rest = rest[(end + 1)...]
        }
    }
}

extension ContainerPath: Comparable {
    /// Compares the bytes.
    public static func < (left: Self, right: Self) -> Bool {
        left.bytes.withUnsafeBytes { left in
            right.bytes.withUnsafeBytes { right in compareBytes(left, right) < 0 }
        }
    }
}

extension ContainerPath: CustomStringConvertible {
    /// The absolute path as text; bytes that are no UTF-8 are replaced.
    public var description: String { "/" + String(decoding: bytes, as: UTF8.self) }
}
