"""Registries and an ordinary user: everything lies in places of the user's own."""
from support.case import SWBUILD
from support.images import base_layout
from support.registry import Registry
from support.rootless_case import RootlessCase

SCRIPT = """
set -e
swbuild=$1 host=$2
if "$swbuild" pull "$host/base:1"; then echo "nobody logged in"; exit 1; fi
echo the-password | "$swbuild" login -u somebody --password-stdin "$host"
stat -c '%a %n' "$HOME/.docker/config.json"
"$swbuild" pull "$host/base:1"
printf 'FROM %s\\nRUN id -u > /made\\n' "$host/base:1" | "$swbuild" build -f - -t "$host/made:1" --push "$HOME"
"$swbuild" prune --all
"$swbuild" build -f - -o "type=local,dest=$HOME/out" "$HOME" <<END
FROM $host/made:1
RUN test "\\$(cat /made)" = 0 && echo again > /again
END
cat "$HOME/out/again"
"$swbuild" logout "$host"
if "$swbuild" pull "$host/made:1"; then echo "still logged in"; exit 1; fi
"""


class Rootless(RootlessCase):
    def test_pull_build_push_and_login(self):
        registry = Registry(self, users={"somebody": "the-password"})
        self.tool("skopeo", "copy", "--dest-tls-verify=false", "--dest-creds", "somebody:the-password",
                  f"oci:{base_layout()}:latest", f"docker://{registry.host}/base:1")
        done = self.as_user("sh", "-c", SCRIPT, "sh", SWBUILD, registry.host)
        self.assertEqual(done.status, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"600 \S+/\.docker/config\.json")
        self.assertIn("again\n", done.stdout)
        self.assertIn(f"swbuild login {registry.host}", done.stderr)
        self.assertNotIn("the-password", done.stdout + done.stderr)
        self.assertEqual(len(registry.manifest("made", "1", "somebody:the-password")["layers"]), 2)
