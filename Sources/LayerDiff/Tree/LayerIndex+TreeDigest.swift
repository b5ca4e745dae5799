import OCI

extension LayerIndex {
    /// A digest over paths, kinds, modes, owners, extended attributes, sizes, link targets and device numbers.
    ///
    /// Times and contents are not in it: two layers that differ in it are different trees; two that agree may still
    /// differ in contents.
    public func treeDigest() -> Digest {
        var fields = DigestFields()
        fields.add("swbuild layer tree 1".utf8)
        fields.add(UInt64(entries.count))
        for entry in entries {
            fields.add(entry.path.bytes)
            fields.add(entry.kind)
            fields.add(UInt64(entry.mode))
            fields.add(UInt64(entry.uid))
            fields.add(UInt64(entry.gid))
            fields.add(UInt64(entry.attributes.count))
            for attribute in entry.attributes {
                fields.add(attribute.name)
                fields.add(attribute.value)
            }
        }
        return fields.finish()
    }
}

/// Fields on their way into a digest, each with its length before it, so that no two lists of fields run together.
private struct DigestFields {
    private var hasher = Digest.Hasher()
    private var pending: [UInt8] = []

    mutating func add(_ bytes: some Collection<UInt8>) {
        add(UInt64(bytes.count))
        pending.append(contentsOf: bytes)
        if pending.count >= 64 << 10 { flush() }
    }

    mutating func add(_ number: UInt64) {
        withUnsafeBytes(of: number.littleEndian) { pending.append(contentsOf: $0) }
    }

    mutating func add(_ kind: TreeEntry.Kind) {
        switch kind {
        case .file(let size):
            add("file".utf8)
            add(UInt64(bitPattern: size))
        case .directory(let opaque): add(opaque ? "opaque directory".utf8 : "directory".utf8)
        case .symlink(let target):
            add("symlink".utf8)
            add(target)
        case .hardLink(let target):
            add("hard link".utf8)
            add(target.bytes)
        case .characterDevice(let major, let minor):
            add("character device".utf8)
            add(UInt64(major) << 32 | UInt64(minor))
        case .blockDevice(let major, let minor):
            add("block device".utf8)
            add(UInt64(major) << 32 | UInt64(minor))
        case .fifo: add("fifo".utf8)
        case .whiteout: add("whiteout".utf8)
        }
    }

    private mutating func flush() {
        hasher.update(pending)
        pending.removeAll(keepingCapacity: true)
    }

    consuming func finish() -> Digest {
        flush()
        return hasher.finalize()
    }
}
