/// Writes tars entry by entry, hostile ones too: a second opinion beside the one in the product.
struct Tar {
    var bytes: [UInt8] = []

    struct Member {
        var name: [UInt8]
        var type: Character = "0"
        var link: [UInt8] = []
        var mode = 0o644
        var uid = 0
        var gid = 0
        var modified = 1000
        var content: [UInt8] = []
        /// The size that the header claims, if not the content's.
        var size: Int?
        var device = (major: 0, minor: 0)
        var pax: [(key: String, value: [UInt8])] = []

        init(_ name: String, _ type: Character = "0", link: String = "", content: String = "") {
            self.name = Array(name.utf8)
            self.type = type
            self.link = Array(link.utf8)
            self.content = Array(content.utf8)
            if type == "5" { mode = 0o755 }
        }
    }

    init(_ members: [Member] = [], isEnded: Bool = true) {
        for member in members { add(member) }
        if isEnded { bytes += [UInt8](repeating: 0, count: 1024) }
    }

    mutating func add(_ member: Member) {
        if !member.pax.isEmpty {
            var records: [UInt8] = []
            for (key, value) in member.pax {
                let rest = key.utf8.count + value.count + 3
                var length = rest
                while "\(length)".utf8.count + rest != length { length += 1 }
                records += Array("\(length) \(key)=".utf8) + value + [10]
            }
            var extended = Member("pax", "x")
            extended.content = records
            add(extended)
        }
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ value: [UInt8], _ offset: Int) {
            for (index, byte) in value.prefix(100).enumerated() { block[offset + index] = byte }
        }
        func octal(_ number: Int, _ digits: Int) -> [UInt8] {
            let text = String(number, radix: 8)
            return Array((String(repeating: "0", count: max(0, digits - text.count)) + text).utf8)
        }
        put(member.name, 0)
        put(octal(member.mode, 7), 100)
        put(octal(member.uid, 7), 108)
        put(octal(member.gid, 7), 116)
        put(octal(member.size ?? member.content.count, 11), 124)
        put(octal(member.modified, 11), 136)
        put([UInt8](repeating: 32, count: 8), 148)
        put(Array(String(member.type).utf8), 156)
        put(member.link, 157)
        put(Array("ustar".utf8) + [0, 0x30, 0x30], 257)
        put(octal(member.device.major, 7), 329)
        put(octal(member.device.minor, 7), 337)
        put(octal(block.reduce(0) { $0 + Int($1) }, 6) + [0, 32], 148)
        bytes += block + member.content
        bytes += [UInt8](repeating: 0, count: (512 - member.content.count % 512) % 512)
    }
}
