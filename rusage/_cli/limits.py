"""The limits of memory and CPU time: whether a run has exceeded them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .._backends import BACKEND
from .._backends._base import SAMPLED_RULES
from .._getrusage import fields
from .figures import FIGURES, exactly
from .output import CANCELED, complain

if TYPE_CHECKING:
    from .figures import Ended

OVER = 123  # unused by env(1), nohup(1), timeout(1) and the shells


class Verdict(NamedTuple):
    """Whether a limit was exceeded."""

    over: bool | None
    """None if that is unknown."""
    complaint: str = ""
    """The error message if the limit was exceeded, or if that is unknown."""
    note: str = ""
    """Why the verdict may be wrong; empty if there is no such reason."""


def judge(name: str, limit: float, ended: Ended) -> Verdict:
    """Compare a figure of a program with a limit."""
    figure, shown = FIGURES[name].name, exactly(limit, FIGURES[name].unit)
    value, bound = ended.figures.get(name), None
    close = unseen = ""  # two notes
    if name == "ru_maxrss":
        bound, error = ended.peak_bound, fields[name].error
        member = None if ended.tree is None else ended.tree.member
        if member is not None and member.rss > limit:  # it may not have been waited for
            value = max(value or 0, member.rss)
        if BACKEND.child_peak in SAMPLED_RULES:
            unseen = "peak memory is sampled: a short peak over the limit may be missed"
        elif value is not None and error is not None and abs(value - limit) < error:
            close = f"peak memory is accurate to within {exactly(error, 'bytes')}: "
            close += f"the true peak may be above or below the limit of {shown}"
    elif name == "tree_rss":
        # Without a sample, of one process. If sampling has failed, only an excess is known.
        peaks = [ended.figures[each] for each in ("ru_maxrss", name) if each in ended.figures]
        value = max(peaks, default=None)
        if ended.unsampled and value is not None and value <= limit:
            value = None
        if ended.tree is not None and ended.tree.is_partial:
            unseen = f"{figure} may be over the limit: some processes could not be read"
    if value is not None and value > limit:
        complaint = f"{figure} {exactly(value, FIGURES[name].unit)} is over the limit of {shown}"
        return Verdict(over=True, complaint=complaint, note=close)
    if value is None and (bound is None or bound > limit):
        complaint = f"{figure} was not measured: its limit cannot be checked"
        return Verdict(over=None, complaint=complaint)
    return Verdict(over=False, note=close or unseen)


def check(limits: dict[str, float], runs: list[Ended], command: str) -> int:
    """Print an error message for each limit that was exceeded or cannot be checked.

    Each note is printed once. Return the exit status.
    """
    status = 0
    notes: dict[str, None] = {}
    for number, ended in enumerate(runs, 1):
        for limited, limit in limits.items():
            verdict = judge(limited, limit, ended)
            if verdict.over is not False:
                status = max(status, CANCELED if verdict.over is None else OVER)
                if limited != "tree_rss" or not ended.killed:  # then run() has said so
                    name = command if len(runs) == 1 else f"{command}: run {number}"
                    complain(name, verdict.complaint)
            if verdict.note:
                notes[verdict.note] = None
    for note in notes:
        complain(command, note, alarming=False)
    return status
