"""Options of a build that give its steps more, or less, than the defaults."""
import json

from support import Case


class SandboxOptions(Case):
    def test_added_hosts(self):
        built = self.build("FROM busybox\nRUN cat /etc/hosts > /copy\n", "--add-host", "db:10.1.2.3",
                           "--add-host", "six=[fe80::1]")
        lines = built.layout.text("/copy").splitlines()
        self.assertEqual(lines[-2:], ["10.1.2.3\tdb", "fe80::1\tsix"])
        self.assertIn("localhost", lines[0])

    def test_an_added_host_is_in_the_key(self):
        text = "FROM busybox\nRUN wc -l < /etc/hosts > /n\n"
        self.build(text)
        self.assertEqual(self.build(text).executed(), [])
        changed = self.build(text, "--add-host", "db:10.1.2.3")
        self.assertEqual(len(changed.executed()), 1)
        self.assertIn("its hosts changed: +db=10.1.2.3", changed.stderr)
        self.assertEqual(self.build(text, "--add-host", "db=10.1.2.3").executed(), [])
        self.assertEqual(self.build(text).executed(), [])

    def test_a_gateway_to_the_host_is_refused(self):
        self.assertMentions(self.build("FROM busybox\n", "--add-host", "h:host-gateway", expect=None),
                            "--add-host", "gateway", "--network=host")

    def test_limits_and_shared_memory(self):
        built = self.build(
            "FROM busybox\nRUN ulimit -Sn > /n; ulimit -Hn >> /n; df -k /dev/shm | tail -1 | awk '{print $2}' >> /n\n",
            "--ulimit", "nofile=300:400", "--shm-size", "3m")
        self.assertEqual(built.layout.text("/n").split(), ["300", "400", "3072"])

    def test_capabilities(self):
        text = "FROM busybox\nRUN grep CapBnd /proc/self/status | cut -f2 > /caps\n"
        for flags, expected in [
                ([], 0xa80425fb), (["--cap-drop", "ALL"], 0), (["--cap-drop", "all", "--cap-add", "CAP_CHOWN"], 1),
                (["--cap-add", "SYS_PTRACE", "--cap-drop", "mknod"], 0xa80425fb & ~(1 << 27) | 1 << 19)]:
            built = self.build(text, *flags)
            self.assertEqual(int(built.layout.text("/caps"), 16), expected, flags)

    def test_a_dropped_capability_is_gone(self):
        self.assertMentions(self.build("FROM busybox\nRUN chown 1 /bin\n", "--cap-drop", "CHOWN", expect=1),
                            "not permitted")

    def test_misspelt_values(self):
        for flags, words in [(["--cap-add", "SYS_PTRACEE"], ["did you mean SYS_PTRACE?"]),
                             (["--ulimit", "nofiles=1"], ["did you mean nofile?"]),
                             (["--allow", "network.hots"], ["did you mean network.host?"]),
                             (["--shm-size", "lots"], ["--shm-size lots"]),
                             (["--security-opt", "secomp=x"], ["did you mean seccomp?"])]:
            self.assertMentions(self.build("FROM busybox\n", *flags, expect=None), *words)

    def test_a_profile_of_system_calls(self):
        profile = self.directory / "profile.json"
        profile.write_text(json.dumps({
            "defaultAction": "SCMP_ACT_ALLOW",
            "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}))
        text = "FROM busybox\nRUN mkdir /d 2> /e || true\n"
        self.build(text)
        option = f"seccomp={profile}"
        built = self.build(text, "--security-opt", option)
        self.assertEqual(len(built.executed()), 1)
        self.assertIn("No space left", built.layout.text("/e"))
        self.assertEqual(self.build(text, "--security-opt", option).executed(), [])
        profile.write_text('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "ALLOW"}]}')
        self.assertMentions(self.build(text, "--security-opt", option, expect=None),
                            "profile.json: syscalls[0].action")
        self.assertMentions(self.build(text, "--security-opt", "seccomp=/missing.json", expect=None), "/missing.json")

    def test_no_filter_and_no_new_privileges(self):
        text = "FROM busybox\nRUN grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | cut -f2 > /s\n"
        self.assertEqual(self.build(text).layout.text("/s").split(), ["0", "2"])
        built = self.build(text, "--security-opt", "seccomp=unconfined", "--security-opt", "no-new-privileges")
        self.assertEqual(built.layout.text("/s").split(), ["1", "0"])

    def test_insecure_steps_need_leave(self):
        text = ("FROM busybox\nRUN --security=insecure mount -t tmpfs none /tmp && echo yes > /mounted\n"
                "RUN mount -t tmpfs none /tmp 2> /dev/null || echo no > /confined\n")
        self.assertMentions(self.build(text, expect=1), "--allow security.insecure")
        built = self.build(text, "--allow", "security.insecure")
        self.assertEqual(built.layout.text("/mounted"), "yes\n")
        self.assertEqual(built.layout.text("/confined"), "no\n")

    def test_an_insecure_step_is_another_step(self):
        self.build("FROM busybox\nRUN true\n")
        insecure = "FROM busybox\nRUN --security=insecure true\n"
        self.assertEqual(len(self.build(insecure, "--allow", "security.insecure").executed()), 1)
        self.assertEqual(self.build(insecure, "--allow", "security.insecure").executed(), [])

    def test_the_network_of_the_host_in_the_file(self):
        text = ("FROM busybox\nRUN --network=host readlink /proc/self/ns/net > /host\n"
                "RUN readlink /proc/self/ns/net > /own\n")
        self.assertMentions(self.build(text, expect=1), "--allow network.host")
        layout = self.build(text, "--allow", "network.host").layout
        self.assertNotEqual(layout.text("/host"), layout.text("/own"))
        layout = self.build(text, "--network=host").layout
        self.assertEqual(layout.text("/host"), layout.text("/own"))
