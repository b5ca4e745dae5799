import Exec
import Testing

@testable import Builder

/// What a build says of sandboxes that are weaker than they should be.
@Suite struct CompromiseNotesTests {
    @Test func eachIsToldOnce() {
        let notes = CompromiseNotes()
        #expect(notes.sentences(for: []).isEmpty)
        #expect(notes.sentences(for: [.swap]).count == 1)
        #expect(notes.sentences(for: [.swap, .sharedKeyring]).count == 1)
        #expect(notes.sentences(for: [.swap, .sharedKeyring]).isEmpty)
    }

    @Test(arguments: [Compromises.swap, .hostSystemInformation, .sharedKeyring, .movedRoot, .openContext])
    func eachHasASentence(compromise: Compromises) {
        #expect(CompromiseNotes().sentences(for: compromise).count == 1)
    }
}
