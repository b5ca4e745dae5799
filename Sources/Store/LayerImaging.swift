import Glibc
import LayerDiff
import OCI
import Synchronization

/// Whether an overlay in a step's sandbox can have the first path as its lower directory; the second is an empty
/// directory to try it in.
public typealias LowerTrial = @Sendable (_ lower: String, _ directory: String) -> Bool

/// Whether layers are unpacked as EROFS images: that is tried once after each start of the machine.
final class LayerImaging: Sendable {
    /// Where it is kept what came of trying.
    private let record: String
    private let tryLower: LowerTrial?
    private let answer = Mutex<Bool?>(nil)
    private let boot = Mutex<String?>(nil)

    init(record: String, tryLower: LowerTrial?) {
        self.record = record
        self.tryLower = tryLower
    }

    /// Whether images are of use; what is not known is tried in a directory of `work`.
    func isPossible(work: WorkDirectory) -> Bool {
        guard let tryLower, !bootName.isEmpty else { return false }
        return answer.withLock { answer in
            if let known = answer { return known }
            let found = kept() ?? attempt(tryLower, work)
            answer = found
            return found
        }
    }

    /// Notes that an image could not be mounted after all.
    func giveUp() {
        answer.withLock { $0 = false }
    }

    /// A name for the time since the machine started; empty where it has none.
    var bootName: String {
        boot.withLock { boot in
            if let known = boot { return known }
            let bytes = (try? HostFile.read("/proc/sys/kernel/random/boot_id", limit: 64)) ?? []
            let name = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
            boot = name
            return name
        }
    }

    private func kept() -> Bool? {
        guard let bytes = try? HostFile.read(record, limit: 256) else { return nil }
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard words.count == 2, words[0] == bootName else { return nil }
        return words[1] == "yes"
    }

    private func attempt(_ tryLower: LowerTrial, _ work: WorkDirectory) -> Bool {
        guard let directory = try? work.makeDirectory("trial") else { return false }
        defer { removeTree(directory) }
        var isPossible = false
        if let file = try? LayerImaging.makeFile(work.unique("image")), (try? ErofsMount.writeEmptyImage(file)) != nil,
            let mount = try? ErofsMount(file)
        {
            isPossible = withExtendedLifetime(mount) { tryLower(mount.path, directory) }
        }
        try? HostFile.write(Array("\(bootName) \(isPossible ? "yes" : "no")".utf8), to: record)
        return isPossible
    }

    /// Makes an empty file for an image.
    static func makeFile(_ path: String) throws(HostFileError) -> OwnedDescriptor {
        let raw = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw HostFileError("create", path, code: errno) }
        return OwnedDescriptor(owning: raw, path: path)
    }
}

/// Where an unpacked layer's files are.
enum LayerPlace: Sendable {
    case directory(String)
    case image(ErofsMount)

    var path: String {
        switch self {
        case .directory(let path): path
        case .image(let mount): mount.path
        }
    }
}

/// A layer's files, in a directory or an image of a work directory.
struct UnpackedLayer: Sendable {
    let path: String
    /// The image, mounted; `nil` for a directory.
    let mount: ErofsMount?
}
