"""A build that is interrupted or killed in the middle of a step leaves nothing behind."""
import os
import signal

from support import Case, mounts_below, processes_with, wait_until


class Interrupt(Case):
    def setUp(self):
        super().setUp()
        # `sleep` with a number that no other process has: its command line marks the step.
        self.marker = f"8{os.getpid()}.{self.id().__hash__() % 1000000}"

    def buildfile(self) -> str:
        return ("FROM busybox\nRUN echo before > /before\n"
                f"RUN --mount=type=cache,target=/cache (sleep {self.marker} &) ; echo begun; sleep {self.marker}\n")

    def begin(self):
        process, _, _ = self.start(self.buildfile(), start_new_session=True)

        def is_running():
            """the step's sleep to run"""
            self.assertIsNone(process.poll(), "the build ended early")
            return len(processes_with(f"sleep\0{self.marker}")) >= 2
        wait_until(is_running)
        return process

    def check_nothing_is_left(self):
        def is_gone():
            """the step's processes to end"""
            return not processes_with(f"sleep\0{self.marker}")
        wait_until(is_gone)
        self.assertEqual(mounts_below(self.state), [])

    def check_the_next_build(self):
        built = self.build("FROM busybox\nRUN echo before > /before\nRUN echo after > /after\n")
        self.assertEqual(built.layout.text("/after"), "after\n")
        self.assertEqual(built.executed(), ["RUN echo after > /after"])

    def check(self, number: int, status: int):
        process = self.begin()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        self.assertEqual(process.returncode, status)
        if number != signal.SIGKILL:
            self.assertIn(b"interrupted", stderr)
        self.check_nothing_is_left()
        self.check_the_next_build()
        # Work directories of ended builds go at the latest with the next build.
        self.assertEqual([path.name for path in (self.state / "tmp").glob("*") if path.is_dir()], [])

    def test_control_c(self):
        self.check(signal.SIGINT, 130)

    def test_termination(self):
        self.check(signal.SIGTERM, 143)

    def test_kill(self):
        self.check(signal.SIGKILL, -signal.SIGKILL)

    def test_a_second_control_c_is_no_crash(self):
        process = self.begin()
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
        self.assertNotIn(b"Fatal error", stderr)
        self.check_nothing_is_left()

    def test_the_terminal_s_control_c_reaches_the_whole_group(self):
        process = self.begin()
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)
        self.check_nothing_is_left()
        self.check_the_next_build()

    def test_what_a_step_leaves_in_the_background_ends_with_it(self):
        built = self.build(f"FROM busybox\nRUN (sleep {self.marker} > /dev/null 2>&1 &) ; echo done > /done\n")
        self.assertEqual(built.layout.text("/done"), "done\n")
        self.check_nothing_is_left()

    def test_after_kills_at_any_time_the_state_directory_is_good(self):
        buildfile = "FROM busybox\n" + "".join(
            f"RUN head -c 300000 /dev/zero > /zeros{n}; echo {n} > /{n}\n" for n in range(8))
        for place in range(8):
            process, _, _ = self.start(buildfile)

            def is_there():
                """the next layer"""
                return process.poll() is not None or len(list((self.state / "layers").glob("*"))) > place
            wait_until(is_there)
            process.kill()
            process.communicate()
        built = self.build(buildfile)
        self.assertEqual(built.layout.text("/7"), "7\n")
        self.assertEqual(mounts_below(self.state), [])
