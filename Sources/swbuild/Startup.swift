import Exec
import Glibc
import Store

/// What is settled before there is a second thread.
enum Startup {
    /// What this process may do to the machine: found out, and for an ordinary user's build changed, when it is first
    /// asked for, which must be at the very start of the program.
    static var privilege: Privilege { outcome.privilege }

    /// Why there is one id alone, where the user was to have more.
    static var shortfall: UserNamespaceError? { outcome.shortfall }

    private static let outcome: (privilege: Privilege, shortfall: UserNamespaceError?) = {
        let now = Privilege.current()
        guard case .user = now, needsOwners(Swbuild.reordered(Array(CommandLine.arguments.dropFirst()))) else {
            return (now, nil)
        }
        do throws(UserNamespaceError) {
            return (.userNamespace(try UserNamespace.enter()), nil)
        } catch {
            // Said when a step needs it: what only reads, or copies, goes on without.
            guard let maps = try? UserNamespace.enterAlone() else { return (.user(error), nil) }
            return (.userNamespace(maps), error)
        }
    }()

    /// Whose the state directory is, or becomes.
    static var storeOwner: StoreOwner {
        switch privilege {
        case .root: .machine
        case .userNamespace(let ids) where ids.isSingle: .singleID(ids.text)
        case .userNamespace(let ids):
            .userNamespace(ids.text) { earlier in IDMaps(parsing: earlier).map(ids.keep) ?? false }
        case .user: .user
        }
    }

    /// The commands that touch no file of another owner.
    private static let plainCommands = ["check", "context", "doctor", "help", "login", "logout", "version"]
    /// The commands whose words are those of another program from some place on: a flag may be that program's.
    private static let passingCommands = ["run", "bundle"]
    private static let plainFlags = ["-h", "--help", "--help-hidden", "--version", "--generate-completion-script"]

    /// Whether a command line, the verb first where there is one, is one of those that deal with files of several
    /// owners: most are.
    static func needsOwners(_ words: [String]) -> Bool {
        guard let command = words.first else { return true }
        if plainCommands.contains(command) { return false }
        // A namespace for their help is no harm; a command without one could not run.
        if passingCommands.contains(command) { return !(words.count == 2 && plainFlags.contains(words[1])) }
        return !words.contains { plainFlags.contains($0) }
    }
}
