import Glibc
import LayerDiff
import OCI
import Store
import Synchronization

/// The directories and files that a RUN needs, made in advance where somebody has the time: creating one takes a file
/// system longer than the calls that use it.
final class StepPlaces: Sendable {
    private let work: WorkDirectory
    private let ready = Mutex<[Place]>([])
    /// More are not kept: there is no use for more than run at a time.
    private static let most = 16

    /// Where one step writes.
    struct Place: Sendable {
        /// The upper directory of its root.
        var upper: String
        /// What overlay wants for itself.
        var scratch: String
        /// The blob of its layer.
        var blob: BlobFile
    }

    init(work: WorkDirectory) { self.work = work }

    /// Makes the place of a step to come; what fails here fails again with the step, and is told then.
    func prepare() {
        guard ready.withLock({ $0.count < Self.most }), let place = try? make() else { return }
        ready.withLock { $0.append(place) }
    }

    /// A place that is ready, or a new one.
    func take() throws -> Place {
        if let known = ready.withLock({ $0.popLast() }) { return known }
        return try make()
    }

    private func make() throws -> Place {
        Place(
            upper: try work.makeDirectory("upper"),
            scratch: try work.makeDirectory("work", mode: 0o700),
            blob: try BlobFile(in: work)
        )
    }
}

/// An empty file in the work directory, for a blob that is going to have its place in the store.
struct BlobFile: Sendable {
    let path: String
    let file: OwnedDescriptor

    init(in work: WorkDirectory) throws(HostFileError) {
        path = work.unique("blob")
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw HostFileError("create", path, code: errno) }
        file = OwnedDescriptor(owning: descriptor, path: path)
    }
}
