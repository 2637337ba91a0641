"""The limits of memory and CPU time: whether a run has exceeded them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .._backends import BACKEND
from .._backends._base import SAMPLED_RULES
from .._getrusage import fields
from .figures import FIGURES, exactly, figures_of, has_unread
from .output import CANCELED, complain

if TYPE_CHECKING:
    from .figures import Ended

OVER = 123  # unused by env(1), nohup(1), timeout(1) and the shells


class Verdict(NamedTuple):
    """A limit, and the measured value."""

    name: str
    """``ru_maxrss``, ``cputime`` or ``tree_rss``."""
    limit: float
    """In bytes, or in seconds."""
    value: float | None
    """In the same unit; None if it was not measured."""
    bound: float | None = None
    """An upper bound of an unmeasured value; None if unknown."""
    is_partial: bool = False
    """Whether the value lacks processes that could not be read."""

    @property
    def over(self) -> bool | None:
        """Whether the limit was exceeded; None if that is unknown."""
        if self.value is not None:
            return self.value > self.limit
        return False if self.bound is not None and self.bound <= self.limit else None

    @property
    def figure(self) -> str:
        """What is limited."""
        return f"{FIGURES[self.name].label} {FIGURES[self.name].part}".strip()

    @property
    def complaint(self) -> str:
        """The error message if the limit was exceeded, or if that is unknown."""
        if self.value is None:
            return f"{self.figure} was not measured: its limit cannot be checked"
        value, limit = (exactly(number, FIGURES[self.name].unit) for number in (self.value, self.limit))
        return f"{self.figure} {value} is over the limit of {limit}"

    @property
    def note(self) -> str:
        """Why the verdict on a peak is uncertain; empty if it is not known to be."""
        if self.is_partial and self.over is False:
            return f"{self.figure} may be over the limit: some processes could not be read"
        if self.name != "ru_maxrss" or self.over is None:
            return ""
        if BACKEND.child_peak in SAMPLED_RULES:
            return "" if self.over else "peak memory is sampled: a short peak over the limit may be missed"
        error = fields["ru_maxrss"].error
        if error is None or self.value is None or abs(self.value - self.limit) >= error:
            return ""
        limit, size = exactly(self.limit, "bytes"), exactly(error, "bytes")
        return f"peak memory is accurate to within {size}: the true peak may be above or below the limit of {limit}"


def judge(limits: dict[str, float], ended: Ended) -> list[Verdict]:
    """Compare the figures of a program with limits."""
    figures, tree, verdicts = figures_of(ended), ended.tree, []
    for name, limit in limits.items():
        value, bound = figures.get(name), ended.peak_bound if name == "ru_maxrss" else None
        if name == "tree_rss":
            # Of one process at a time without a sample. If sampling has failed, only an excess is known.
            value = max((figures[name] for name in ("ru_maxrss", "tree_rss") if name in figures), default=None)
            value = None if ended.unsampled and value is not None and value <= limit else value
        is_partial = name == "tree_rss" and tree is not None and has_unread(tree)
        verdicts.append(Verdict(name, limit, value, bound, is_partial))
    return verdicts


def check(limits: dict[str, float], runs: list[Ended], command: str) -> int:
    """Print an error message for each limit that was exceeded or cannot be checked; return the exit status.

    Each note about an uncertain verdict is printed once.
    """
    status = 0
    notes: dict[str, None] = {}
    for number, ended in enumerate(runs, 1):
        for verdict in judge(limits, ended):
            if verdict.over is not False:
                complain(command if len(runs) == 1 else f"{command}: run {number}", verdict.complaint)
                status = max(status, CANCELED if verdict.over is None else OVER)
            if verdict.note:
                notes[verdict.note] = None
    for note in notes:
        complain(command, note, alarming=False)
    return status
