import Glibc

/// Negative, zero or positive, as `left` comes before, with or after `right` in byte order.
func compareBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    if let leftStart = left.baseAddress, let rightStart = right.baseAddress {
        let order = memcmp(leftStart, rightStart, min(left.count, right.count))
        if order != 0 { return Int(order) }
    }
    return left.count - right.count
}

/// Whether `left` comes before `right` in byte order.
func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.withUnsafeBytes { left in right.withUnsafeBytes { compareBytes(left, $0) < 0 } }
}

extension [UInt8] {
    /// `withUnsafeBytes` for bodies with a typed error, which the standard library's does not keep.
    func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let result = withUnsafeBytes { bytes in
            Result { () throws(Failure) in try body(bytes) }
        }
        return try result.get()
    }
}

extension Array {
    /// The first index whose element does not come before what is sought, in an array sorted that way.
    func partitionPoint(_ comesBefore: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if comesBefore(self[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// Text for a message: the bytes as UTF-8, those that are none replaced.
func text(_ bytes: some Collection<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
}

extension UnsafeRawBufferPointer {
    /// Whether all the bytes are zero.
    var isZero: Bool {
        guard let start = baseAddress, let first else { return true }
        // All bytes equal the one before, and the first one is zero.
        return first == 0 && memcmp(start, start + 1, count - 1) == 0
    }
}
