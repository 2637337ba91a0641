"""Draw the peak that is reported for a small program while its parent grows.

The same child is measured in three ways: by ``subprocess`` and ``os.wait4``, by
``RUSAGE_CHILDREN``, and by ``rusage.run``. Linux only.
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
SIZES = [0, 50, *range(100, 1000, 100), 1024]  # MiB that the parent uses at least
GRID = [0, 256, 512, 768, 1024]  # MiB


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


WAYS = {"subprocess and os.wait4": by_wait4, "RUSAGE_CHILDREN": by_children, "rusage.run": by_run}


def measured() -> list[tuple[float, ...]]:
    """Return the size of a growing parent and the child's peak reported by each way, in MiB."""
    points = []
    held = []
    for size in SIZES:
        while (own := rusage.maxrss()) < size * MIB:
            memory = mmap.mmap(
                -1,
                max(mmap.PAGESIZE, size * MIB - own),
                flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
            )
            for at in range(0, len(memory), mmap.PAGESIZE):
                memory[at] = 1
            held.append(memory)
        points.append((rusage.maxrss() / MIB, *(way() / MIB for way in WAYS.values())))
    return points


def draw(points: list[tuple[float, ...]]) -> None:
    """Draw the picture."""
    # Not before the measurement: their memory would be the parent's.
    from matplotlib.figure import Figure  # noqa: PLC0415 (as the comment says)
    from pictures import BLUE, ORANGE, PURPLE, save  # noqa: PLC0415 (as above)

    sizes, *peaks = zip(*points, strict=True)
    figure = Figure(figsize=(560 / 72, 360 / 72), layout="constrained")
    axes = figure.subplots()
    styles = [(ORANGE, "-"), (PURPLE, (0, (3, 3))), (BLUE, "-")]
    for label, values, (colour, style) in zip(WAYS, peaks, styles, strict=True):
        axes.plot(
            sizes,
            values,
            label=label,
            color=colour,
            linestyle=style,
            linewidth=2.5,
            marker="o",
            markersize=5,
        )
    axes.set_title(f"Peak memory reported for {TRUE}, in MiB", pad=14)
    machine = f"Linux {platform.release().partition('-')[0]}, {platform.machine()}"
    axes.set_xlabel(f"peak memory of the parent, in MiB ({machine})")
    axes.set_xticks(GRID)
    axes.set_yticks(GRID)
    axes.grid(axis="y")
    axes.legend(frameon=False, labelcolor="linecolor", loc="upper left", bbox_to_anchor=(0, 0.96))
    least, most = f"{min(peaks[-1]):.1f}", f"{max(peaks[-1]):.1f}"
    own = least if least == most else f"{least} to {most}"
    axes.annotate(
        f"{own} MiB",
        (sizes[-1], peaks[-1][-1]),
        (0, 10),
        textcoords="offset points",
        ha="right",
        color=BLUE,
    )
    save(figure, PICTURE, f"The peak reported for {TRUE}, started by a growing parent")


def main() -> None:
    """Measure, print a table and draw the picture."""
    points = measured()
    print("| parent (MiB) |", " | ".join(WAYS), "|")
    print("| --- " * (1 + len(WAYS)), "|", sep="")
    for point in points:
        print("|", " | ".join(f"{size:.1f}" for size in point), "|")
    draw(points)


if __name__ == "__main__":
    main()
