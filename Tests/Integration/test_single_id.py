"""Owners where one id alone is mapped: what they depend on beside the marks on files, compared with root's build."""
from support.rootless_case import RootlessCase

from test_rootless import EPOCH


class Owners(RootlessCase):
    maxDiff = None

    def assertSame(self, text: str):
        by_root = self.build(text, env=EPOCH)
        by_user = self.user_build(text, env=EPOCH, wrapper_flags=["--no-ids"])
        trees = by_user.layout.tree, by_root.layout.tree
        differing = {path: [tree.get(path) for tree in trees] for path in {*trees[0], *trees[1]}
                     if trees[0].get(path) != trees[1].get(path)}
        self.assertEqual(differing, {})
        self.assertEqual(by_user.digest, by_root.digest)

    def test_the_group_of_new_files_is_seen(self):
        self.assertSame(
            "FROM busybox\nRUN mkdir -p /d/old && touch /d/before\nRUN chgrp 50 /d /d/old && chmod 2775 /d /d/old\n"
            "RUN touch /d/f && mkdir /d/sub && touch /d/sub/g /d/old/h && ln -s f /d/l && touch /d/own && chown 7 /d/own && "
            "echo x > /d/before && stat -c '%n %u:%g' /d/* /d/sub/g /d/old/h > /seen\n"
            "USER build\nRUN cd /tmp && mkdir d && chmod 2755 d && touch d/f && stat -c '%n %u:%g' d d/f > seen\n")

    def test_links_and_pipes_of_a_former_step_get_other_names(self):
        self.assertSame(
            "FROM busybox\n"
            "RUN mkdir /d && cd /d && for i in a b c d e; do ln -s $i $i; chown -h 5:6 $i; done && mkfifo p && chown 7:8 p\n"
            "RUN cd /d && mv a moved && ln b hard && mv p /pipe && mv /d/c / && stat -c '%n %u:%g' moved b hard /pipe /c > /seen\n"
            "RUN cd /d && rm d && mv e d && mv moved a && ln -sf x b\n")

    def test_new_links_have_no_former_ones_owners(self):
        script = "for i in 1 2 3 4 5 6 7 8 9 10; do ln -s $i old; chown -h 5:6 old; rm old; ln -s $i $i; mkfifo p$i; done"
        self.assertSame(f"FROM busybox\nRUN mkdir /d && cd /d && {script} && stat -c '%n %u:%g' /d/* > /seen\n")

    def test_what_is_copied_up_keeps_its_owner(self):
        self.assertSame(
            "FROM busybox\nRUN mkdir -m 777 /d /d/s && touch /d/roots /d/moved && chmod 666 /d/roots && ln -s a /d/link\n"
            "USER build\n"
            "RUN cd /d && echo x > roots && mv moved m && mv link l && mv s t && stat -c '%n %u:%g' /d/* > /tmp/seen\n")
