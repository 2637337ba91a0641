"""The statistics of a series and the ratios of a comparison."""

from __future__ import annotations

import functools
import itertools
import math
from bisect import bisect_right
from statistics import fmean, median, stdev
from typing import NamedTuple


class Summary(NamedTuple):
    """The statistics of a figure."""

    mean: float
    stddev: float | None
    """Of the sample; None for a single run."""
    min: float
    median: float
    max: float


def summary_of(values: list[float]) -> Summary:
    """Return the statistics of a figure's values."""
    deviation = stdev(values) if len(values) > 1 else None
    return Summary(fmean(values), deviation, min(values), median(values), max(values))


class Ratio(NamedTuple):
    """The ratio of a command's figure to the first command's, and its 95 % interval.

    The interval is None below six rounds.
    """

    ratio: float
    low: float | None
    high: float | None

    @property
    def differs(self) -> bool:
        """Whether the interval leaves out 1: otherwise the difference may be chance."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high

    def shown(self) -> list[str]:
        """Return the ratio and the interval's ends, with the decimals that the interval justifies.

        That is, down to the first digit of the distance from the ratio to the nearer end, or to 1
        if 1 is outside, and one below 10.
        """
        values = [value for value in self if value is not None]
        distances = [abs(end - self.ratio) for end in values if end != self.ratio]
        nearest = min(distances, default=self.ratio / 100)
        if self.differs:
            nearest = min(nearest, abs(self.ratio - 1))
        decimals = max(int(min(values) < 10), -int(f"{nearest:.0e}".partition("e")[2]))
        return [f"{value:.{decimals}f}" for value in values]

    def in_words(self, what: str = "") -> str:
        """Return the ratio, what it is, and its interval, unless that is a point."""
        value, *ends = self.shown()
        return f"{value}{what}" + (f" ({' to '.join(ends)})" if len({*ends}) > 1 else "")


# --- The signed-rank test ---

STEP = 2.0**-32  # of a logarithm: among integers, ties are exact
MOST_EXACT = 50  # rounds; with more, the normal distribution has the same rank, or one less
NORMAL_END, CASES = 1.959964, 40  # each end of a 95 % interval leaves out 1 of 40 cases


def ratio_of(values: list[float], bases: list[float]) -> Ratio:
    """Return the ratio of figures from the same rounds, none of them 0, by the signed-rank test.

    Each round has a ratio of its own. The logarithms of any two of them, and of one with itself,
    have a mean. The median of these means is the ratio (Hodges and Lehmann); the k-th smallest and
    largest are the ends of the interval.
    """
    logs = sorted(
        round((math.log(value) - math.log(base)) / STEP)
        for value, base in zip(values, bases, strict=True)
    )
    pairs = len(logs) * (len(logs) + 1) // 2
    middle = (nth_sum(logs, (pairs + 1) // 2) + nth_sum(logs, pairs // 2 + 1)) / 2
    k = rank_of_ends(len(logs))
    if not k:
        return Ratio(_ratio_of_sum(middle), None, None)
    low, high = nth_sum(logs, k), nth_sum(logs, pairs + 1 - k)
    return Ratio(_ratio_of_sum(middle), _ratio_of_sum(low), _ratio_of_sum(high))


def _ratio_of_sum(logs: float) -> float:
    """Return the ratio whose logarithm is the mean of two that have this sum."""
    return math.exp(logs / 2 * STEP)


def nth_sum(values: list[int], rank: int) -> int:
    """Return the sum of this rank among the sums of all pairs, also of a value and itself.

    *values* are sorted.
    """
    low, high = 2 * values[0], 2 * values[-1]
    while low < high:
        middle = (low + high) // 2
        counts = (bisect_right(values, middle - value, at) - at for at, value in enumerate(values))
        if sum(counts) < rank:
            low = middle + 1
        else:
            high = middle
    return low


@functools.cache
def rank_of_ends(rounds: int) -> int:
    """Return the k of the 95 % interval; 0 if there are too few rounds for one.

    Of equal commands, each round is as likely to be above 1 as below. The interval is above 1 if
    the ranks of the rounds below have a sum of less than k. So at most 1 of 40 subsets of the ranks
    1, 2, ... may have such a sum.
    """
    if rounds > MOST_EXACT:
        mean = rounds * (rounds + 1) / 4
        return int(mean + 0.5 - NORMAL_END * math.sqrt(mean * (2 * rounds + 1) / 6))
    subsets = [1]  # the number of subsets with each sum
    for rank in range(1, rounds + 1):
        without = [0] * rank
        subsets = [old + new for old, new in zip(subsets + without, without + subsets, strict=True)]
    return sum(CASES * below <= 2**rounds for below in itertools.accumulate(subsets))
