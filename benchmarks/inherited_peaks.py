"""Draw the peak that is reported for a small program while its parent grows.

The same child is measured in three ways: by ``subprocess`` and ``os.wait4``, by ``RUSAGE_CHILDREN``, and by
``rusage.run``. Linux only.
"""

from __future__ import annotations

import mmap
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

import rusage

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "_static" / "inherited-peaks.svg"
TRUE = "/bin/true"
MIB = 2**20
SIZES = [0, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1024]  # MiB that the parent uses at least

WIDTH, HEIGHT = 560, 360
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 48, 300  # the axes
GRID = [0, 256, 512, 768, 1024]  # MiB

# The picture follows the colour scheme of its reader.
STYLE = """
text { font: 15px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; }
.minor { font-size: 13px; fill: #59636e; }
.grid { stroke: #d1d9e0; }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
.wait4 { stroke: #bc4c00; } .wait4.mark, text.wait4 { fill: #bc4c00; stroke: none; }
.children { stroke: #8250df; stroke-dasharray: 7 5; } .children.mark, text.children { fill: #8250df; stroke: none; }
.run { stroke: #0969da; } .run.mark, text.run { fill: #0969da; stroke: none; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; }
.minor { fill: #9198a1; }
.grid { stroke: #3d444d; }
.wait4 { stroke: #f0883e; } .wait4.mark, text.wait4 { fill: #f0883e; }
.children { stroke: #bc8cff; } .children.mark, text.children { fill: #bc8cff; }
.run { stroke: #58a6ff; } .run.mark, text.run { fill: #58a6ff; }
}
"""


def by_wait4() -> int:
    """Return the peak of a child of ``subprocess``, as ``os.wait4`` reports it."""
    child = subprocess.Popen([TRUE])
    _, child.returncode, usage = os.wait4(child.pid, 0)
    return usage.ru_maxrss * 1024


def by_children() -> int:
    """Return the peak of ``RUSAGE_CHILDREN`` after a child of ``subprocess``."""
    subprocess.run([TRUE], check=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def by_run() -> int:
    """Return the peak of a child of ``rusage.run``."""
    done = rusage.run([TRUE], check=True)
    if "ru_maxrss" not in done.measured:
        sys.exit("the launcher cannot be used here")
    return done.rusage.ru_maxrss


WAYS = [
    ("wait4", "subprocess and os.wait4", by_wait4),
    ("children", "RUSAGE_CHILDREN", by_children),
    ("run", "rusage.run", by_run),
]


def measured() -> list[tuple[float, dict[str, float]]]:
    """Return the size of the parent and the peak reported for the child by each way, in MiB, for growing parents."""
    points = []
    held = []
    for size in SIZES:
        while (own := rusage.maxrss()) < size * MIB:
            memory = mmap.mmap(-1, max(mmap.PAGESIZE, size * MIB - own), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
            for at in range(0, len(memory), mmap.PAGESIZE):
                memory[at] = 1
            held.append(memory)
        points.append((rusage.maxrss() / MIB, {name: way() / MIB for name, _, way in WAYS}))
    return points


def picture(points: list[tuple[float, dict[str, float]]]) -> str:
    """Return the picture, as SVG."""

    def at(size: float, peak: float) -> tuple[float, float]:
        return LEFT + size / GRID[-1] * (WIDTH - RIGHT - LEFT), BOTTOM - peak / GRID[-1] * (BOTTOM - TOP)

    last_size, last = points[-1]
    description = (
        f"With a parent of {last_size:.0f} MiB, os.wait4 reports {last['wait4']:.0f} MiB, RUSAGE_CHILDREN "
        f"{last['children']:.0f} MiB and rusage.run {last['run']:.1f} MiB."
    )
    labels = {name: label for name, label, _ in WAYS}
    machine = f"Linux {platform.release().partition('-')[0]}, {platform.machine()}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>The peak reported for {TRUE}, started by a growing parent</title>",
        f"<desc>{description}</desc>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="24">Peak memory reported for {TRUE}, in MiB</text>',
    ]
    for value in GRID:
        x, y = at(value, value)
        lines.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        lines.append(f'<text class="minor" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
        lines.append(f'<text class="minor" x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{value}</text>')
    lines.append(
        f'<text class="minor" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">'
        f"peak memory of the parent, in MiB ({machine})</text>"
    )
    for name in labels:
        path = " ".join("{:.1f},{:.1f}".format(*at(size, peaks[name])) for size, peaks in points)
        lines.append(f'<polyline class="line {name}" points="{path}"/>')
        for size, peaks in points:
            x, y = at(size, peaks[name])
            lines.append(f'<circle class="{name} mark" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
    x, y = at(last_size * 0.55, last["wait4"] * 0.55)
    lines.append(f'<text class="wait4" x="{x:.0f}" y="{y - 40:.0f}" text-anchor="end">{labels["wait4"]}</text>')
    lines.append(f'<text class="children" x="{x:.0f}" y="{y - 18:.0f}" text-anchor="end">{labels["children"]}</text>')
    _, y = at(0, last["run"])
    least, most = (f"{f(peaks['run'] for _, peaks in points):.1f}" for f in (min, max))
    lines.append(
        f'<text class="run" x="{WIDTH - RIGHT}" y="{y - 12:.0f}" text-anchor="end">'
        f"{labels['run']}: {least if least == most else f'{least} to {most}'} MiB</text>"
    )
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Measure, print a table and draw the picture."""
    points = measured()
    print("| parent (MiB) |", " | ".join(label for _, label, _ in WAYS), "|")
    print("| --- " * (1 + len(WAYS)), "|", sep="")
    for size, peaks in points:
        print(f"| {size:.1f} |", " | ".join(f"{peaks[name]:.1f}" for name, _, _ in WAYS), "|")
    PICTURE.write_text(picture(points), encoding="utf-8")


if __name__ == "__main__":
    main()
