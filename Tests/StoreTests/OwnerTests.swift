import Glibc
import Testing

@testable import Store

@Suite struct OwnerTests {
    let scratch: StoreScratch

    init() throws { scratch = try StoreScratch() }

    private func open(_ owner: StoreOwner) throws { _ = try Store(root: scratch.root, owner: owner) }

    @Test func theSameIDsAreTheSameOwner() throws {
        try open(.userNamespace("a") { _ in false })
        try open(.userNamespace("a") { _ in false })
        #expect(throws: ForeignStore.self) { try open(.userNamespace("b") { _ in false }) }
        #expect(throws: ForeignStore.self) { try open(.machine) }
    }

    @Test func compatibleIDsTakeOver() throws {
        try open(.userNamespace("a") { _ in false })
        try open(.userNamespace("ab") { $0 == "a" })
        #expect(throws: ForeignStore.self) { try open(.userNamespace("a") { _ in false }) }
    }

    @Test func rootsDirectoryIsRoots() throws {
        try open(.machine)
        try open(.machine)
        #expect(throws: ForeignStore.self) { try open(.userNamespace("a") { _ in false }) }
    }

    @Test func aDirectoryFromBeforeIsRoots() throws {
        try open(.machine)
        #expect(unlink("\(scratch.root)/ids") == 0)
        #expect(throws: ForeignStore.self) { try open(.userNamespace("a") { _ in true }) }
        try open(.machine)
    }
}
