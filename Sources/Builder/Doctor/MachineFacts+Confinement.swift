import Glibc

extension MachineFacts {
    // MARK: Confinement

    var seccompFinding: MachineFinding {
        confinement.hasSeccomp
            ? MachineFinding(
                "seccomp",
                .ok,
                "the kernel has system call filters" + (namespaces.isFiltered ? "; one is around this program" : "")
            )
            : MachineFinding(
                "seccomp",
                .missing,
                "the kernel has no system call filters (CONFIG_SECCOMP_FILTER): steps need "
                    + "--security-opt seccomp=unconfined",
                isNeeded: true
            )
    }

    var landlockFinding: MachineFinding {
        // The first version refuses to link or rename from one directory to another, which layers do.
        confinement.landlock > 1
            ? MachineFinding("Landlock", .ok, "version \(confinement.landlock)")
            : MachineFinding(
                "Landlock",
                .limited,
                "the kernel has none, or an early one: swbuild's own unpacking has one fence less",
                remedy: "boot a kernel from 5.19 on with CONFIG_SECURITY_LANDLOCK and landlock among lsm="
            )
    }

    /// AppArmor and SELinux: neither is needed.
    var moduleFinding: MachineFinding {
        var facts: [String] = []
        if confinement.hasAppArmor {
            facts.append(
                "AppArmor is on" + (confinement.appArmorProfile.map { "; this program runs under \($0)" } ?? "")
            )
        }
        if let enforces = confinement.enforcesSELinux {
            facts.append("SELinux is \(enforces ? "enforcing" : "permissive")")
        }
        return MachineFinding(
            "security modules",
            .ok,
            facts.isEmpty ? "neither AppArmor nor SELinux is on" : facts.joined(separator: "; ")
        )
    }

    // MARK: The disk

    var diskFinding: MachineFinding {
        let subject = "state directory"
        let elsewhere = "name another place with --root or SWBUILD_ROOT"
        func missing(_ what: String) -> MachineFinding {
            MachineFinding(subject, .missing, "\(disk.path) (\(disk.type)): \(what)", remedy: elsewhere, isNeeded: true)
        }
        if case .failed(let code) = disk.writing { return missing("files cannot be made there: \(Self.text(code))") }
        guard disk.hasTypes else {
            return missing("its directories do not tell the types of files (d_type; xfs needs ftype=1)")
        }
        if case .failed(let code) = disk.whiteouts { return missing("whiteouts cannot be made: \(Self.text(code))") }
        let needed = isRoot ? disk.trustedAttributes : disk.userAttributes
        if case .failed(let code) = needed {
            return missing("it has no \(isRoot ? "trusted" : "user") attributes: \(Self.text(code))")
        }
        return MachineFinding(
            subject,
            .ok,
            "\(disk.path) (\(disk.type)) has types, attributes and whiteouts",
            isNeeded: true
        )
    }

    var spaceFinding: MachineFinding {
        let subject = "disk space"
        let fact = "\(disk.freeBytes >> 20) MiB" + (disk.freeInodes.map { " and \($0) inodes" } ?? "") + " are free"
        let isScarce = disk.freeBytes < 2 << 30 || (disk.freeInodes ?? .max) < 100_000
        return isScarce
            ? MachineFinding(subject, .limited, "\(fact), little for images", remedy: "swbuild prune --all")
            : MachineFinding(subject, .ok, fact)
    }

    // MARK: Programs

    var curlFinding: MachineFinding {
        programs.hasCurl
            ? MachineFinding("libcurl", .ok, "it is there")
            : MachineFinding(
                "libcurl",
                .limited,
                "it is not there: ADD cannot fetch URLs",
                remedy: "apt-get install libcurl4"
            )
    }

    var gitFinding: MachineFinding {
        programs.git.map { MachineFinding("git", .ok, $0) }
            ?? MachineFinding(
                "git",
                .limited,
                "it is not there: repositories cannot be contexts or sources",
                remedy: "apt-get install git"
            )
    }
}
