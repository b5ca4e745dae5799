import Glibc
import SystemPackage

/// Removes cgroups of steps that have ended.
struct CgroupRemoval {
    let files: any CgroupFiles

    /// Cgroups below a step's: only a privileged step can have made them, and hardly so many deep.
    private static let depth = 16

    /// How often it is tried again while processes end, and how long between, in microseconds.
    private static let attempts = 400
    private static let pause: UInt32 = 2000

    /// Removes a cgroup with those below it, and kills what is left in them.
    ///
    /// What cannot be removed stays for the next build to try.
    func remove(_ path: String) { remove(path, depth: Self.depth) }

    private func remove(_ path: String, depth: Int) {
        for attempt in 0..<Self.attempts {
            do throws(Errno) {
                return try files.removeDirectory(path)
            } catch {
                guard error == .resourceBusy || error == .directoryNotEmpty, depth > 0 else { return }
            }
            if attempt == 0 {
                // Version 1 has no such file: there the end of the step's process 1 has killed all.
                try? files.write("1", to: "\(path)/cgroup.kill")
                for name in (try? files.directories(in: path)) ?? [] { remove("\(path)/\(name)", depth: depth - 1) }
            } else {
                usleep(Self.pause)
            }
        }
    }
}
