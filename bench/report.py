"""What came out, as a Markdown table and an SVG plot."""
from __future__ import annotations

import dataclasses
import statistics
from xml.sax.saxutils import escape

from measure import Measurement


@dataclasses.dataclass
class Row:
    """One builder on one workload in one mode."""
    workload: str
    title: str
    mode: str
    builder: str
    runs: list[Measurement]
    peak_bytes: int | None

    @property
    def median(self) -> float:
        return statistics.median(run.seconds for run in self.runs)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu_seconds for run in self.runs)

    @property
    def step(self) -> float | None:
        values = [run.step_seconds for run in self.runs if run.step_seconds is not None]
        return statistics.median(values) if values else None


def seconds(value: float) -> str:
    if value < 0.02:
        return f"{value * 1000:.1f} ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def markdown(rows: list[Row], facts: list[str]) -> str:
    ours = {(row.workload, row.mode): row.median for row in rows if row.builder == "swbuild"}
    lines = ["# Benchmark results", *[f"- {fact}" for fact in facts], "",
             "| workload | cache | builder | median | min | max | CPU | memory | × |",
             "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for row in rows:
        times = [run.seconds for run in row.runs]
        memory = f"{row.peak_bytes / 1e6:.0f} MB" if row.peak_bytes is not None else ""
        base = ours.get((row.workload, row.mode))
        ratio = f"{row.median / base:.1f}" if base else ""
        lines.append(f"| {row.title} | {row.mode} | {row.builder} | {seconds(row.median)} | {seconds(min(times))} | "
                     f"{seconds(max(times))} | {seconds(row.cpu)} | {memory} | {ratio} |")
    own = [row for row in rows if row.step is not None]
    if own:
        lines += ["", "What is above the step's own command:", ""]
        lines += [f"- {row.title}, {row.builder}: the command {seconds(row.step)}, the build "
                  f"{seconds(row.median - row.step)} more" for row in own]
    return "\n".join(lines) + "\n"


COLOURS = ["#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#475569"]
BAR, LEFT, WIDTH = 16, 330, 560


def svg(rows: list[Row]) -> str:
    """Bars of the medians, each group on a scale of its own: its slowest builder fills the width."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.title, row.mode), []).append(row)
    builders = list(dict.fromkeys(row.builder for row in rows))
    parts, y = [], 40
    for number, builder in enumerate(builders):
        parts.append(f'<rect x="{LEFT + number * 120}" y="12" width="12" height="12" '
                     f'fill="{COLOURS[number % len(COLOURS)]}"/>'
                     f'<text x="{LEFT + number * 120 + 18}" y="22">{escape(builder)}</text>')
    for (title, mode), group in groups.items():
        slowest = max(row.median for row in group)
        parts.append(f'<text x="{LEFT - 10}" y="{y + BAR * len(group) / 2 + 4}" text-anchor="end">'
                     f'{escape(title)}, {escape(mode)}</text>')
        for row in group:
            width = max(1.0, row.median / slowest * WIDTH)
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" '
                         f'fill="{COLOURS[builders.index(row.builder) % len(COLOURS)]}"/>'
                         f'<text x="{LEFT + width + 6:.1f}" y="{y + BAR - 5}">{seconds(row.median)}</text>')
            y += BAR
        y += 12
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{y + 10}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
            + "".join(parts) + "</svg>\n")
