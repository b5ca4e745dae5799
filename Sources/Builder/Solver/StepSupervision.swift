import Exec
import LayerDiff
import OCI
import Store
import Synchronization

/// Which layers have device nodes.
final class DeviceLayers: Sendable {
    private let layersWithDevices = Mutex<[DiffID: Bool]>([:])

    /// Whether a layer has device nodes that a step could see: what is below `/dev` is hidden.
    func hasDevices(_ diffID: DiffID, in store: Store) throws -> Bool {
        if let known = layersWithDevices.withLock({ $0[diffID] }) { return known }
        let found = try store.index(of: diffID).entries.contains { entry in
            switch entry.kind {
            case .characterDevice, .blockDevice: !entry.path.bytes.starts(with: "dev/".utf8)
            case .file, .directory, .symlink, .hardLink, .fifo, .whiteout: false
            }
        }
        layersWithDevices.withLock { $0[diffID] = found }
        return found
    }
}

/// The symbolic links and pipes of layers that are not root's: where owners are marks, these have none.
final class OwnedLinks: Sendable {
    private let known = Mutex<[DiffID: [TreeEntry]]>([:])

    /// Their owners, by inode, where layers are stacked as these directories, the topmost first.
    func owners(_ chain: [DiffID], in directories: [String], _ store: Store) throws -> [UInt64: FileOwner] {
        let entries = try chain.flatMap { try links(of: $0, in: store) }
        guard !entries.isEmpty else { return [:] }
        let places = try directories.map { path throws in try Directory(path: path) }
        let stack = try store.stack(chain)
        var owners: [UInt64: FileOwner] = [:]
        for path in entries.map(\.path) {
            // A higher layer may have put something else there, or nothing.
            guard let entry = stack.lookup(path)?.entry, Self.isOwnedLink(entry) else { continue }
            for place in places {
                guard let status = try place.status(path) else { continue }
                owners[status.inode] = FileOwner(uid: entry.uid, gid: entry.gid)
                break
            }
        }
        return owners
    }

    private func links(of diffID: DiffID, in store: Store) throws -> [TreeEntry] {
        if let links = known.withLock({ $0[diffID] }) { return links }
        let links = try store.index(of: diffID).entries.filter(Self.isOwnedLink)
        known.withLock { $0[diffID] = links }
        return links
    }

    private static func isOwnedLink(_ entry: TreeEntry) -> Bool {
        switch entry.kind {
        case .symlink, .fifo: entry.uid != 0 || entry.gid != 0
        case .file, .directory, .hardLink, .characterDevice, .blockDevice, .whiteout: false
        }
    }
}

/// The layers that a step or a container stands on, as far as its supervisor has to know them.
struct SupervisedLayers {
    let store: Store
    let chain: [DiffID]
    let devices: DeviceLayers
    let links: OwnedLinks
}

extension OwnershipSupervisor {
    /// What stands for the kernel where that refuses a process in a user namespace what it allows to root.
    ///
    /// `credentials` are those that the process would have; the plan's may be others.
    static func standIn(
        for plan: SandboxPlan,
        as credentials: Credentials,
        on layers: SupervisedLayers
    ) throws -> OwnershipSupervisor? {
        let store = layers.store
        guard store.form.devices == .placeholders else { return nil }
        var scope = OwnershipSupervisor.Scope(
            marksOwners: store.form.marksOwners,
            makesDevices: plan.capabilities.contains(.mknod),
            showsDevices: try layers.chain.contains { try layers.devices.hasDevices($0, in: store) },
            credentials: credentials
        )
        scope.noNewPrivileges = plan.noNewPrivileges
        scope.upperDirectory = plan.root.upperDirectory
        if scope.marksOwners {
            scope.linkOwners = try layers.links.owners(layers.chain, in: plan.root.lowerDirectories, store)
        }
        return OwnershipSupervisor(scope, marks: .ofLayers)
    }
}

extension StepOwners.Record {
    /// What the supervisor recorded.
    init(_ link: LinkOwner) {
        self.init(owner: OwnerMark.Owner(uid: link.owner.uid, gid: link.owner.gid), identity: link.identity)
    }
}

extension FileMarks {
    /// The marks from which layers are made.
    fileprivate static let ofLayers = FileMarks(
        device: { device in
            let kind: TreeEntry.Kind =
                device.isBlockDevice
                ? .blockDevice(major: device.major, minor: device.minor)
                : .characterDevice(major: device.major, minor: device.minor)
            return Mark(name: DeviceMark.name, value: DeviceMark.attribute(for: kind)?.value ?? [])
        },
        readDevice: { value in
            switch DeviceMark.kind(of: value) {
            case .characterDevice(let major, let minor):
                Device(isBlockDevice: false, major: major, minor: minor)
            case .blockDevice(let major, let minor): Device(isBlockDevice: true, major: major, minor: minor)
            default: nil
            }
        },
        owner: { owner in
            let owner = OwnerMark.Owner(uid: owner.uid, gid: owner.gid)
            return Mark(name: OwnerMark.name, value: OwnerMark.attribute(for: owner).value)
        },
        readOwner: { value in OwnerMark.owner(of: value).map { FileOwner(uid: $0.uid, gid: $0.gid) } }
    )
}
