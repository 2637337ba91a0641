"""Draw the picture of docs/trees.md, as ``--plot`` draws it: ``python benchmarks/recording.py``."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
from cycler import cycler
from pictures import BLUE, ORANGE, save

import rusage
from rusage._cli.formats import picture
from rusage._cli.sampling import NEVER, Recording, tree_record

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "_static" / "recording.svg"
# Three steps of a build, with three programs each; the sizes are in MiB, and a program uses 10 ms
# of CPU time for each MiB.
BUILD = r"""
import subprocess, sys
step = "import time\nb = bytearray(b'x') * ({} << 20)\nwhile time.process_time() < {} / 100: pass"
for sizes in [(30, 50, 40), (80, 60, 70), (40, 90, 20)]:
    children = [
        subprocess.Popen([sys.executable, "-S", "-c", step.format(size, size)])
        for size in sizes
    ]
    for child in children:
        child.wait()
"""


def main() -> None:
    """Record the build, and draw."""
    with (
        rusage.Popen([sys.executable, "-c", BUILD]) as build,
        Recording(build.pid, 0.01, NEVER) as record,
    ):
        build.wait()
    tree = tree_record(record, build.pid)
    mpl.rcParams["axes.prop_cycle"] = cycler(color=[BLUE, ORANGE])
    figure = picture("make -j3", tree)
    figure.set_size_inches(480 / 72, 400 / 72)
    save(figure, PICTURE, "The memory of a build over time")


if __name__ == "__main__":
    main()
