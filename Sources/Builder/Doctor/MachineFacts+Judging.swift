import Glibc

extension MachineFacts {
    /// What the facts mean for builds: a function of them alone.
    public var findings: [MachineFinding] {
        [
            namespaceFinding, overlayFinding, imageFinding, userNamespaceFinding, userOverlayFinding, idFinding,
            cgroupFinding, networkFinding, seccompFinding, landlockFinding, moduleFinding, diskFinding, spaceFinding,
            curlFinding,
            gitFinding,
        ]
    }

    // MARK: Namespaces

    private var namespaceFinding: MachineFinding {
        let subject = "namespaces"
        switch namespaces.others {
        case .worked: return MachineFinding(subject, .ok, "steps can have namespaces of their own", isNeeded: true)
        case .notTried:
            return MachineFinding(
                subject,
                .missing,
                "without a user namespace an ordinary user has no other namespaces either",
                isNeeded: true
            )
        case .failed(let code):
            return MachineFinding(
                subject,
                .missing,
                "making namespaces fails: \(Self.text(code))",
                remedy: namespaces.isFiltered ? Self.filterRemedy : "run as root, with CAP_SYS_ADMIN",
                isNeeded: true
            )
        }
    }

    private static let filterRemedy =
        "a container is around this program: start that one with --security-opt seccomp=unconfined and --privileged"

    private var userNamespaceFinding: MachineFinding {
        let subject = "user namespaces"
        let failure: Int32
        switch (namespaces.user, namespaces.idMap) {
        case (.worked, .worked), (.worked, .notTried):
            return MachineFinding(subject, .ok, "this user can make them", isNeeded: !isRoot)
        case (.failed(let code), _), (_, .failed(let code)): failure = code
        case (.notTried, _):
            return MachineFinding(subject, .missing, "they could not be tried", isNeeded: !isRoot)
        }
        let (reason, remedy) = userNamespaceObstacle
        return MachineFinding(
            subject,
            isRoot ? .limited : .missing,
            "this user cannot make them (\(Self.text(failure))): \(reason)"
                + (isRoot ? "; root builds without them" : ""),
            remedy: remedy,
            isNeeded: !isRoot
        )
    }

    /// Who forbids them, and how that is changed.
    private var userNamespaceObstacle: (reason: String, remedy: String?) {
        if namespaces.limit == 0 {
            return ("the sysctl user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=65536")
        }
        if namespaces.unprivilegedClone == 0 {
            return (
                "the sysctl kernel.unprivileged_userns_clone is 0", "sysctl -w kernel.unprivileged_userns_clone=1"
            )
        }
        if namespaces.appArmorRestricts == 1 {
            return (
                "AppArmor restricts them (the sysctl kernel.apparmor_restrict_unprivileged_userns is 1)",
                "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or a profile for swbuild with `userns,`"
            )
        }
        if namespaces.isFiltered { return ("a system call filter is around this program", Self.filterRemedy) }
        return ("neither a sysctl nor AppArmor is the reason; the kernel may lack CONFIG_USER_NS", nil)
    }

    // MARK: Overlay

    private var overlayFinding: MachineFinding {
        let subject = "overlay"
        switch namespaces.overlay {
        case .worked:
            return MachineFinding(subject, .ok, "root can mount it over the state directory", isNeeded: isRoot)
        case .notTried where !isRoot:
            return MachineFinding(subject, .ok, "outside of user namespaces it is root's alone")
        case .notTried: return MachineFinding(subject, .missing, "it could not be tried", isNeeded: true)
        case .failed(let code):
            return MachineFinding(
                subject,
                .missing,
                "mounting it over the state directory fails: \(Self.text(code))",
                remedy: overlayRemedy(code),
                isNeeded: isRoot
            )
        }
    }

    private var imageFinding: MachineFinding {
        let subject = "layers as images"
        switch namespaces.imageOverlay {
        case .worked: return MachineFinding(subject, .ok, "overlay takes EROFS images in files for layers")
        case .notTried where !isRoot:
            return MachineFinding(subject, .ok, "they are root's alone: layers are unpacked into directories")
        case .notTried: return MachineFinding(subject, .limited, "overlay on EROFS images could not be tried")
        case .failed(let code):
            return MachineFinding(
                subject,
                .limited,
                "overlay does not take EROFS images (\(Self.text(code))): layers are unpacked into directories, which "
                    + "takes longer (images need Linux 6.15 or later)",
                remedy: code == ENODEV ? "modprobe erofs" : nil
            )
        }
    }

    private var userOverlayFinding: MachineFinding {
        let subject = "overlay, rootless"
        switch namespaces.userOverlay {
        case .worked:
            return MachineFinding(subject, .ok, "it can be mounted in a user namespace", isNeeded: !isRoot)
        case .notTried:
            return MachineFinding(
                subject,
                isRoot ? .limited : .missing,
                "it was not tried, because there is no user namespace",
                isNeeded: !isRoot
            )
        case .failed(let code):
            return MachineFinding(
                subject,
                isRoot ? .limited : .missing,
                "mounting it in a user namespace fails: \(Self.text(code)) (it needs Linux 5.11 or later)",
                remedy: overlayRemedy(code),
                isNeeded: !isRoot
            )
        }
    }

    private func overlayRemedy(_ code: Int32) -> String? {
        switch code {
        case ENODEV: "modprobe overlay"
        case EINVAL:
            "put the state directory on ext4, xfs or btrfs, with --root or SWBUILD_ROOT: \(disk.type) cannot serve"
        case EPERM where namespaces.isFiltered: Self.filterRemedy
        default: nil
        }
    }

    // MARK: Ids

    private var idFinding: MachineFinding {
        let subject = "subordinate ids"
        if isRoot { return MachineFinding(subject, .ok, "root has all ids, and needs none") }
        let name = userName.isEmpty ? "\(uid)" : userName
        func finding(_ fact: String, _ remedy: String) -> MachineFinding {
            MachineFinding(subject, .limited, "\(fact); until then, swbuild keeps owners aside", remedy: remedy)
        }
        for (tool, program) in [(ids.userTool, "newuidmap"), (ids.groupTool, "newgidmap")] {
            switch tool {
            case .missing: return finding("there is no \(program)", "apt-get install uidmap")
            case .powerless(let path):
                return finding("\(path) has neither its set-user-ID bit nor capabilities", "chmod u+s \(path)")
            case .usable: continue
            }
        }
        guard ids.users >= 65536, ids.groups >= 65536 else {
            return finding(
                "/etc/subuid has \(ids.users) ids for \(name), and /etc/subgid \(ids.groups); images use up to 65536",
                "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 \(name)"
            )
        }
        return MachineFinding(subject, .ok, "\(name) has \(ids.users) user ids and \(ids.groups) group ids")
    }

    // MARK: Cgroups

    private static let controllersForLimits = ["cpu", "memory", "pids"]

    private var cgroupFinding: MachineFinding {
        let subject = "cgroups"
        guard cgroups.version > 0 else {
            return MachineFinding(
                subject,
                .limited,
                "none are mounted at /sys/fs/cgroup: no limits can be set",
                remedy: "mount -t cgroup2 none /sys/fs/cgroup"
            )
        }
        let lacking = Self.controllersForLimits.filter { !cgroups.delegated.contains($0) }
        let what = "version \(cgroups.version), with \(cgroups.controllers.joined(separator: ", "))"
        guard !lacking.isEmpty else { return MachineFinding(subject, .ok, what) }
        return MachineFinding(
            subject,
            .limited,
            "\(what); this user cannot set limits of \(lacking.joined(separator: ", "))",
            remedy: cgroupRemedy
        )
    }

    private var cgroupRemedy: String? {
        if isRoot { return nil }
        guard cgroups.version == 2 else {
            return "boot with systemd.unified_cgroup_hierarchy=1: version 1 is root's alone"
        }
        return """
            mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' \
            > /etc/systemd/system/user@.service.d/delegate.conf && systemctl daemon-reload
            """
    }

    // MARK: Network

    private var networkFinding: MachineFinding {
        let subject = "network"
        guard let helper = network.slirp ?? network.pasta else {
            return MachineFinding(
                subject,
                .limited,
                "neither slirp4netns nor pasta is there: steps have no network, except with --network=host",
                remedy: "apt-get install slirp4netns"
            )
        }
        guard network.hasTunnelDevice else {
            return MachineFinding(
                subject,
                .limited,
                "\(helper) is there, but /dev/net/tun, which it needs, cannot be opened",
                remedy: "modprobe tun && chmod 666 /dev/net/tun"
            )
        }
        return MachineFinding(subject, .ok, "\(helper), and /dev/net/tun can be opened")
    }

    static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}
