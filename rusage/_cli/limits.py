"""The limits of the command: ``--limit-maxrss`` and ``--limit-cputime``."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .._backends import BACKEND
from .._backends._base import SAMPLED_RULES
from .._getrusage import fields
from .report import CANCELED, WHOSE, complain

if TYPE_CHECKING:
    from .results import Ended

OVER = 123  # unused by env(1), nohup(1), timeout(1) and the shells
WORDS = {
    "ru_maxrss": f"peak memory {WHOSE}",
    "cputime": "CPU time",
    "tree_rss": "memory of the program and its descendants",
}
UNITS = {"ru_maxrss": "bytes", "cputime": "seconds", "tree_rss": "bytes"}


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
    def complaint(self) -> str:
        """The error message if the limit was exceeded, or if that is unknown."""
        if self.value is None:
            return f"{WORDS[self.name]} was not measured: its limit cannot be checked"
        value, limit = (human(number, UNITS[self.name]) for number in (self.value, self.limit))
        return f"{WORDS[self.name]} {value} is over the limit of {limit}"

    @property
    def note(self) -> str:
        """Why the verdict on a peak is uncertain; empty if it is not known to be."""
        if self.is_partial and self.over is False:
            return f"{WORDS[self.name]} may be over the limit: some processes could not be read"
        if self.name != "ru_maxrss" or self.over is None:
            return ""
        if BACKEND.child_peak in SAMPLED_RULES:
            return "" if self.over else "peak memory is sampled: a short peak over the limit may be missed"
        error = fields["ru_maxrss"].error
        if error is None or self.value is None or abs(self.value - self.limit) >= error:
            return ""
        limit, size = human(self.limit, "bytes"), human(error, "bytes")
        return f"peak memory is accurate to within {size}: the true peak may be above or below the limit of {limit}"


def judge(limits: dict[str, float], ended: Ended) -> list[Verdict]:
    """Compare the figures of a program with limits."""
    usage = ended.usage
    verdicts = []
    for name, limit in limits.items():
        if name == "ru_maxrss":
            verdicts.append(Verdict(name, limit, usage.get(name), ended.peak_bound))
        elif name == "tree_rss":
            is_partial = ended.tree is not None and ended.tree.has_unread
            verdicts.append(Verdict(name, limit, _tree_rss(ended, limit), is_partial=is_partial))
        else:
            known = usage.keys() >= {"ru_utime", "ru_stime"}
            verdicts.append(Verdict(name, limit, usage["ru_utime"] + usage["ru_stime"] if known else None))
    return verdicts


def _tree_rss(ended: Ended, limit: float) -> float | None:
    """Return the largest memory of a tree that is known: of a sample, or of one process at a time without a sample.

    If sampling has failed, only a memory above the limit is known to be so.
    """
    known = [ended.usage["ru_maxrss"]] if "ru_maxrss" in ended.usage else []
    if ended.tree is not None:
        known.append(ended.tree.largest.rss)
    largest = max(known, default=None)
    return None if ended.unsampled and largest is not None and largest <= limit else largest


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
        complain(command, note)
    return status


def human(value: float, unit: str) -> str:
    """Return a value with its unit; bytes also in KiB, MiB, GiB or TiB. Exact: a limit may be close."""
    if unit == "seconds":
        return f"{value:.6f} s"
    if unit != "bytes" or value < 1024:
        return f"{value} {unit}"
    power = min((int(value).bit_length() - 1) // 10, 4)
    return f"{value} bytes ({value / 1024**power:.1f} {'KMGT'[power - 1]}iB)"
