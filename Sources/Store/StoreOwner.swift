import Glibc
import LayerDiff
import OCI

/// Whose a state directory is: what opens it later must have the same ids, or its files would seem to be others'.
public struct StoreOwner: Sendable {
    /// What unpacked layers look like.
    public let form: OverlayForm
    /// The ids that this process has, as text.
    private let ids: String
    /// Whether files that were made with these ids belong to the same users with those that this process has.
    private let keeps: @Sendable (String) -> Bool

    private init(form: OverlayForm, ids: String, keeps: @escaping @Sendable (String) -> Bool) {
        self.form = form
        self.ids = ids
        self.keeps = keeps
    }

    /// A process that has the ids of the machine.
    public static let machine = StoreOwner(form: .trusted, ids: "all\n") { $0 == "all\n" }

    /// Root of a user namespace with ids that a text describes; `keeps` tells whether others go on meaning the same.
    public static func userNamespace(_ ids: String, keeps: @escaping @Sendable (String) -> Bool) -> StoreOwner {
        StoreOwner(form: .user, ids: ids, keeps: keeps)
    }

    /// Root of a user namespace with one id, as a text tells which: owners are marks.
    public static func singleID(_ ids: String) -> StoreOwner {
        let text = "marks\n\(ids)"
        return StoreOwner(form: .userWithMarkedOwners, ids: text) { $0 == text }
    }

    /// An ordinary user, who can unpack nothing.
    public static let user = StoreOwner(form: .user, ids: "") { _ in true }

    private static let limit = 1 << 16

    /// Sees to it that the state directory is this owner's: one that is new becomes so.
    /// - Throws: ``ForeignStore``, or ``HostFileError``.
    func claim(_ root: String) throws {
        guard !ids.isEmpty else { return }
        // Stores are closed to all others.
        guard access(root, X_OK) == 0 else { throw ForeignStore(root: root) }
        let path = "\(root)/ids"
        let found = try? HostFile.read(path, limit: Self.limit)
        if found == nil, HostFile.exists("\(root)/cache.sqlite") {
            // Directories that are older than this file are root's.
            guard form == .trusted else { throw ForeignStore(root: root) }
        } else if let found {
            let text = String(decoding: found, as: UTF8.self)
            if text == ids { return }
            guard keeps(text) else { throw ForeignStore(root: root) }
        }
        try HostFile.write(Array(ids.utf8), to: path)
    }
}

/// A state directory that was made with other ids.
public struct ForeignStore: Error, Sendable, CustomStringConvertible {
    /// The directory.
    public let root: String

    /// One sentence: what is wrong with the directory, and what to do.
    public var description: String {
        """
        the state directory \(root) was made by another user, or with other subordinate ids (its file `ids` has them); \
        give another one with --root, restore the ranges of /etc/subuid and /etc/subgid, or have it removed by whom it \
        belongs to
        """
    }
}
