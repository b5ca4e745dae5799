import Glibc
import SystemPackage
import Testing

@testable import Exec

/// Networks of steps, with scripts in the place of the helpers.
@Suite struct NetworkTests {
    @Test func stepsOfOneNamespaceSeeOneAnothersNothing() throws {
        let root = try TestRoot()
        let namespace = try NetworkNamespace()
        func plan(_ script: String, _ namespace: NetworkNamespace) throws -> SandboxPlan {
            try root.plan(script).with { $0.network = .joined(namespace) }
        }
        let script = "readlink /proc/self/ns/net"
        let first = try plan(script, namespace).output()
        #expect(try plan(script, namespace).output() == first)
        #expect(try plan(script, NetworkNamespace()).output() != first)
        // A port on which there were connections is free again.
        let server = "echo | nc -l -p 7000 > /dev/null & until echo | nc 127.0.0.1 7000 > /dev/null; do :; done; wait"
        for _ in 0..<2 { _ = try plan(server, namespace).output() }
    }

    @Test func namesOfHelpersAreLookedUpInThePath() throws {
        let root = try TestRoot()
        try root.makeDirectory("one")
        try root.makeDirectory("two")
        try script("exit 0", at: "one/pasta", in: root)
        try script("exit 0", at: "two/slirp4netns", in: root)
        try root.write("", to: "one/slirp4netns")
        let found = NetworkHelper.all(searchPath: "relative:\(root.path("one")):\(root.path("two"))")
        #expect(found.map(\.path) == [root.path("two/slirp4netns"), root.path("one/pasta")])
        #expect(NetworkHelper.all(searchPath: "/absent").isEmpty)
    }

    @Test func helpersLeaveTheLoopbackInterfaceAlone() {
        let surroundings = NetworkHelper.Surroundings(hasIPv6: true, isInitialRoot: true)
        let slirp = NetworkHelper(kind: .slirp4netns, path: "/s").arguments(surroundings)
        #expect(slirp.contains("--disable-host-loopback"))
        #expect(slirp.contains("--enable-sandbox"))
        #expect(slirp.contains("--enable-seccomp"))
        #expect(slirp.contains("--enable-ipv6"))
        let pasta = NetworkHelper(kind: .pasta, path: "/p").arguments(surroundings)
        #expect(pasta.contains("--no-map-gw"))
        for flag in ["-t", "-u", "-T", "-U"] {
            let place = pasta.firstIndex(of: flag) ?? 0
            #expect(pasta[place...].prefix(2) == [flag, "none"])
        }
        let other = NetworkHelper.Surroundings(hasIPv6: false, isInitialRoot: false)
        #expect(!NetworkHelper(kind: .slirp4netns, path: "/s").arguments(other).contains("--enable-ipv6"))
        #expect(!NetworkHelper(kind: .pasta, path: "/p").arguments(other).contains("--runas"))
    }

    @Test func readsTheMachinesTables() {
        let zero = String(repeating: "0", count: 32)
        let local = "fd000000000000000000000000000000 40 \(zero) 00 \(zero) 00000100 1 0 1 eth0\n"
        let none = "\(zero) 00 \(zero) 00 \(zero) ffffffff 1 0 00200200 lo\n"
        let whole = "\(zero) 00 \(zero) 00 \(zero) 00000400 1 0 3 eth0\n"
        #expect(!NetworkHelper.Surroundings.hasDefaultRoute(""))
        #expect(!NetworkHelper.Surroundings.hasDefaultRoute(local + none))
        #expect(NetworkHelper.Surroundings.hasDefaultRoute(local + whole + none))
    }

    @Test(arguments: [NetworkHelper.Kind.slirp4netns, .pasta])
    func aHelperIsStartedOnceAndWhenItIsNeeded(kind: NetworkHelper.Kind) throws {
        let root = try TestRoot()
        let ready = kind == .slirp4netns ? "echo 1 >&4; exec sleep 1000" : "sleep 1000 & exit 0"
        try script("echo started >> \(root.path("log")); \(ready)", at: kind.rawValue, in: root)
        let helper = NetworkHelper(kind: kind, path: root.path(kind.rawValue))
        let way = try WayOut(helpers: [helper], cancellation: Cancellation())
        func run(_ script: String) throws {
            let supervision = try CallFilters().supervision(by: [way])
            let plan = try root.plan(script).with { $0.network = .joined(way.namespace) }
            #expect(try plan.run(Cancellation(), supervision).status == .exited(0))
        }
        try run("true")
        #expect(!way.isOpen)
        #expect(root.read("log") == nil)
        try run("ifconfig lo")
        #expect(way.isOpen)
        try run("ifconfig lo; ifconfig lo")
        #expect(root.read("log") == "started\n")
        #expect(way.failures.isEmpty)
    }

    @Test func aHelperThatDoesNotComeUpIsFollowedByTheNext() throws {
        let root = try TestRoot()
        try script("echo no device >&2; exit 3", at: "slirp4netns", in: root)
        try script("sleep 1000 & exit 0", at: "pasta", in: root)
        let helpers = NetworkHelper.all(searchPath: root.directory)
        let way = try WayOut(helpers: helpers, cancellation: Cancellation())
        way.open()
        #expect(way.isOpen)
        let other = try WayOut(helpers: Array(helpers.prefix(1)), cancellation: Cancellation())
        other.open()
        #expect(!other.isOpen)
        #expect(other.failures == [.ended("slirp4netns", .exited(3), "no device")])
        #expect("\(other.failures)" == "[slirp4netns ended with status 3: no device]")
    }

    @Test func withoutAHelperASocketIsASocket() throws {
        let root = try TestRoot()
        let way = try WayOut(helpers: [], cancellation: Cancellation())
        let plan = try root.plan("ifconfig lo | grep -c RUNNING").with { $0.network = .joined(way.namespace) }
        let ran = try plan.run(Cancellation(), CallFilters().supervision(by: [way]))
        #expect(ran.output == "1\n")
        #expect(way.failures == [.missing])
    }

    @Test func aHelperEndsWithItsValue() throws {
        let root = try TestRoot()
        // What went into the background is found, too: a shell that is there when the first one ends.
        try script("(sleep 1001; true) & exit 0", at: "pasta", in: root)
        let helper = NetworkHelper(kind: .pasta, path: root.path("pasta"))
        var way: WayOut? = try WayOut(helpers: [helper], cancellation: Cancellation())
        way?.open()
        #expect(way?.isOpen == true)
        let before = processes(of: helper.path)
        #expect(!before.isEmpty)
        way = nil
        #expect(processes(of: helper.path).isEmpty)
    }

    /// The processes that execute a script.
    private func processes(of script: String) -> [String] {
        TestRoot.names(in: "/proc").filter { TestRoot.read("/proc/\($0)/cmdline")?.contains(script) == true }
    }

    private func script(_ text: String, at path: String, in root: TestRoot) throws {
        try root.write("#!/bin/sh\n\(text)\n", to: path)
        try #require(chmod(root.path(path), 0o755) == 0)
    }
}
