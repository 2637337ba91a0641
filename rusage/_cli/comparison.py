"""A series of runs and a comparison: their statistics, what is significant, the report as text, and its sentence."""

from __future__ import annotations

import math
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, NamedTuple

from .figures import FIGURES, digits, outcome, scale
from .output import BOLD, is_colored, paint, width_of
from .report import how_often, lines, wrap

if TYPE_CHECKING:
    from typing import TextIO

    from .figures import Ended
    from .options import Options

COMPARED = [name for name, figure in FIGURES.items() if figure.column]


class Summary(NamedTuple):
    """The statistics of a figure."""

    mean: float
    stddev: float | None
    """Of the sample; None for a single run."""
    min: float
    median: float
    max: float


class Ratio(NamedTuple):
    """The ratio of a mean to the first command's mean."""

    ratio: float
    uncertainty: float | None
    """Half the width of the ratio's 95 % interval; None for a single round."""

    @property
    def side(self) -> int:
        """-1 or 1 if the interval is below or above 1; 0 if it includes 1, so that the difference may be chance."""
        if self.uncertainty is None or abs(self.ratio - 1) <= self.uncertainty:
            return 0
        return 1 if self.ratio > 1 else -1


class Series:
    """The runs of a command and their statistics, also compared with another command's; of warm-up runs, the number."""

    def __init__(
        self, name: str, command: list[str], warmup: int, runs: list[Ended], stopped_by: int | None = None
    ) -> None:
        """*name*: the command in reports. *stopped_by*: the signal that ended the series."""
        self.name, self.command, self.warmup, self.runs, self.stopped_by = name, command, warmup, runs, stopped_by
        self.counted = [run for run in runs if run.counted]
        names = [name for name in FIGURES if self.counted and all(name in run.figures for run in self.counted)]
        self.columns = {name: [run.figures[name] for run in self.counted] for name in names}
        """The counted runs' values of each figure that was measured in all of them."""
        self.summary = {
            name: Summary(fmean(each), stdev(each) if len(each) > 1 else None, min(each), median(each), max(each))
            for name, each in self.columns.items()
        }
        self.ratios: dict[str, Ratio] = {}
        """The ratios of the means to the first command's means."""
        self.smallest: set[str] = set()
        """The figures whose mean is significantly smaller than the other commands'."""


def compare(found: list[Series]) -> None:
    """Set the ratios, and where the smallest means are."""
    for name in COMPARED:
        columns = [each.columns[name] for each in found if name in each.columns]
        if len(columns) == len(found):
            for each, column in zip(found, columns, strict=True):
                if (to_first := ratio(column, columns[0])) is not None:
                    each.ratios[name] = to_first
            if (position := smallest(columns)) is not None:
                found[position].smallest.add(name)


def ratio(values: list[float], firsts: list[float]) -> Ratio | None:
    """Return the ratio of the means of figures from the same rounds; None if the first command's mean is 0.

    The uncertainty is computed as for a ratio estimator: a change that affects all figures of a round alike does not
    add to it.
    """
    first, count = fmean(firsts), len(firsts)
    if not first:
        return None
    found = fmean(values) / first
    if count == 1:
        return Ratio(found, None)
    rest = [value - found * other for value, other in zip(values, firsts, strict=True)]
    return Ratio(found, student(count - 1) * stdev(rest) / math.sqrt(count) / first)


def smallest(columns: list[list[float]]) -> int | None:
    """Return the position of the smallest mean, if all others differ from it by more than the 95 % intervals.

    That is, its ratio to the first command is below 1, and the others' ratios to it are above 1.
    """
    least = min(range(len(columns)), key=lambda at: fmean(columns[at]))
    others = [(ratio(column, columns[least]), 1) for at, column in enumerate(columns) if at not in {0, least}]
    if least:
        others.append((ratio(columns[least], columns[0]), -1))
    return least if others and all(found is not None and found.side == side for found, side in others) else None


def student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's distribution for these degrees of freedom."""
    exact = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622]
    if freedom <= len(exact):
        return exact[freedom - 1]
    # The expansion about the normal quantile (Abramowitz and Stegun, 26.7.5).
    z = 1.959963985
    terms = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + sum(term / float(freedom) ** power for power, term in enumerate(terms, 1))


# --- The report ------------------------------------------------------------------------------------------------------


def of_runs(found: list[Series], options: Options, file: TextIO | None) -> str:
    """Return the report of a series or of a comparison."""
    colored, width, first = is_colored(file), width_of(file), found[0]
    table = _compared(found) if options.compare else _summaries(first)
    text = _laid_out(table, width, is_left=options.compare, colored=colored) if first.summary else []
    rows = {"command": first.name} if options.append and not options.compare else {}
    if options.compare:
        numbered = {f"{number}": each.name.replace("\n", " ") for number, each in enumerate(found, 1)}
        text += [*([""] if text else []), *lines(numbered, width), ""]
    counted = min(len(each.counted) for each in found)
    warmup = min(each.warmup for each in found)
    of = f" of {options.runs}" if options.runs else ""
    after = f", after {warmup} for warm-up" if warmup else ""
    rows["rounds" if options.compare else "runs"] = f"{counted}{of}{after}"
    if all("ru_maxrss" in each.summary for each in found):
        rows[FIGURES["ru_maxrss"].label] = FIGURES["ru_maxrss"].part
    if options.tree and first.summary:
        rows[FIGURES["tree_rss"].label] = _about_trees(found)
    if failures := _failures(found):
        rows["failures"] = failures
    if first.stopped_by is not None:
        rows["stopped by"] = outcome(-first.stopped_by)
    if options.compare and first.ratios:
        rows["means"] = "\xb1 standard deviation"
        rows["ratios"] = "to command 1, \xb1 half the width of the 95 % interval"
        if any(each.smallest for each in found):
            rows["*"] = "smallest mean; the 95 % intervals of the ratios leave out 1"
    text += lines(rows, width, alarming={"failures", "stopped by"} if colored else ())
    sentences = [line for sentence in conclusions(found) for line in wrap(sentence, width)]
    return "\n".join([*text, "", *sentences] if sentences else text)


def _summaries(found: Series) -> list[list[list[str]]]:
    """Return the columns of the table of a series."""
    rows = [["", "mean", "deviation", "min", "median", "max"]]
    for name, figure in FIGURES.items():
        if figure.in_series and name in found.summary:
            values = found.summary[name]
            size, unit = scale(max(values.mean, values.median), figure.unit)
            scaled = ["-" if value is None else digits(value / size) for value in values]
            is_count = unit == figure.unit and unit != "bytes"
            rows.append([figure.name if is_count else f"{figure.label} ({unit})", *scaled])
    return [[list(column)] for column in zip(*rows, strict=True)]


def _compared(found: list[Series]) -> list[list[list[str]]]:
    """Return the columns of the table of a comparison, each figure together with its ratio."""
    table = [[["", *(f"{number}" for number in range(1, len(found) + 1))]]]
    for name in found[0].ratios:
        unit, cells, ratios = column(found, name, "{}*")
        table.append([[f"{FIGURES[name].column} ({unit})", *cells], ["ratio", *ratios]])
    return table


def _laid_out(groups: list[list[list[str]]], width: int, *, is_left: bool, colored: bool) -> list[str]:
    """Return the lines of a table. Groups of columns that do not fit the width follow below, after the first group."""
    blocks = [[*groups[0]]]
    for group in groups[1:]:
        needed = sum(max(map(len, cells)) + 2 for cells in [*blocks[-1], *group]) - 2
        if len(blocks[-1]) > len(groups[0]) and needed > width:
            blocks.append([*groups[0]])
        blocks[-1] += group
    text: list[str] = []
    for block in blocks:
        aligned = []
        for at, cells in enumerate(block):
            widest = max(map(len, cells))
            padded = [cell.ljust(widest) if is_left or not at else cell.rjust(widest) for cell in cells]
            aligned.append([paint(cell, BOLD) if colored and "*" in cell else cell for cell in padded])
        head, *rows = ["  ".join(row).rstrip() for row in zip(*aligned, strict=True)]
        text += [*([""] if text else []), paint(head, BOLD) if colored else head, *rows]
    return text


def _about_trees(found: list[Series]) -> str:
    """Return what the figures of the trees are and how often samples were taken, or why there are no figures."""
    runs = [ended for each in found for ended in each.counted]
    sampled = [run.tree for run in runs if run.tree is not None]
    if len(sampled) < len(runs):
        missing = len(runs) - len(sampled)
        return f"left out: {missing} of {len(runs)} runs ended without a sample or could not be sampled"
    text = f"{FIGURES['tree_rss'].part}; {how_often(*sampled)}"
    partial = sum(peak.is_partial for peak in sampled)
    return f"{text}; {partial} of {len(runs)} runs had processes that could not be read" if partial else text


def _failures(found: list[Series]) -> str:
    """Return how many runs failed or got signals of ``--kill``, and which; nothing if there are none."""
    failed = []
    for at, each in enumerate(found, 1):
        of_command = "" if len(found) == 1 else f" of command {at}"
        for number, run in enumerate(each.runs, 1):
            if run.code or run.killed:
                how = "--kill" if run.killed else outcome(run.code)
                failed.append(f"run {number}{of_command} ({how})")
    return f"{len(failed)}: {', '.join(failed[:8])}{', ...' if len(failed) > 8 else ''}" if failed else ""


def column(found: list[Series], name: str, mark: str) -> tuple[str, list[str], list[str]]:
    """Return the unit of a figure's column, its cells, the smallest one with a mark, and the cells of its ratios."""
    means = [each.summary[name] for each in found]
    size, unit = scale(min((mean.mean for mean in means if mean.mean), default=0), FIGURES[name].unit)
    cells = [plus_minus(each.mean / size, None if each.stddev is None else each.stddev / size) for each in means]
    cells = [mark.format(cell) if name in each.smallest else cell for cell, each in zip(cells, found, strict=True)]
    ratios = [plus_minus(*each.ratios[name]) if name in each.ratios else "-" for each in found[1:]]
    return unit, cells, ["1", *ratios]


def plus_minus(value: float, deviation: float | None) -> str:
    """Return a value and its deviation with the same number of decimals, or one nonzero digit of a small deviation."""
    text = digits(value)
    if deviation is None:
        return text
    decimals = len(text.partition(".")[2])
    if deviation and not float(f"{deviation:.{decimals}f}"):
        decimals = -int(f"{deviation:.0e}".split("e")[1])
    return f"{text}\xb1{deviation:.{decimals}f}"


def conclusions(found: list[Series]) -> list[str]:
    """Return a sentence for each command that differs from the first one by more than the 95 % intervals."""
    sentences = []
    for number, each in enumerate(found[1:], 2):
        memory = ("memory in all processes", "tree_rss") if "tree_rss" in each.ratios else ("memory", "ru_maxrss")
        differing = [(noun, each.ratios[name]) for noun, name in (memory, ("time", "elapsed")) if name in each.ratios]
        if shown := [_times(ratio, noun) for noun, ratio in differing if ratio.side]:
            sentences.append(f"Command {number} needed {' and '.join(shown)} as command 1.")
    return sentences


def _times(ratio: Ratio, noun: str) -> str:
    """Return a ratio whose interval does not include 1, with as many decimals as it takes to see that."""
    ends = [max(0.0, ratio.ratio - (ratio.uncertainty or 0)), ratio.ratio + (ratio.uncertainty or 0)]
    decimals = 0 if ends[0] >= 10 else 1 if ends[0] > 1 else 2
    while any(float(f"{value:.{decimals}f}") in {0, 1} for value in (ratio.ratio, ends[ratio.ratio < 1])):
        decimals += 1
    value, low, high = (f"{value:.{decimals}f}" for value in (ratio.ratio, *ends))
    return f"{value} times as much {noun}" + (f" ({low} to {high})" if low != high else "")
