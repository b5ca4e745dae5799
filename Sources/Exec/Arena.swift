/// Memory for the C structs of one spawn; all of it is given back together.
final class Arena {
    private var blocks: [UnsafeMutableRawPointer] = []

    /// Whether one of the texts has a NUL byte in it: C would see the part before it only.
    private(set) var hasTruncatedText = false

    deinit {
        for block in blocks { block.deallocate() }
    }

    private func allocate<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: max(1, count * MemoryLayout<Element>.stride),
            alignment: MemoryLayout<Element>.alignment
        )
        blocks.append(block)
        return block.bindMemory(to: type, capacity: count)
    }

    /// A copy of trivial values.
    func copy<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
        let memory = allocate(Element.self, count: elements.count)
        memory.initialize(from: elements, count: elements.count)
        return memory
    }

    /// A C string.
    func string(_ text: String) -> UnsafeMutablePointer<CChar> {
        if text.utf8.contains(0) { hasTruncatedText = true }
        return copy(text.utf8.map { CChar(bitPattern: $0) } + [0])
    }

    /// An array of C strings that ends with a null pointer.
    func strings(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
        let memory = allocate(UnsafeMutablePointer<CChar>?.self, count: texts.count + 1)
        for (index, text) in texts.enumerated() {
            (memory + index).initialize(to: string(text))
        }
        (memory + texts.count).initialize(to: nil)
        return memory
    }

    /// An array of C strings for C code that does not change them, nil as a null pointer, and one more at the end.
    func constantStrings(_ texts: [String?]) -> UnsafeMutablePointer<UnsafePointer<CChar>?> {
        let memory = allocate(UnsafePointer<CChar>?.self, count: texts.count + 1)
        for (index, text) in texts.enumerated() {
            (memory + index).initialize(to: text.map { UnsafePointer(string($0)) })
        }
        (memory + texts.count).initialize(to: nil)
        return memory
    }
}
