"""The statistics of a series and the ratios of a comparison."""

from __future__ import annotations

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
