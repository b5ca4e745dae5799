"""Saved images in the hands of daemons: `docker load` and `ctr image import`, each with a daemon of the test's own."""
import json
import os
import pathlib
import subprocess

from support import Case, unmount_below

BUILDFILE = "FROM busybox\nRUN echo some text > /text\nRUN rm /etc/group\nLABEL word=here\n"


class Daemons(Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(unmount_below, self.directory)
        self.built = self.build(BUILDFILE)
        self.saved = self.directory / "saved.tar"
        done = self.run_swbuild("save", "-o", self.saved, "test")
        self.assertEqual(done.status, 0, done.stderr)

    def daemon(self, name: str, *command) -> None:
        """Starts a daemon that ends with the test."""
        log = open(self.directory / f"{name}.log", "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen([name, *map(str, command)], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT)

        def stop():
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.addCleanup(stop)

    def containerd(self) -> pathlib.Path:
        socket = self.directory / "containerd.sock"
        self.daemon("containerd", "--root", self.directory / "containerd", "--state", self.directory / "containerd-state",
                    "--address", socket)
        self.wait_for(lambda: subprocess.run(["ctr", "-a", socket, "version"], capture_output=True).returncode == 0)
        return socket

    def test_containerd_imports_both_forms(self):
        ctr = ["ctr", "-a", self.containerd()]
        for form in ("docker", "oci"):
            with self.subTest(form=form):
                path = self.directory / f"{form}.tar"
                self.run_swbuild("save", "--format", form, "-o", path, "test")
                self.tool(*ctr, "image", "import", path)
                listed = self.tool(*ctr, "image", "ls").splitlines()[1].split()
                self.assertEqual((listed[0], listed[2]), ("docker.io/library/test:latest", self.built.digest))
                self.tool(*ctr, "image", "rm", listed[0])

    def test_docker_loads_what_was_saved_and_saves_what_is_loaded(self):
        socket = self.directory / "docker.sock"
        self.daemon("dockerd", "--data-root", self.directory / "docker", "--exec-root", self.directory / "docker-exec",
                    "--pidfile", self.directory / "docker.pid", "--containerd", self.containerd(), "-H", f"unix://{socket}",
                    "--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs")
        docker = ["docker", "-H", f"unix://{socket}"]
        environment = {"HOME": str(self.directory), "DOCKER_CONFIG": str(self.directory)}
        self.wait_for(lambda: subprocess.run([*docker, "info"], capture_output=True,
                                             env={**os.environ, **environment}).returncode == 0)
        loaded = self.tool(*docker, "load", "-i", self.saved, env=environment)
        self.assertIn("test:latest", loaded)
        found, = json.loads(self.tool(*docker, "image", "inspect", "test:latest", env=environment))
        self.assertEqual(found["Id"], self.built.layout.manifest["config"]["digest"])
        self.assertEqual(found["RootFS"]["Layers"], self.built.layout.config["rootfs"]["diff_ids"])
        back = self.directory / "back.tar"
        self.tool(*docker, "save", "-o", back, "test:latest", env=environment)
        other = {"SWBUILD_ROOT": str(self.directory / "other")}
        done = self.run_swbuild("load", "-i", back, env=other)
        self.assertEqual(done.status, 0, done.stderr)
        shown = self.run_swbuild("run", "test", "cat", "/text", env=other)
        self.assertEqual(shown.stdout, "some text\n", shown.stderr)
        inspected = json.loads(self.run_swbuild("inspect", "test", env=other).stdout)
        self.assertEqual(inspected["manifest"]["config"]["digest"], found["Id"])
