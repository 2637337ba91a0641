"""The picture of a tree's samples: ``--plot``."""

from __future__ import annotations

import io
import itertools
import os
import shlex
from typing import TYPE_CHECKING

from .report import complain, on_one_line, quantity, readable, write_export
from .tree import TOO_SHORT, processes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .. import Sample
    from .files import Export
    from .results import Ended
    from .tree import TreePeak

# The CPU use is drawn for at most this number of parts of the time: a single interval has few ticks of the clock.
PARTS = 100


def draw(export: Export, command: list[str], ended: Ended) -> bool:
    """Draw memory and CPU use over time into a file, whose name tells the format.

    If that fails, print why. Return whether there is a picture.
    """
    peak = ended.tree
    if peak is None:
        complain(export.path, f"there is nothing to draw: {ended.unsampled or TOO_SHORT}")
        return False
    drawn = io.BytesIO()
    try:
        picture(command, peak).savefig(drawn, format=os.path.splitext(export.path)[1][1:])
    except Exception as error:  # noqa: BLE001 (as many kinds as there are installations and settings of matplotlib)
        complain(export.path, on_one_line(f"matplotlib cannot draw this: {type(error).__name__}: {error}"))
        return False
    return write_export(drawn.getvalue(), export)


def picture(command: list[str], peak: TreePeak) -> Figure:
    """Return the picture."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (its import fails with some settings)

    figure = Figure(figsize=(8, 5), layout="constrained")
    memory, cpu = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    title = readable(shlex.join(command)).replace("$", r"\$")
    figure.suptitle(title if len(title) <= 80 else f"{title[:77]}...")

    times = [sample.elapsed for sample in peak.samples]
    memory.plot(times, [sample.rss / 2**20 for sample in peak.samples])
    at, most = peak.largest.elapsed, peak.largest.rss
    memory.plot([at], [most / 2**20], "o")
    # The text is on the side with more room.
    side = "left" if at < times[-1] / 2 else "right"
    memory.annotate(
        f" {quantity(most, 'bytes')} in {processes(peak.largest)} ",
        (at, most / 2**20),
        ha=side,
        va="bottom",
    )
    memory.set_ylabel("memory of all processes (MiB)")
    memory.set_ylim(0, most / 2**20 * 1.15)

    edges, use = cpu_use(peak.samples)
    if use:
        cpu.stairs(use, edges, fill=True)
    cpu.set_ylabel("CPUs in use")
    cpu.set_ylim(0)
    cpu.set_xlabel("seconds")
    for axes in memory, cpu:
        axes.grid(alpha=0.3)
    return figure


def cpu_use(samples: list[Sample]) -> tuple[list[float], list[float]]:
    """Return the ends of parts of the time, and the CPU time in each part divided by its length."""
    step = max(1, -(-(len(samples) - 1) // PARTS))
    spent = {sample.elapsed: sample.cputime for sample in samples[:-1:step] + samples[-1:]}
    use = [(spent[later] - spent[earlier]) / (later - earlier) for earlier, later in itertools.pairwise(spent)]
    return list(spent), use
