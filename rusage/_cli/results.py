"""What is known of a program that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import Member, RUsage, Sample

    Tell = Callable[[str, str | None], None]
    """Prints an error message: the name of the program, and the text."""
    Command = list[str] | str
    """The words of a command; on Windows also a command line."""
    Watch = Callable[[int, float], Callable[[], "tuple[TreePeak | None, str]"]]
    """Begins to sample a program: see ``run.run``."""


class TreePeak(NamedTuple):
    """What was sampled of a program and its descendants; the times count from the start of the program."""

    largest: Sample
    """The sample with the largest sum of resident set sizes."""
    member: Member | None
    """The largest member in this sample."""
    interval: float
    """Seconds."""
    missed: int
    """The number of intervals without a sample."""
    samples: list[Sample]
    killed: bool
    """Whether members got a signal since a sample exceeded the limit."""

    @property
    def has_unread(self) -> bool:
        """Whether a sample lacks members that could not be read."""
        return any(sample.unread for sample in [self.largest, *self.samples])


class Ended(NamedTuple):
    """How a program ended."""

    code: int
    """The exit code, as in subprocess."""
    usage: dict[str, float]
    """The measured fields."""
    elapsed: float
    """Seconds."""
    peak_bound: int | None
    """An upper bound of an unmeasured peak, in bytes; None if unknown."""
    tree: TreePeak | None = None
    """The largest sample of the program and its descendants, if it was asked for and there was one."""
    unsampled: str = ""
    """Why the tree could not be sampled until its end; empty if it could."""


def measured_fields(usage: RUsage, measured: frozenset[str]) -> dict[str, float]:
    """Return the measured fields only."""
    return {name: value for name, value in usage._asdict().items() if name in measured}
