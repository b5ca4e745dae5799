import Exec
import Testing

@testable import Builder

@Suite struct NeedsRootTests {
    @Test(arguments: [(Privilege.user(nil), "sudo"), (.user(.programMissing("newuidmap")), "uidmap")])
    func itSaysWhatToDo(privilege: Privilege, word: String) {
        #expect(NeedsRoot(privilege: privilege).description.contains(word))
    }
}
