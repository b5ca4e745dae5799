import CShims
import Glibc
import SystemPackage

/// A named value that hangs on a file.
public struct ExtendedAttribute: Sendable, Hashable {
    /// The name with its namespace: `user.comment`, `security.capability`.
    public let name: [UInt8]
    /// The value's bytes.
    public let value: [UInt8]

    /// Collects a name and a value.
    public init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }

    /// Collects a name and a value, both given as text.
    public init(_ name: String, _ value: String) {
        self.init(name: Array(name.utf8), value: Array(value.utf8))
    }

    /// Whether an attribute of this name belongs to the file rather than to the machine that the file is on.
    ///
    /// `trusted.` and `user.overlay.` are overlayfs's own, `user.swbuild.` are this program's; labels and measurements
    /// of the host's security modules and the access lists under `system.` mean nothing elsewhere.
    static func isPortable(_ name: [UInt8]) -> Bool {
        for prefix in ["trusted.", "user.overlay.", DeviceMark.ownPrefix, "system."]
        where name.starts(with: prefix.utf8) { return false }
        for other in ["security.selinux", "security.ima", "security.evm"] where name.elementsEqual(other.utf8) {
            return false
        }
        return true
    }
}

extension ExtendedAttribute {
    /// Whether it is for a security module of the host's: user namespaces may set file capabilities alone.
    var isOfSecurityModule: Bool {
        name.starts(with: "security.".utf8) && !name.elementsEqual("security.capability".utf8)
    }
}

extension Directory {
    /// All the extended attributes of what `path` stands for, in byte order of the names; no symlink is followed.
    /// - Throws: ``FileError`` when it does not exist or the system refuses.
    public func extendedAttributes(_ path: ContainerPath) throws(FileError) -> [ExtendedAttribute] {
        guard let parent = path.parent else { return try extendedAttributes(named: []) }
        if parent.isRoot { return try extendedAttributes(named: path.bytes) }
        return try directory(parent).extendedAttributes(named: Array(path.name))
    }

    /// The attributes of `name` in this very directory; of the directory itself for the empty name.
    func extendedAttributes(named name: [UInt8]) throws(FileError) -> [ExtendedAttribute] {
        // Most files have none, and the way by procfs is a longer path to walk for each.
        let length = withCString(name.isEmpty ? [UInt8(ascii: ".")] : name) {
            cshims_attribute_list_length(rawDescriptor, $0)
        }
        if length == 0 { return [] }
        let path = attributePath(name)
        var list = try readGrowing(path, "list the extended attributes of") { cshims_llistxattr($0, $1, $2) }
        guard !list.isEmpty else { return [] }
        if list.last == 0 { list.removeLast() }
        let names = list.split(separator: 0, omittingEmptySubsequences: true).map(Array.init).sorted(by: precedes)
        var attributes: [ExtendedAttribute] = []
        for name in names {
            let value = try readGrowing(path, "read an extended attribute of") { path, buffer, size in
                withCString(name) { cshims_lgetxattr(path, $0, buffer, size) }
            }
            attributes.append(ExtendedAttribute(name: name, value: value))
        }
        return attributes
    }

    /// Sets an attribute of `name` in this very directory; of the directory itself for the empty name.
    func setExtendedAttribute(_ attribute: ExtendedAttribute, on name: [UInt8]) throws(FileError) {
        let result = withCString(attributePath(name)) { path in
            withCString(attribute.name) { attributeName in
                attribute.value.withUnsafeBytes { cshims_lsetxattr(path, attributeName, $0.baseAddress, $0.count) }
            }
        }
        guard result == 0 else {
            let operation = "set the extended attribute \(text(attribute.name)) of"
            throw FileError(operation, display(ContainerPath(clean: name)), negated: Int(result))
        }
    }

    /// Removes an attribute of `name` in this very directory; of the directory itself for the empty name.
    func removeExtendedAttribute(_ attribute: [UInt8], from name: [UInt8]) throws(FileError) {
        let result = withCString(attributePath(name)) { path in
            withCString(attribute) { cshims_lremovexattr(path, $0) }
        }
        guard result == 0 else {
            let operation = "remove the extended attribute \(text(attribute)) of"
            throw FileError(operation, display(ContainerPath(clean: name)), negated: Int(result))
        }
    }

    /// A path that reaches `name` in this directory, whatever its kind and mode.
    ///
    /// The calls for extended attributes take no directory descriptor before Linux 6.13, and a descriptor of a
    /// symlink or device cannot be had without O_PATH, which they refuse; procfs leads there all the same.
    private func attributePath(_ name: [UInt8]) -> [UInt8] {
        Array("/proc/self/fd/\(rawDescriptor)/".utf8) + (name.isEmpty ? [UInt8(ascii: ".")] : name)
    }

    /// Calls `read` with a buffer that grows until the answer fits.
    private func readGrowing(
        _ path: [UInt8],
        _ operation: String,
        _ read: (UnsafePointer<CChar>, UnsafeMutableRawPointer?, Int) -> Int
    ) throws(FileError) -> [UInt8] {
        // The kernel allows at most 64 KiB for a list of names and for a value: XATTR_LIST_MAX, XATTR_SIZE_MAX.
        for capacity in [512, 64 << 10] {
            var result = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                result = withCString(path) { read($0, buffer.baseAddress, capacity) }
                count = max(result, 0)
            }
            if result >= 0 { return bytes }
            if result == -Int(ENOTSUP) || result == -Int(ENODATA) { return [] }
            if result != -Int(ERANGE) {
                throw FileError(
                    operation,
                    place + "/" + text(path.split(separator: UInt8(ascii: "/")).last ?? []),
                    negated: result
                )
            }
        }
        throw FileError(operation, place, negated: -Int(E2BIG))
    }
}
