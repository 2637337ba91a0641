"""The largest sample of a program and its descendants."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .. import Member, Sample


def known_pss(at_least: int | None, at_most: int | None) -> int | None:
    """Return a sum of PSS if its bounds are equal."""
    return at_least if at_least == at_most else None


class TreePeak(NamedTuple):
    """What was sampled of a program and its descendants; times count from the program's start."""

    largest: Sample
    """The sample with the largest sum of resident set sizes."""
    member: Member | None
    """The largest member in this sample."""
    interval: float
    """Seconds."""
    missed: int
    """Intervals without a sample."""
    samples: list[Sample]
    killed: bool = False
    """Whether members got signals, since a sample exceeded the limit."""
    members: tuple[Member, ...] = ()
    """The largest members in the largest sample, from the largest on."""
    pss_at_least: int | None = None
    """A lower bound of the largest sum of PSS; None if none was read."""
    pss_at_most: int | None = None
    """An upper bound: where PSS was not read, of RSS."""
    pid: int = 0
    """The program's."""
    member_peak: int = 0
    """The resident set size of the largest member of any sample, in bytes."""

    @property
    def pss(self) -> int | None:
        """The largest sum of PSS, if it is known."""
        return known_pss(self.pss_at_least, self.pss_at_most)

    @property
    def is_partial(self) -> bool:
        """Whether a sample lacks members that could not be read."""
        return any(sample.unread for sample in [self.largest, *self.samples])
