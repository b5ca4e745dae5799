import CSeccomp
import CShims
import Glibc
import SystemPackage

/// A filter of libseccomp's, released with the value.
struct FilterContext: ~Copyable {
    let handle: scmp_filter_ctx

    /// A filter without rules: what happens with every call.
    init(otherwise: UInt32) throws(SandboxError) {
        guard let handle = seccomp_init(otherwise) else { throw SandboxError(.seccomp, .noMemory) }
        self.handle = handle
    }

    deinit {
        seccomp_release(handle)
    }

    /// A filter for one interface.
    ///
    /// Each interface has a filter of its own first, because a rule for several would be one for each of them.
    static func filter(for section: FilterDefinition.Section) throws(SandboxError) -> FilterContext {
        let filter = try FilterContext(otherwise: FilterRule.otherwise)
        let architecture = section.architecture
        if !architecture.isNative {
            try check(seccomp_arch_remove(filter.handle, seccomp_arch_native()))
            try check(seccomp_arch_add(filter.handle, architecture.rawValue))
        }
        try check(seccomp_attr_set(filter.handle, SCMP_FLTATR_ACT_BADARCH, FilterRule.otherwise))
        // A binary tree, not a list that every call goes through.
        try check(seccomp_attr_set(filter.handle, SCMP_FLTATR_CTL_OPTIMIZE, 2))
        for rule in section.rules { try filter.add(rule) }
        return filter
    }

    private borrowing func add(_ rule: FilterRule) throws(SandboxError) {
        guard let comparison = rule.comparison else {
            return try Self.check(seccomp_rule_add_array(handle, rule.action.rawValue, rule.call, 0, nil))
        }
        var lowered = scmp_arg_cmp(
            arg: UInt32(comparison.argument),
            op: SCMP_CMP_MASKED_EQ,
            datum_a: UInt64(comparison.mask),
            datum_b: UInt64(comparison.value)
        )
        try Self.check(seccomp_rule_add_array(handle, rule.action.rawValue, rule.call, 1, &lowered))
    }

    /// Takes the interfaces of another filter in.
    borrowing func merge(_ other: consuming FilterContext) throws(SandboxError) {
        try Self.check(seccomp_merge(handle, other.handle))
        other.forget()
    }

    /// Leaves the filter to the one that it has been merged into.
    private consuming func forget() {
        discard self
    }

    /// The program, as the kernel takes it.
    ///
    /// Through a file in memory: libseccomp before 2.6 writes to a descriptor only.
    borrowing func exported() throws(SandboxError) -> [UInt8] {
        let number = swb_memory_file("seccomp")
        guard number >= 0 else { throw SandboxError(.seccomp, code: -number) }
        let file = Descriptor(number)
        try Self.check(seccomp_export_bpf(handle, file.number))
        guard lseek(file.number, 0, SEEK_SET) == 0 else { throw SandboxError(.seccomp, code: errno) }
        guard let bytes = file.contents(atMost: SeccompProgram.sizeLimit) else {
            throw SandboxError(.seccomp, .fileTooLarge)
        }
        return bytes
    }

    /// Adds an interface beside the native one.
    borrowing func addArchitecture(_ architecture: FilterArchitecture) throws(SandboxError) {
        try Self.check(seccomp_arch_add(handle, architecture.rawValue))
    }

    /// What happens with calls on interfaces that the filter does not know.
    borrowing func setBadArchitectureAction(_ action: UInt32) throws(SandboxError) {
        try Self.check(seccomp_attr_set(handle, SCMP_FLTATR_ACT_BADARCH, action))
    }

    private static func check(_ result: CInt) throws(SandboxError) {
        guard result == 0 else { throw SandboxError(.seccomp, code: -result) }
    }
}
