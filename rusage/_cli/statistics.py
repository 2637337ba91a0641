"""The statistics of a series of runs, and of a comparison."""

from __future__ import annotations

import math
from statistics import fmean, median, quantiles, stdev
from typing import TYPE_CHECKING, NamedTuple

from .figures import FIGURES

if TYPE_CHECKING:
    from .figures import Ended

# Outliers of other figures are mostly the noise of small counts.
WITH_OUTLIERS = ["elapsed", "ru_maxrss"]
COMPARED = [name for name, figure in FIGURES.items() if figure.column]


class Run(NamedTuple):
    """A run of the program."""

    ended: Ended
    counted: bool
    """Whether it is in the statistics: it has not failed, or failures are ignored, and no signal ended the series."""


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


class Series(NamedTuple):
    """The runs of a program; of warm-up runs, only the number."""

    command: list[str]
    warmup: int
    runs: list[Run]
    columns: dict[str, list[float]]
    """The counted runs' values of each figure that was measured in all of them."""
    summary: dict[str, Summary]
    outliers: dict[str, list[int]]
    """For each figure, the numbers of the runs that are outliers, from 1 on."""


class Comparison(NamedTuple):
    """The runs of several commands; of one command in a series."""

    series: list[Series]
    """The series of each command."""
    ratios: list[dict[str, Ratio]]
    """For each command, the ratios of its means to the first command's means."""
    smallest: dict[str, int]
    """For each figure, the position of the command whose mean is significantly smaller than the others."""
    stopped_by: int | None
    """The signal that ended the series."""


def series(command: list[str], warmup: int, runs: list[Run]) -> Series:
    """Return a series with the statistics of its runs."""
    counted = {number: run.ended.figures for number, run in enumerate(runs, 1) if run.counted}
    found = counted.values()
    names = [name for name in FIGURES if counted and all(name in each for each in found)]
    columns = {name: [figures[name] for figures in found] for name in names}
    summary = {
        name: Summary(fmean(each), stdev(each) if len(each) > 1 else None, min(each), median(each), max(each))
        for name, each in columns.items()
    }
    far = {name: [[*counted][at] for at in outliers(columns[name])] for name in WITH_OUTLIERS if name in columns}
    return Series(command, warmup, runs, columns, summary, {name: numbers for name, numbers in far.items() if numbers})


def outliers(values: list[float]) -> list[int]:
    """Return the positions of the values that are far from the others.

    They are more than three interquartile ranges outside the quartiles (Tukey's outer fences) and differ from the
    median by more than a tenth of it. With fewer than five values there are none.
    """
    if len(values) < 5:
        return []
    first, median, third = quantiles(values, n=4, method="inclusive")
    fence = 3 * (third - first)
    return [
        at
        for at, value in enumerate(values)
        if not first - fence <= value <= third + fence and abs(value - median) > median / 10
    ]


def compare(found: list[Series], stopped_by: int | None) -> Comparison:
    """Compare the counted runs of several commands."""
    ratios: list[dict[str, Ratio]] = [{} for _ in found]
    least = {}
    for name in COMPARED:
        columns = [each.columns[name] for each in found if name in each.columns]
        if len(columns) == len(found):
            for column, each in zip(columns, ratios, strict=True):
                if (to_first := ratio(column, columns[0])) is not None:
                    each[name] = to_first
            if (position := smallest(columns)) is not None:
                least[name] = position
    return Comparison(found, ratios, least, stopped_by)


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
