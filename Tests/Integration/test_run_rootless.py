"""`swbuild run` by an ordinary user, with subordinate ids and without."""
from support.case import SWBUILD
from support.rootless_case import RootlessCase

TEXT = """\
FROM busybox
RUN mkdir /d && touch /d/a && chown 33:34 /d/a && ln -s a /d/l && chown -h 5:6 /d/l
USER build
CMD ["id"]
"""


class Runs(RootlessCase):
    WRAPPERS = (["--tunnels"], ["--tunnels", "--no-ids"])

    def built(self):
        """The wrapper's flags, and a state directory in which the image is."""
        for flags in self.WRAPPERS:
            state = self.directory / f"user-state-{len(flags)}"
            self.user_build(TEXT, "--root", state, wrapper_flags=flags)
            yield flags, state

    def look(self, flags, state, *words, expect: int = 0):
        done = self.as_user(SWBUILD, "run", "--root", state, *words, flags=flags)
        self.assertEqual(done.status, expect, done.stderr)
        return done

    def test_the_user_of_the_image(self):
        for flags, state in self.built():
            with self.subTest(flags=flags):
                done = self.look(flags, state, "test:latest")
                self.assertIn("uid=1000(build) gid=1001(build)", done.stdout)
                self.assertEqual(done.stderr, "")
                owners = "stat -c %u:%g /d/a /d/l; touch /tmp/x; stat -c %u:%g /tmp/x; ! chown 0 /tmp/x 2>&1; exit 7"
                done = self.look(flags, state, "test:latest", "sh", "-c", owners, expect=7)
                self.assertEqual(done.stdout.splitlines()[:3], ["33:34", "5:6", "1000:1001"])
                self.assertIn("not permitted", done.stdout)

    def test_root_gives_files_away_and_makes_nodes(self):
        for flags, state in self.built():
            with self.subTest(flags=flags):
                script = "touch /f && chown 9:10 /f && stat -c %u:%g /f && mknod /n c 1 3 && echo made; id -u"
                done = self.look(flags, state, "-u", "0", "test:latest", "sh", "-c", script)
                self.assertEqual(done.stdout.splitlines(), ["9:10", "made", "0"])

    def test_a_user_that_there_is_no_id_for(self):
        flags, state = next(iter(self.built()))
        done = self.look(flags, state, "-u", "4000000", "test:latest", "true", expect=125)
        self.assertMentions(done, "the user id 4000000", "/etc/subuid")
