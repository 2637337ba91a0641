"""The limits of the command: ``--limit-maxrss`` and ``--limit-cputime``."""

from __future__ import annotations

from typing import NamedTuple

from . import CANCELED, complain
from ._own import human

OVER = 123  # unused by env(1), nohup(1), timeout(1) and the shells
WORDS = {"ru_maxrss": "peak memory", "cputime": "CPU time"}
UNITS = {"ru_maxrss": "bytes", "cputime": "seconds"}


class Verdict(NamedTuple):
    """A limit, and what was measured."""

    name: str
    """``ru_maxrss`` or ``cputime``."""
    limit: float
    """In bytes, or in seconds."""
    value: float | None
    """In the same unit; None if it was not measured."""

    @property
    def over(self) -> bool | None:
        """Whether the limit was exceeded; None if that is unknown."""
        return None if self.value is None else self.value > self.limit

    @property
    def complaint(self) -> str:
        """What is wrong, if the limit was exceeded or that is unknown."""
        if self.value is None:
            return f"{WORDS[self.name]} was not measured: its limit cannot be checked"
        value, limit = (human(number, UNITS[self.name]) for number in (self.value, self.limit))
        return f"{WORDS[self.name]} {value} is over the limit of {limit}"


def judge(limits: dict[str, float], usage: dict[str, float]) -> list[Verdict]:
    """Compare the measured fields of a program with limits."""
    values: dict[str, float | None] = {"ru_maxrss": usage.get("ru_maxrss"), "cputime": None}
    if usage.keys() >= {"ru_utime", "ru_stime"}:
        values["cputime"] = usage["ru_utime"] + usage["ru_stime"]
    return [Verdict(name, limit, values[name]) for name, limit in limits.items()]


def check(limits: dict[str, float], runs: list[dict[str, float]], command: str) -> int:
    """Print an error message for each limit that was exceeded or cannot be checked; return the exit status."""
    status = 0
    for number, usage in enumerate(runs, 1):
        for verdict in judge(limits, usage):
            if verdict.over is not False:
                complain(command if len(runs) == 1 else f"{command}: run {number}", verdict.complaint)
                status = max(status, CANCELED if verdict.over is None else OVER)
    return status
