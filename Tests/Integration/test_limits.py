"""Builds larger than usual."""
import os

from support import Case


class Limits(Case):
    def test_more_layers_than_an_overlay_takes(self):
        """An overlay mount takes some hundred lower directories at most, its options one page."""
        buildfile = "FROM busybox\n" + "".join(f"RUN echo {n} > /file{n}; rm -f /file{n - 2}\n" for n in range(160))
        layout = self.build(buildfile).layout
        self.assertEqual(layout.layers, 161)
        self.assertEqual(layout.text("/file159"), "159\n")
        self.assertNotIn("/file10", layout.tree)

    def test_two_hundred_steps_and_one_more(self):
        self.files({"file": "x\n"})
        steps = "".join(f"ENV N{n}={n}\nCOPY file /dir{n % 7}/file{n}\n" for n in range(100))
        self.build("FROM scratch\n" + steps)
        built = self.build("FROM scratch\n" + steps + "COPY file /last\n")
        self.assertEqual(built.executed(), ["COPY file /last"])
        self.assertEqual(built.layout.layers, 101)

    def test_a_hundred_stages(self):
        stages = "FROM busybox AS s0\nRUN echo 0 > /n\n" + "".join(
            f"FROM busybox AS s{n}\nCOPY --from=s{n - 1} /n /n\nRUN echo {n} >> /n\n" for n in range(1, 60))
        layout = self.build(stages).layout
        self.assertEqual(layout.text("/n").split(), [str(n) for n in range(60)])

    def test_stages_that_do_not_depend_on_each_other(self):
        parts = "".join(f"FROM busybox AS p{n}\nRUN echo {n} > /n\n" for n in range(24))
        whole = "FROM scratch\n" + "".join(f"COPY --from=p{n} /n /n{n}\n" for n in range(24))
        tree = self.build(parts + whole, "--jobs", "8").layout.tree
        self.assertEqual([tree[f"/n{n}"]["text"] for n in range(24)], [f"{n}\n" for n in range(24)])

    def test_many_files(self):
        self.files({f"tree/{n % 40}/{n}": f"{n}" for n in range(8000)})
        layout = self.build("FROM scratch\nCOPY tree /tree\n").layout
        self.assertEqual(sum(entry["type"] == "file" for entry in layout.tree.values()), 8000)

    def test_a_deep_directory_and_a_long_name(self):
        deep = "/".join(["d" * 50] * 60)
        (self.context / "tree" / ("n" * 255)).parent.mkdir()
        (self.context / "tree" / ("n" * 255)).write_text("long\n")
        os.makedirs(self.context / "tree" / deep)
        tree = self.build("FROM busybox\nCOPY tree /tree\nRUN touch /tree/" + deep + "/file\n").layout.tree
        self.assertIn(f"/tree/{deep}/file", tree)
        self.assertIn("/tree/" + "n" * 255, tree)

    def test_a_sparse_and_a_large_file(self):
        with open(self.context / "sparse", "wb") as file:
            file.truncate(300 << 20)
        built = self.build("FROM busybox\nCOPY sparse /sparse\nRUN ls -l /sparse | awk '{print $5}' > /size\n")
        self.assertEqual(built.layout.text("/size"), f"{300 << 20}\n")

    def test_a_large_environment(self):
        sets = "".join(f"ENV N{n}={'v' * 1000}\n" for n in range(200))
        built = self.build(f"FROM busybox\n{sets}RUN env | grep -c '^N[0-9]*=v' > /count\n")
        self.assertEqual(built.layout.text("/count"), "200\n")

    def test_a_long_command(self):
        built = self.build("FROM busybox\nRUN echo " + "x" * 100_000 + " | wc -c > /count\n")
        self.assertEqual(built.layout.text("/count").strip(), "100001")
