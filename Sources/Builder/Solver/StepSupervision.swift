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

extension StepRunner {
    /// What stands for the kernel where that refuses a step in a user namespace what it allows to root.
    func ownershipSupervisor(
        _ user: UserDatabase.Identity,
        on chain: [DiffID],
        _ plan: SandboxPlan
    ) throws -> OwnershipSupervisor? {
        guard store.form.devices == .placeholders else { return nil }
        let groups = ([user.gid] + user.supplementaryGroups).uniqued()
        var scope = OwnershipSupervisor.Scope(
            marksOwners: store.form.marksOwners,
            makesDevices: plan.capabilities.contains(.mknod),
            showsDevices: try chain.contains { try environment.deviceLayers.hasDevices($0, in: store) },
            credentials: Credentials(uid: user.uid, gid: user.gid, supplementaryGroups: groups)
        )
        scope.noNewPrivileges = plan.noNewPrivileges
        return OwnershipSupervisor(scope, marks: .ofLayers)
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
