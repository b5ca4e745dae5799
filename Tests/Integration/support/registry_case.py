"""What the tests of registries share: one that is empty, images for it, and swbuild with credentials of the test's own."""
import json

from .case import Build, Case
from .images import base_layout
from .registry import Registry


class RegistryCase(Case):
    def setUp(self):
        super().setUp()
        self.auth = self.directory / "auth.json"
        self.environment = {"REGISTRY_AUTH_FILE": str(self.auth), "HOME": str(self.directory)}

    def swbuild(self, *arguments, expect: int | None = 0, root=None, **options) -> Build:
        """Calls swbuild; `root` is the state directory, if not the test's."""
        environment = {**self.environment, **options.pop("env", {})}
        if root:
            environment["SWBUILD_ROOT"] = str(root)
        done = self.run_swbuild(*arguments, env=environment, **options)
        if expect is None:
            self.assertClean(done)
        else:
            self.assertEqual(done.status, expect, done.stderr[-3000:])
        return done

    def make(self, buildfile: str, *flags, **options) -> Build:
        return self.build(buildfile, *flags, env=self.environment, **options)

    def inspect(self, name: str, **options) -> dict:
        return json.loads(self.swbuild("inspect", name, **options).stdout)

    def skopeo(self, *arguments) -> str:
        return self.tool("skopeo", *arguments, env=self.environment)

    def seed(self, registry: Registry, name: str = "base:1", *flags, source: str | None = None) -> str:
        """Puts the base image, or another source of skopeo's, into a registry; returns its reference."""
        source = source or f"oci:{base_layout()}:latest"
        self.skopeo("copy", "--dest-tls-verify=false", *flags, source, f"docker://{registry.host}/{name}")
        return f"{registry.host}/{name}"

    def configure(self, text: str) -> None:
        """Makes `text` the registries.conf of all calls from now on."""
        path = self.directory / "registries.conf"
        path.write_text(text)
        self.environment["CONTAINERS_REGISTRIES_CONF"] = str(path)
        self.environment["CONTAINERS_REGISTRIES_CONF_DIR"] = str(self.directory / "none")

    def left_over(self, root=None) -> list[str]:
        """The files of blobs that came only in part."""
        return sorted(path.name for path in ((root or self.state) / "incoming").iterdir())
