"""The workloads: what is built, and what changes between two builds."""
from __future__ import annotations

import dataclasses
import pathlib
import shutil
from collections.abc import Callable

import generate


@dataclasses.dataclass
class Input:
    """A build's input. The build file begins with `ARG BASE` and `FROM $BASE`."""
    buildfile: str
    context: pathlib.Path
    base: pathlib.Path
    # Called with the number of the run before each run of `one changed`; may return another build file.
    change: Callable[[int], str | None] | None = None
    # A build file with so many steps less: what counts is how much longer the build takes, divided by that number.
    shorter: tuple[str, int] | None = None


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    modes: tuple[str, ...]  # of "nothing cached", "all cached", "one changed"
    prepare: Callable[[pathlib.Path, float], Input]
    parses_step_time: bool = False
    # Whether states and layouts of earlier runs stay until the end of the bench: what is small can.
    keeps_states: bool = False


HEAD = "ARG BASE\nFROM $BASE\n"


def busybox(directory: pathlib.Path) -> pathlib.Path:
    return generate.write_image(directory / "base", [generate.busybox_layer()])


def empty_context(directory: pathlib.Path) -> pathlib.Path:
    context = directory / "context"
    context.mkdir()
    return context


def steps(count: int) -> Callable[[pathlib.Path, float], Input]:
    def prepare(directory: pathlib.Path, scale: float) -> Input:
        runs = "".join(f"RUN echo {n} > /file{n}\n" for n in range(count))
        return Input(HEAD + runs, empty_context(directory), busybox(directory))
    return prepare


def step_cost(directory: pathlib.Path, scale: float) -> Input:
    shorter, longer = (HEAD + "".join(f"RUN echo {n} > /file{n}\n" for n in range(count)) for count in (20, 40))
    return Input(longer, empty_context(directory), busybox(directory), shorter=(shorter, 20))


def copy_files(directory: pathlib.Path, scale: float) -> Input:
    context = empty_context(directory)
    paths = generate.write_files(context / "tree", int(20_000 * scale), int(265e6 * scale))
    changed = paths[len(paths) // 2]

    def change(number: int) -> None:
        changed.write_bytes(b"changed %d\n" % number)
    return Input(HEAD + "COPY tree /tree\n", context, busybox(directory), change)


def copy_tree(directory: pathlib.Path, scale: float) -> Input:
    tree = directory / "tree"
    generate.write_files(tree, int(8_500 * scale), int(170e6 * scale))
    base = generate.write_image(directory / "base", [generate.busybox_layer(), generate.tree_layer(tree, "tree")])
    shutil.rmtree(tree)

    def change(number: int) -> str:
        return HEAD + f"RUN time cp -a /tree /copy{number}\n"
    return Input(change(0), empty_context(directory), base, change)


def stages(directory: pathlib.Path, scale: float) -> Input:
    names = range(8)
    # Small steps: what is looked at is the builder. Work of their own would be the same for each.
    parts = "".join(f"FROM $BASE AS part{n}\n" + "".join(f"RUN echo {n}.{step} >> /out\n" for step in range(3))
                    for n in names)
    return Input("ARG BASE\n" + parts + "FROM $BASE\n" + "".join(f"COPY --from=part{n} /out /out{n}\n" for n in names),
                 empty_context(directory), busybox(directory))


def many_layers(directory: pathlib.Path, scale: float) -> Input:
    layers = [generate.busybox_layer()]
    for number in range(119):
        source = directory / "layer"
        source.mkdir()
        (source / f"file{number}").write_text(f"{number}\n" * 100)
        layers.append(generate.tree_layer(source, "data"))
        shutil.rmtree(source)

    def change(number: int) -> str:
        return HEAD + f"RUN echo {number} > /last\n"
    return Input(change(0), empty_context(directory), generate.write_image(directory / "base", layers), change)


def large_file(directory: pathlib.Path, scale: float) -> Input:
    context = empty_context(directory)
    rng = generate.random.Random(generate.SEED)
    pool = generate.Pool(rng, 32 << 20)
    with open(context / "large", "wb") as file:
        for _ in range(max(1, int(32 * scale))):
            file.write(pool.take(rng, 64 << 20))
    return Input(HEAD + "COPY large /large\n", context, busybox(directory))


def empty_files(directory: pathlib.Path, scale: float) -> Input:
    context = empty_context(directory)
    for folder in range(max(1, int(1000 * scale))):
        (context / "tree" / f"d{folder}").mkdir(parents=True)
        for number in range(200):
            (context / "tree" / f"d{folder}" / f"f{number}").touch()
    return Input(HEAD + "COPY tree /tree\n", context, busybox(directory))


def large_base(directory: pathlib.Path, scale: float) -> Input:
    layers = [generate.busybox_layer()]
    for number in range(5):
        source = directory / "part"
        generate.write_files(source, int(1_700 * scale), int(34e6 * scale), generate.SEED + number)
        layers.append(generate.tree_layer(source, f"part{number}"))
        shutil.rmtree(source)
    return Input(HEAD + "RUN true > /done\n", empty_context(directory),
                 generate.write_image(directory / "base", layers))


def ignore(directory: pathlib.Path, scale: float) -> Input:
    context = empty_context(directory)
    endings = ["o", "log", "tmp", "c", "txt"]
    for folder in range(max(1, int(500 * scale))):
        place = context / f"part{folder % 10}" / f"d{folder}"
        place.mkdir(parents=True)
        for number in range(200):
            (place / f"f{number}.{endings[number % 5]}").touch()
    # Of every kind that there is, and no directory is dropped as a whole: each file is looked at with each pattern.
    patterns = ["**/*.o", "**/*.log", "part*/*/*.tmp", "**/*.txt", "**/*.c"]
    for number in range(39):
        patterns += [f"name{number}", f"**/*.suffix{number}", f"part{number}/*/x?{number}", f"**/dir{number}/**",
                     f"!part1/d{number}1/f3.c"]
    (context / ".dockerignore").write_text("\n".join(patterns) + "\n")
    return Input(HEAD + "COPY . /tree\n", context, busybox(directory))


def parse(directory: pathlib.Path, scale: float) -> Input:
    """A build file of 200,000 lines and 10 MB, of which the target needs the last two only."""
    kinds = ['RUN echo {n} && \\\n    test -e /file{n} && echo "a longer line, $PATH and all" > /directory/file{n}\n',
             'ENV NAME{n}=value{n} OTHER{n}="a value with blanks in it" THIRD{n}=$NAME{n}\n',
             'COPY --chown=1000:1000 --chmod=644 some/source{n} other/source{n} /destination{n}/\n',
             '# A comment on what follows, about as long as those that people write: {n}\n',
             'RUN <<EOF\necho a here-document of one line, {n}\nEOF\n',
             'LABEL org.example.label{n}="some value of the label" other=${{NAME{n}:-x}}\n']
    lines, text = 0, []
    while lines < 200_000 * scale:
        text.append(kinds[len(text) % len(kinds)].format(n=len(text)))
        lines += text[-1].count("\n")
    return Input("ARG BASE\nFROM $BASE AS unused\n" + "".join(text) + "FROM $BASE\nRUN true\n",
                 empty_context(directory), busybox(directory))


WORKLOADS = [
    Workload("steps-20", "20 small RUN steps", ("nothing cached", "all cached"), steps(20), keeps_states=True),
    Workload("steps-40", "40 small RUN steps", ("nothing cached", "all cached"), steps(40), keeps_states=True),
    Workload("step-cost", "one further RUN step: (40 - 20) / 20", ("nothing cached",), step_cost, keeps_states=True),
    Workload("copy-files", "COPY of 20,000 files, 265 MB", ("nothing cached", "all cached", "one changed"), copy_files),
    Workload("copy-tree", "RUN cp -a of 8,500 files, 170 MB", ("one changed",), copy_tree, parses_step_time=True),
    Workload("stages", "eight stages of three steps that feed one", ("nothing cached",), stages, keeps_states=True),
    Workload("many-layers", "one more step on 120 layers", ("one changed",), many_layers),
    Workload("large-base", "base of 170 MB in 5 layers, one step", ("nothing cached",), large_base),
    Workload("ignore", "COPY of 100,000 files less 200 patterns", ("nothing cached", "all cached"), ignore),
    Workload("parse-10mb", "build file of 200,000 lines, 10 MB", ("nothing cached",), parse),
    Workload("large-file", "COPY of one 2 GB file", ("nothing cached",), large_file),
    Workload("empty-files", "COPY of 200,000 empty files", ("nothing cached", "all cached"), empty_files),
]
