import Testing

@testable import Exec

/// A plan as a list of operations, without running any.
@Suite struct OperationsTests {
    private let plan = SandboxPlan(
        root: .init(lowerDirectories: ["/l2", "/l1"], upperDirectory: "/u", workDirectory: "/w"),
        mounts: [
            .init(target: "/a", kind: .bind(source: "/context", relative: "x/../y", readOnly: true, recursive: true)),
            .init(target: "/t", kind: .tmpfs(size: nil, mode: 0o755)),
        ],
        hostname: "h",
        workingDirectory: "/work",
        arguments: ["true"]
    )

    @Test func putsTheMountsAfterTheKernelsFileSystemsAndBeforeTheChangeOfRoot() throws {
        let texts = plan.operations.map(\.description)
        let order = [
            "make the mounts of the sandbox private", "mount the staging area over /w", "mount proc at /proc",
            "hide /proc/kcore", "make /proc/sys read-only", "mount the root over 2 layers",
            "mount /context/x/../y at /a", "mount tmpfs at /t",
            "change to the step's root", "enter /work",
        ]
        let positions = try order.map { text in try #require(texts.firstIndex(of: text), "\(text)") }
        #expect(positions == positions.sorted())
    }

    @Test func preparesWhatNoLayerDecides() {
        let other = plan.with {
            $0.root = .init(lowerDirectories: ["/x"], upperDirectory: "/y", workDirectory: "/w")
            $0.mounts = []
            $0.hostname = "i"
            $0.workingDirectory = "/"
            $0.arguments = ["false"]
        }
        #expect(plan.preparation == other.preparation)
        #expect(plan.operations.starts(with: plan.preparation))
        #expect(plan.operations != other.operations)
    }

    @Test func bringsLoopbackUpOnlyInANetworkOfItsOwn() {
        #expect(plan.operations.contains(.loopbackUp))
        #expect(!plan.with { $0.network = .host }.operations.contains(.loopbackUp))
    }

    @Test func leavesOutTheTerminalGroupWhereItIsNotMapped() {
        func terminalOptions(_ plan: SandboxPlan) -> [String] {
            plan.operations.flatMap { operation -> [String] in
                guard case .fileSystem(let fileSystem) = operation, fileSystem.type == "devpts" else { return [] }
                return fileSystem.options.map(\.key)
            }
        }
        #expect(terminalOptions(plan).contains("gid"))
        let mapped = plan.with { $0.idMaps = IDMaps(users: [], groups: [.init(inside: 0, outside: 9, count: 1)]) }
        #expect(!terminalOptions(mapped).contains("gid"))
    }

    @Test(
        arguments: [
            ("", nil), ("/", nil), ("./.", nil), ("a", "a"), ("/a//b/./c/", "a/b/c"), ("../a", "../a"), ("...", "..."),
        ] as [(String, String?)]
    )
    func normalizesPaths(path: String, expected: String?) {
        #expect(ContainerPath.normalized(path) == expected)
    }

    @Test func mapsIDs() {
        let map: [IDMaps.Range] = [
            .init(inside: 0, outside: 1000, count: 1), .init(inside: 1, outside: 100_000, count: 65536),
        ]
        #expect(map.mapText == "0 1000 1\n1 100000 65536\n")
        #expect([0, 1, 65536, 65537].map { map.outside($0) } == [1000, 100_000, 165_535, nil])
    }

    @Test(
        arguments: [(0, Exec.ExitStatus.exited(0)), (0x700, .exited(7)), (9, .signaled(9)), (0x8b, .signaled(11))]
            as [(Int32, Exec.ExitStatus)]
    )
    func readsWaitStatuses(status: Int32, expected: Exec.ExitStatus) {
        #expect(Exec.ExitStatus(waitStatus: status) == expected)
    }
}
