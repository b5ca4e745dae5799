import Glibc
import LayerDiff
import OCI
import Testing

@testable import Store

@Suite struct VerifiedTests {
    let scratch: StoreScratch
    let store: Store
    let layer: LayerRecord
    let path: String

    init() throws {
        scratch = try StoreScratch()
        let first = try scratch.store()
        let entries: [LayerEntry] = [.file("a", String(repeating: "text", count: 400_000))]
        layer = try scratch.layer(entries, in: first.images, options: LayerOptions(compression: .none))
        try first.insert(layer, tree: nil)
        // Another process, which has not hashed the blob itself.
        store = try scratch.store()
        path = store.images.blobPath(layer.digest)
    }

    private func export(to name: String, sharing: Bool = true) throws {
        let layout = try ImageLayout(creating: "\(scratch.path)/\(name)")
        try store.export(layer.descriptor, to: layout, sharing: sharing ? store.sharing(with: layout) : nil)
    }

    /// Makes the blob as old as one that was made yesterday.
    private func age() throws {
        let yesterday = timespec(tv_sec: time(nil) - 86_400, tv_nsec: 5)
        let times = [yesterday, yesterday]
        try #require(utimensat(AT_FDCWD, path, times, 0) == 0)
    }

    private func isRemembered() throws -> Bool {
        try !store.database.query("SELECT * FROM verified WHERE digest = ?", [.text(layer.digest.hex)]).isEmpty
    }

    private func forget() throws { try store.database.query("DELETE FROM verified") }

    private func isShared(with name: String) -> Bool {
        var (one, other) = (stat(), stat())
        guard stat(path, &one) == 0, stat("\(scratch.path)/\(name)/blobs/sha256/\(layer.digest.hex)", &other) == 0
        else {
            return false
        }
        return one.st_ino == other.st_ino && one.st_dev == other.st_dev
    }

    /// Notes that the blob was hashed as it is now.
    private func remember() throws {
        try store.noteVerified(layer.digest, try #require(BlobStamp(path)))
    }

    private func damage() throws {
        let file = open(path, O_WRONLY)
        defer { close(file) }
        try #require(pwrite(file, "x", 1, 700_000) == 1)
    }

    @Test(arguments: [true, false])
    func aBlobThatWasHashedAsItIsNeedsNoReading(sharing: Bool) throws {
        try damage()
        try remember()
        try export(to: "out", sharing: sharing)
        #expect(HostFile.exists("\(scratch.path)/out/blobs/sha256/\(layer.digest.hex)"))
        #expect(isShared(with: "out") == sharing)
    }

    @Test(arguments: [true, false])
    func aBlobThatWasChangedSinceIsHashed(sharing: Bool) throws {
        try remember()
        try damage()
        #expect(throws: BlobError.self) { try export(to: "out", sharing: sharing) }
        #expect(try scratch.names("../out/blobs/sha256") == [])
        // Building again makes it anew.
        #expect(!HostFile.exists(path))
    }

    @Test(arguments: [true, false])
    func aBlobThatWasMadeJustNowIsHashedEveryTime(sharing: Bool) throws {
        try forget()
        try export(to: "first", sharing: sharing)
        try #require(try !isRemembered())
        try damage()
        #expect(throws: BlobError.self) { try export(to: "second", sharing: sharing) }
    }

    @Test(arguments: [true, false])
    func anOlderBlobIsHashedOnce(sharing: Bool) throws {
        try forget()
        try age()
        try export(to: "first", sharing: sharing)
        #expect(try isRemembered())
    }

    @Test func layoutsThatComeAndGoAreNoChange() throws {
        try age()
        try remember()
        try export(to: "first")
        try export(to: "second")
        try #require(unlink("\(scratch.path)/first/blobs/sha256/\(layer.digest.hex)") == 0)
        let stamp = try #require(BlobStamp(path))
        #expect(try store.isVerified(layer.digest, stamp))
    }

    @Test func whatIsWrittenToALayoutsFileIsNoticed() throws {
        try age()
        try remember()
        try export(to: "first")
        let file = open("\(scratch.path)/first/blobs/sha256/\(layer.digest.hex)", O_WRONLY)
        defer { close(file) }
        try #require(pwrite(file, "x", 1, 700_000) == 1)
        #expect(throws: BlobError.self) { try export(to: "second") }
    }

    @Test func aCopyIsAFileOfItsOwn() throws {
        try export(to: "out", sharing: false)
        #expect(!isShared(with: "out"))
        #expect(try scratch.names("../out/blobs/sha256") == [layer.digest.hex])
    }

    @Test func aLayoutWhoseFilesLookOtherwiseGetsACopy() throws {
        _ = try ImageLayout(creating: "\(scratch.path)/private")
        try #require(chmod("\(scratch.path)/private/oci-layout", 0o600) == 0)
        try export(to: "private")
        #expect(!isShared(with: "private"))
        // What others may write to is neither believed nor handed out.
        try remember()
        try #require(chmod(path, 0o664) == 0)
        #expect(BlobStamp(path) == nil)
        try export(to: "out")
        #expect(!isShared(with: "out"))
    }

    @Test func aBrokenBlobOfALayoutIsReplaced() throws {
        let layout = try ImageLayout(creating: "\(scratch.path)/out")
        try HostFile.write(Array("broken".utf8), to: layout.blobPath(layer.digest))
        try export(to: "out")
        #expect(layout.hasBlob(layer.descriptor))
        #expect(try scratch.names("../out/blobs/sha256") == [layer.digest.hex])
    }

    @Test func aBlobThatOthersMayWriteToIsHashedEvenByWhoMadeIt() throws {
        let maker = try scratch.store()
        try maker.insert(layer, tree: nil)
        try #require(maker.isFresh(layer.digest))
        try #require(chmod(path, 0o666) == 0)
        try damage()
        #expect(throws: BlobError.self) { try maker.verify([layer.descriptor]) }
    }

    @Test func aBlobThatCannotBeReadIsNotRemoved() throws {
        try #require(unlink(path) == 0 && symlink(path, path) == 0)
        #expect(throws: BlobError.self) { try store.verify([layer.descriptor]) }
        #expect(throws: BlobError.self) { try export(to: "out") }
        var status = stat()
        #expect(lstat(path, &status) == 0)
    }

    /// Whoever opens a pipe to read waits for somebody who writes.
    @Test(.timeLimit(.minutes(1)))
    func aPipeInABlobsPlaceIsNotWaitedFor() throws {
        try #require(unlink(path) == 0 && mkfifo(path, 0o644) == 0)
        let error = #expect(throws: BlobError.self) { _ = try importing(isOld: false) }
        #expect(error?.description.contains("regular file") == true)
    }

    @Test(arguments: [true, false])
    func pruningFreesWhatNoLayoutHas(sharing: Bool) throws {
        try export(to: "out", sharing: sharing)
        let freed = try store.prune(keepingHours: nil)
        #expect(!HostFile.exists(path))
        #expect((freed >= layer.size) == !sharing)
    }

    // MARK: The other way

    /// A layout that has the blob, and a store that has not.
    private func importing(isOld: Bool, _ change: () throws -> Void = {}) throws -> Store {
        if isOld { try age() }
        try change()
        let other = try Store(root: "\(scratch.path)/other")
        _ = try other.importLayer(layer.descriptor, diffID: layer.diffID, from: store.images)
        return other
    }

    private func inode(_ path: String) -> ino_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_ino : nil
    }

    @Test func anOldBlobOfABaseIsShared() throws {
        let other = try importing(isOld: true)
        #expect(inode(other.images.blobPath(layer.digest)) == inode(path))
        #expect(try other.isVerified(layer.digest, try #require(BlobStamp(path))))
    }

    /// Somebody may still be writing to it.
    @Test func aFreshBlobOfABaseIsCopied() throws {
        let other = try importing(isOld: false)
        #expect(other.images.hasBlob(layer.descriptor))
        #expect(inode(other.images.blobPath(layer.digest)) != inode(path))
    }

    @Test func aBlobOfABaseThatOthersMayWriteToIsCopied() throws {
        let other = try importing(isOld: true) { try #require(chmod(path, 0o666) == 0) }
        #expect(other.images.hasBlob(layer.descriptor))
        #expect(inode(other.images.blobPath(layer.digest)) != inode(path))
    }

    @Test func aDamagedBlobOfABaseIsRefused() throws {
        #expect(throws: BlobError.self) {
            _ = try importing(isOld: false) {
                try damage()
                try age()
            }
        }
        #expect(try scratch.names("../other/images/blobs/sha256") == [])
        #expect(HostFile.exists(path))
    }

    @Test func whatThisProcessHashedIsRemembered() throws {
        #expect(try isRemembered())
    }

    @Test func aStampSettlesAfterTheClocksGrain() throws {
        let stamp = try #require(BlobStamp(path))
        let other = try #require(FileStamp(path))
        var status = stat()
        try #require(stat(path, &status) == 0)
        let changed = Int64(status.st_ctim.tv_sec)
        for seconds in [Int64(0), 2] {
            #expect(!stamp.isSettled(at: changed + seconds))
            #expect(!other.isSettled(at: changed + seconds))
        }
        #expect(stamp.isSettled(at: changed + 3))
        #expect(other.isSettled(at: changed + 3))
        #expect(BlobStamp("\(path).missing") == nil)
        #expect(FileStamp("\(path).missing") == nil)
    }

    @Test func pruningForgetsBlobsThatAreGone() throws {
        try remember()
        _ = try store.prune(keepingHours: nil)
        #expect(try store.database.query("SELECT * FROM verified").isEmpty)
    }
}
