"""What is known of a program that has ended."""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NamedTuple

    from .. import RUsage
    from .tree import TreePeak

    Tell = Callable[[str, str | None], None]
    """Prints an error message: the name of the program, and the text."""
    Command = list[str] | str
    """The words of a command; on Windows also a command line."""
    Watch = Callable[[int, float], Callable[[], "tuple[TreePeak | None, str]"]]
    """Begins to sample a program: see ``run.run``."""

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

else:
    NAMES = "code usage elapsed peak_bound tree unsampled"
    Ended = namedtuple("Ended", NAMES, defaults=[None, ""])  # noqa: PYI024 (typing's takes longer)


def measured_fields(usage: RUsage, measured: frozenset[str]) -> dict[str, float]:
    """Return the measured fields only."""
    return {name: value for name, value in usage._asdict().items() if name in measured}
