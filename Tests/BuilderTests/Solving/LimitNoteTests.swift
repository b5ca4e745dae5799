import Exec
import Testing

@testable import Builder

@Suite struct LimitNoteTests {
    private static func notes(
        limits: (inout CgroupLimits) -> Void,
        figures: (inout CgroupFigures) -> Void
    ) -> [String] {
        var (wanted, found) = (CgroupLimits(), CgroupFigures())
        limits(&wanted)
        figures(&found)
        var outcome = StepOutcome(status: .exited(137), peakMemory: 20 << 20)
        outcome.cgroup = found
        return LimitNotes(limits: wanted, outcome: outcome).all
    }

    @Test func theLimitOnMemoryIsNamedWithWhatWasHeld() {
        let notes = Self.notes {
            $0.memory = 24 << 20
            $0.memoryAndSwap = .bytes(1 << 30)
        } figures: {
            $0.outOfMemoryKills = 2
            $0.memoryLimitHits = 9
            $0.peakMemory = 24 << 20
        }
        #expect(notes.count == 1)
        for words in ["2 processes", "24 MiB (--memory)", "1 GiB with swap (--memory-swap)", "held 20 MiB"] {
            #expect(notes.first?.contains(words) == true, "\(notes)")
        }
    }

    @Test func whatRanOutAboveIsNotTheStepsOwnLimit() {
        let notes = Self.notes {
            $0.memory = 1 << 40
        } figures: {
            $0.outOfMemoryKills = 1
            $0.memoryLimitHits = 0
            $0.peakMemory = 20 << 20
        }
        #expect(notes.first?.contains("the step's own limit did not cause") == true, "\(notes)")
    }

    @Test func aPeakAtTheLimitTellsWhereHitsAreNotCounted() {
        let notes = Self.notes {
            $0.memory = 40 << 20
        } figures: {
            $0.outOfMemoryKills = 1
            $0.memoryLimitHits = 0
            $0.peakMemory = (40 << 20) - 4096
        }
        #expect(notes.first?.contains("at its limit of 40 MiB (--memory)") == true, "\(notes)")
    }

    @Test func refusedProcessesAreCounted() {
        let notes = Self.notes {
            $0.processes = 9
        } figures: {
            $0.refusedProcesses = 3
        }
        #expect(notes.first?.contains("limit of 9 processes and threads (--pids-limit)") == true, "\(notes)")
        #expect(notes.first?.contains("3 times") == true, "\(notes)")
    }

    @Test func aStepWithinItsLimitsHasNoNotes() {
        let notes = Self.notes {
            $0.memory = 1 << 30
        } figures: {
            $0.outOfMemoryKills = 0
            $0.memoryLimitHits = 100
            $0.refusedProcesses = 0
        }
        #expect(notes == [])
    }
}
