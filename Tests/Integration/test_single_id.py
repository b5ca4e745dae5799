"""Owners where one id alone is mapped: what they depend on beside the marks on files, compared with root's build."""
from support import Layout
from support.attack import compile_c
from support.case import SWBUILD
from support.rootless_case import RootlessCase

from test_rootless import EPOCH

# What no shell has: an exchange of names, a name for what is open, and a change of owner of what has lost its name.
NAMES = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int count, char **words) {
    if (!strcmp(words[1], "exchange")) return syscall(SYS_renameat2, AT_FDCWD, words[2], AT_FDCWD, words[3], 2L) != 0;
    if (!strcmp(words[1], "follow")) return linkat(AT_FDCWD, words[2], AT_FDCWD, words[3], AT_SYMLINK_FOLLOW) != 0;
    int file = open(words[2], 010000000 | O_NOFOLLOW); /* O_PATH */
    if (!strcmp(words[1], "link")) /* kernels before 6.10 refuse it */
        return linkat(file, "", AT_FDCWD, words[3], 0x1000) && linkat(AT_FDCWD, words[2], AT_FDCWD, words[3], 0);
    if (!strcmp(words[1], "gone")) return unlink(words[2]) || fchownat(file, "", 5, 6, 0x1000);
    return 2;
}
"""


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

    def test_names_by_calls_that_shells_lack(self):
        (self.context / "names").write_bytes(compile_c(NAMES))
        self.assertSame(
            "FROM busybox\nCOPY --chmod=755 names /\n"
            "RUN mkdir /d && cd /d && for i in a b c d e; do ln -s $i $i; chown -h $(printf %d \"'$i\") $i; done && "
            "ln -s f f && ln -s p to-p && chown -h 9 to-p && mkfifo p q && chown 7:8 p\n"
            "RUN cd /d && /names exchange a b && /names exchange c f && /names link d hard && /names follow to-p followed && "
            "/names exchange p q && stat -c '%n %u:%g' * > /seen\n")

    def test_what_has_lost_its_name_gives_none_to_another(self):
        (self.context / "names").write_bytes(compile_c(NAMES))
        self.assertSame("FROM busybox\nCOPY --chmod=755 names /\n"
                        "RUN mkdir /d && cd /d && ln -s x gone && ln -s x 'gone (deleted)' && /names gone gone && "
                        "for i in $(seq 50); do ln -s y new$i; done && stat -c '%n %u:%g' * > /seen\n")

    def test_links_and_pipes_that_were_copied_up_before_they_get_other_names(self):
        self.assertSame(
            "FROM busybox\nRUN mkdir -m 777 /d && cd /d && ln -s a l && mkfifo -m 666 p && chown -h 1000 l p && "
            "ln -s b m && mkfifo q && chown 1000:7 q\n"
            "USER build\nRUN cd /d && touch -h -d @1 l && chmod 600 p && chmod 640 q && "
            "stat -c '%n %u:%g' * > /tmp/a && "
            "mv l l2 && mv p p2 && mv q q2 && mv m m2 && stat -c '%n %u:%g' * > /tmp/b\n")

    def test_new_links_have_no_owners_of_many_that_are_gone(self):
        names = "$(seq 300)"
        self.assertSame(f"FROM busybox\nRUN mkdir /d && cd /d && for i in {names}; do ln -s $i old$i; done && "
                        f"chown -h 5:6 old* && rm old* && for i in {names}; do ln -s $i $i; done && stat -c '%n %u:%g' * > /seen\n")

    def test_the_group_of_a_directory_far_up(self):
        """More directories than the program may have open."""
        down = "i=0; while [ $i -lt 600 ]; do mkdir d && cd d && i=$((i+1)) || exit 1; done"
        words, output, _ = self.arguments(
            "FROM busybox\nRUN ulimit -n 2000 && mkdir /s && chgrp 50 /s && chmod 2775 /s && cd /s && "
            f"({down}; touch f && stat -c %g f > /seen) && rm -r /s/d\n")
        build = self.as_user("sh", "-c", 'ulimit -S -n 400 && exec "$@"', "sh", SWBUILD, *words, env=EPOCH, flags=["--no-ids"])
        self.assertEqual(build.status, 0, build.stderr)
        self.assertEqual(Layout(output).text("/seen"), "50\n")
