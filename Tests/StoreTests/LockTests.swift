import Glibc
import OCI
import Testing

@testable import Store

@Suite struct LockTests {
    let scratch: StoreScratch
    let store: Store

    init() throws {
        scratch = try StoreScratch()
        store = try scratch.store()
    }

    @Test func twoLocksOfOneProcessExcludeEachOther() throws {
        let path = "\(scratch.path)/lock"
        var first: FileLock? = try FileLock.take(ifFree: path)
        #expect(first != nil)
        #expect(try FileLock.take(ifFree: path) == nil)
        first = nil
        #expect(try FileLock.take(ifFree: path) != nil)
    }

    @Test func namesAreLocksOfTheirOwn() throws {
        let held = try store.lock("../a")
        try withExtendedLifetime(held) {
            #expect(try store.lockIfFree("../a") == nil)
            #expect(try scratch.store().lockIfFree("../a") == nil)
            #expect(try store.lockIfFree("../b") != nil)
        }
        #expect(try scratch.names("").contains("a") == false)
    }

    @Test func waitersGetTheLockOneAfterAnother() async throws {
        let path = "\(scratch.path)/lock"
        let counter = "\(scratch.path)/counter"
        try HostFile.write(Array("0".utf8), to: counter)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<50 {
                        let lock = try FileLock.wait(for: path)
                        try withExtendedLifetime(lock) {
                            let text = String(decoding: try HostFile.read(counter, limit: 10), as: UTF8.self)
                            try HostFile.write(Array("\((Int(text) ?? 0) + 1)".utf8), to: counter)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try scratch.text(counter) == "200")
    }

    /// Whoever removes a lock's file while others wait for it must not leave them with a lock that nobody else sees.
    @Test func aLockWhoseFileWasRemovedIsTakenAgain() async throws {
        let path = "\(scratch.path)/lock"
        var first: FileLock? = try FileLock.wait(for: path)
        #expect(first != nil)
        let waiter = Task.detached { try FileLock.wait(for: path) }
        while try !scratch.text("/proc/locks").contains("->") { sched_yield() }
        unlink(path)
        first = nil
        let second = try await waiter.value
        try withExtendedLifetime(second) { #expect(try FileLock.take(ifFree: path) == nil) }
    }

    @Test func errorsNameTheFile() {
        let error = #expect(throws: HostFileError.self) { try FileLock.wait(for: "\(scratch.path)/none/lock") }
        #expect(error?.description.contains("\(scratch.path)/none/lock") == true)
    }
}

@Suite struct WorkDirectoryTests {
    let scratch: StoreScratch

    init() throws { scratch = try StoreScratch() }

    @Test func goesWithItsOwner() throws {
        let store = try scratch.store()
        var work: WorkDirectory? = try store.makeWorkDirectory()
        let directory = try #require(try work?.makeDirectory("x", mode: 0o700))
        try HostFile.write([1], to: "\(directory)/file")
        symlink("/etc", "\(directory)/link")
        #expect(try scratch.names("tmp").count == 2)
        work = nil
        #expect(try scratch.names("tmp") == [])
        #expect(HostFile.exists("/etc/passwd"), "links are not followed")
    }

    @Test func thoseOfDeadBuildsAreRemovedAndThoseOfLivingOnesAreNot() throws {
        let store = try scratch.store()
        let work = try store.makeWorkDirectory()
        try HostFile.createDirectories("\(scratch.root)/tmp/1-2/deep/er")
        chmod("\(scratch.root)/tmp/1-2/deep", 0)
        try HostFile.write([], to: "\(scratch.root)/tmp/1-2.lock")
        _ = try scratch.store()
        withExtendedLifetime(work) {
            #expect(HostFile.exists(work.path))
            #expect(!HostFile.exists("\(scratch.root)/tmp/1-2"))
            #expect(!HostFile.exists("\(scratch.root)/tmp/1-2.lock"))
        }
    }

    @Test func uniqueNamesAreUnique() throws {
        let work = try scratch.store().makeWorkDirectory()
        #expect(Set((0..<100).map { _ in work.unique("a") }).count == 100)
    }
}
