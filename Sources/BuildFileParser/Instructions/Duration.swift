/// The nanoseconds of a duration as Go writes it: `1h30m`, `1.5s`, `500ms`, `-2s`, `0`.
///
/// The grammar is that of Go's `time.ParseDuration`. A number without a unit, other than zero, is none.
func parseDuration(_ text: String) -> Int64? {
    var bytes = Array(text.utf8)[...]
    let isNegative = bytes.first == .dash
    if isNegative || bytes.first == UInt8(ascii: "+") { bytes.removeFirst() }
    if bytes.elementsEqual([UInt8(ascii: "0")]) { return 0 }
    guard !bytes.isEmpty else { return nil }
    var total: UInt64 = 0
    while !bytes.isEmpty {
        guard let part = takeDurationPart(&bytes) else { return nil }
        let (sum, overflow) = total.addingReportingOverflow(part)
        guard !overflow, sum <= UInt64(Int64.max) else { return nil }
        total = sum
    }
    return isNegative ? -Int64(total) : Int64(total)
}

private func takeDurationPart(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
    let whole = takeDigits(&bytes)
    var fraction: ArraySlice<UInt8> = []
    if bytes.first == UInt8(ascii: ".") {
        bytes.removeFirst()
        fraction = takeDigits(&bytes)
    }
    guard !whole.isEmpty || !fraction.isEmpty else { return nil }
    let name = bytes.prefix { !$0.isASCIIDigit && $0 != UInt8(ascii: ".") }
    bytes = bytes.dropFirst(name.count)
    guard let unit = nanoseconds(of: name.text) else { return nil }

    var value: UInt64 = 0
    for digit in whole {
        let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
        guard !overflow, tens <= UInt64(Int64.max) else { return nil }
        value = tens + UInt64(digit - UInt8(ascii: "0"))
    }
    let (product, overflow) = value.multipliedReportingOverflow(by: unit)
    guard !overflow else { return nil }
    return product.addingReportingOverflow(scaled(fraction, by: unit)).partialValue
}

/// The fraction `0.digits` of `unit`; digits that make less than a nanosecond of any unit are left out.
private func scaled(_ digits: ArraySlice<UInt8>, by unit: UInt64) -> UInt64 {
    var numerator: UInt64 = 0
    var denominator: UInt64 = 1
    for digit in digits.prefix(16) {
        numerator = numerator * 10 + UInt64(digit - UInt8(ascii: "0"))
        denominator *= 10
    }
    return denominator.dividingFullWidth(numerator.multipliedFullWidth(by: unit)).quotient
}

private func takeDigits(_ bytes: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let digits = bytes.prefix { $0.isASCIIDigit }
    bytes = bytes.dropFirst(digits.count)
    return digits
}

private func nanoseconds(of unit: String) -> UInt64? {
    switch unit {
    case "ns": 1
    case "us", "\u{B5}s", "\u{3BC}s": 1000
    case "ms": 1_000_000
    case "s": 1_000_000_000
    case "m": 60_000_000_000
    case "h": 3_600_000_000_000
    default: nil
    }
}
