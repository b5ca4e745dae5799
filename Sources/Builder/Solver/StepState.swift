import Dispatch
import LayerDiff
import OCI
import Store
import Synchronization

/// Where a finished step stands.
struct StepState: Sendable {
    /// The layers up to this step, lowest first.
    var chain: [DiffID]
    var chainID: ChainID?
    /// When the step's layer was made, in seconds since the epoch; `nil` for base images.
    var created: Int64?
    var isCached: Bool
    var seconds: Double
    /// What the step's command used; `nil` where none ran.
    var usage: StepUsage?

    /// What a base image or scratch gives.
    static func base(_ chain: [DiffID]) -> StepState {
        StepState(chain: chain, chainID: ChainID(chain), created: nil, isCached: true, seconds: 0)
    }

    /// This with one layer more.
    func appending(_ diffID: DiffID, created: Int64, isCached: Bool, seconds: Double) -> StepState {
        StepState(
            chain: chain + [diffID],
            chainID: ChainID(appending: diffID, to: chainID),
            created: created,
            isCached: isCached,
            seconds: seconds
        )
    }
}

/// The layers whose compression still runs: steps that need such a layer's blob wait for it.
final class LayersInFlight: Sendable {
    private let groups = Mutex<[DiffID: DispatchGroup]>([:])

    func begin(_ diffID: DiffID) {
        groups.withLock { groups in
            let group = groups[diffID] ?? DispatchGroup()
            group.enter()
            groups[diffID] = group
        }
    }

    func end(_ diffID: DiffID) {
        groups.withLock { groups in groups[diffID]?.leave() }
    }

    func wait(for chain: [DiffID]) {
        for diffID in chain { groups.withLock { $0[diffID] }?.wait() }
    }
}
