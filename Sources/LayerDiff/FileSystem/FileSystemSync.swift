import CShims
import SystemPackage

extension Directory {
    /// Writes all that is in memory of this directory's file system to its disk.
    /// - Throws: ``FileError`` where the disk does not take it.
    public func synchronizeFileSystem() throws(FileError) {
        let code = cshims_syncfs(rawDescriptor)
        guard code == 0 else {
            throw FileError(operation: "write to the disk of", path: ".", errno: Errno(rawValue: code))
        }
    }
}
