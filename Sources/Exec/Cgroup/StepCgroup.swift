import SystemPackage

/// The cgroups of one step, from before it starts until it has ended.
public final class StepCgroup: Sendable {
    private let parent: CgroupParent
    /// In the order of the parent's places.
    private let directories: [String]
    private let claims: [CgroupClaim]

    fileprivate init(_ parent: CgroupParent, directories: [String], claims: [CgroupClaim]) {
        self.parent = parent
        self.directories = directories
        self.claims = claims
    }

    /// The cgroup in which the step's first process is made.
    var unifiedDirectory: String? {
        zip(parent.places, directories).first { $0.0.isUnified }?.1
    }

    /// The cgroups that its first process is put into while it waits.
    var legacyDirectories: [String] {
        zip(parent.places, directories).filter { !$0.0.isUnified }.map(\.1)
    }

    /// What the step has used and run into so far.
    func figures() -> CgroupFigures {
        var figures = CgroupFigures()
        for (place, directory) in zip(parent.places, directories) {
            let files = parent.files
            figures.add(isUnified: place.isUnified) { try? files.read("\(directory)/\($0)") }
        }
        return figures
    }

    /// Removes the cgroups, after the step has ended.
    func remove() {
        let removal = CgroupRemoval(files: parent.files)
        for directory in directories { removal.remove(directory) }
    }
}

extension CgroupParent {
    /// Another process that cleans up may be faster than the lock on what was made.
    private static let attempts = 16

    /// Makes the cgroups of a step, with the limits set.
    /// - Throws: ``CgroupError``; nothing is left behind then.
    public func makeStepCgroup() throws(CgroupError) -> StepCgroup {
        var problem = error(.notMounted, isUnified: true)
        for _ in 0..<Self.attempts {
            let name = nextName()
            var made = Made()
            do throws(Interruption) {
                for place in places { try make(name, in: place, &made) }
                return StepCgroup(self, directories: made.directories, claims: made.claims)
            } catch {
                for directory in made.directories { CgroupRemoval(files: files).remove(directory) }
                switch error {
                case .failed(let error): throw error
                case .taken(let place):
                    problem = self.error(
                        .refused(directory: place.directory, .fileExists),
                        isUnified: place.isUnified
                    )
                }
            }
        }
        throw problem
    }

    private struct Made {
        var directories: [String] = []
        var claims: [CgroupClaim] = []
    }

    /// Why a cgroup was not made: for good, or under this name.
    private enum Interruption: Error {
        case failed(CgroupError)
        case taken(Place)
    }

    private func make(_ name: String, in place: Place, _ made: inout Made) throws(Interruption) {
        let directory = "\(place.directory)/\(name)"
        do throws(Errno) {
            try files.makeDirectory(directory)
            made.directories.append(directory)
            guard let claim = try files.claim(directory) else { throw Errno.fileExists }
            made.claims.append(claim)
            if !place.isUnified, place.controllers.contains(.cpuset) {
                try Self.inheritProcessors(directory, from: place.directory, files)
            }
        } catch {
            throw error == .fileExists
                ? Interruption.taken(place)
                : Interruption.failed(
                    self.error(.refused(directory: place.directory, error), isUnified: place.isUnified)
                )
        }
        for setting in place.settings { try set(setting, in: directory, isUnified: place.isUnified) }
    }

    private func set(_ setting: CgroupSetting, in directory: String, isUnified: Bool) throws(Interruption) {
        let file = "\(directory)/\(setting.file)"
        do throws(Errno) {
            try files.write(setting.value, to: file)
        } catch {
            if setting.isOptional, error == .noSuchFileOrDirectory { return }
            let problem = CgroupError.Problem.setting(setting.limit, value: setting.value, file: file, error)
            throw Interruption.failed(self.error(problem, isUnified: isUnified))
        }
    }
}
