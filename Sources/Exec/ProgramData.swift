import CShims

/// The writable data of this program.
public enum ProgramData {
    /// Gives the program its own copies of all pages of its data; for its very beginning, while it has one thread.
    ///
    /// Later, each page that is written to for the first time would interrupt the processors of all threads.
    public static func makeOwn() { cshims_populate_data() }
}
