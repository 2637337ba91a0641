"""Runs of programs, and the table of all figures: their labels and units."""

from __future__ import annotations

import signal
import sys
import time
from functools import cached_property
from operator import itemgetter

from .._fields import FIELDS
from .._getrusage import fields
from .output import readable

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .. import RUsage
    from .options import Command
    from .summary import Ratio, Summary

    Run = dict[str, Any]
    """The record of a run, or a part of it."""

TOO_SHORT = "the program ended before the second sample"


def run_record(  # noqa: PLR0913 (what is measured in several places)
    code: int,
    usage: dict[str, float],
    elapsed: float,
    peak_bound: int | None = None,
    tree: Run | None = None,
    *,
    orphans: Run | None = None,
    started: float = 0.0,
    oom_killed: bool | None = None,
    unsampled: str = "",
) -> Run:
    """Return the record of a run, which ``--json`` writes but for what begins with an underscore.

    *code*: as in subprocess. *peak_bound*: an upper bound of an unmeasured peak, in bytes; None if
    unknown. *tree*: of ``sampling.tree_record``. *orphans*: of ``Orphans.finish``. *started*: as by
    ``time.time()``. *oom_killed*: whether, while a program ran that failed, the kernel killed a
    process of this cgroup for lack of memory; None if unknown. *unsampled*: why the tree could not
    be sampled until its end; empty if it could.
    """
    record: Run = {
        "exit_status": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "started": utc(started),
        "elapsed": elapsed,
        "usage": usage,
    }
    name = "_orphans" if orphans and orphans.get("_doubt") else "orphans"
    parts = {"oom_killed": oom_killed, "tree": tree, name: orphans}
    record |= {name: part for name, part in parts.items() if part is not None}
    return record | {
        "_peak_bound": peak_bound,
        "_unsampled": unsampled,
        "_counted": True,  # in a series' statistics: not if it failed or a signal ended the series
        "_stopped": False,  # whether a signal meanwhile ended the series
    }


def public(record: Run) -> Run:
    """Return what ``--json`` writes of a record."""
    return {
        name: public(value) if isinstance(value, dict) else value
        for name, value in record.items()
        if not name.startswith("_")
    }


def code_of(run: Run) -> int:
    """Return the exit code of a run, as in subprocess."""
    return -run["signal"] if run["signal"] else int(run["exit_status"])


def is_killed(run: Run) -> bool:
    """Return whether processes of a run got signals of ``--kill``."""
    return bool(run.get("tree", {}).get("killed"))


def utc(seconds: float) -> str:
    """Return a time by ``time.time()`` in the form of ISO 8601."""
    until_seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{until_seconds}.{int(seconds % 1 * 1000):03}Z"


class Figure:
    """How a figure is shown.

    *part*: words after the label or the value that tell what it counts, as "without I/O". Figures
    with the same label share a row. *of* returns the value in the JSON record of a run, None if it
    was not measured; otherwise it is in its usage. *compared*: whether a comparison has the figure.
    *in_series*: whether the table of a series has a row.
    """

    def __init__(  # noqa: PLR0913 (a row of the table)
        self,
        label: str,
        part: str,
        unit: str,
        of: Callable[[Any], float | None] | None = None,
        *,
        compared: bool = False,
        in_series: bool = False,
    ) -> None:
        self.label, self.part, self.unit, self.of = label, part, unit, of
        self.compared, self.in_series = compared, in_series
        self.name = f"{label} {part}".rstrip()
        self.row = label if unit == "bytes" else self.name
        """In a table, below which another row has the part."""

    def shown(self, value: float) -> str:
        """Return a value; without its unit, if that is in the name."""
        return digits(value) if self.part and self.unit != "bytes" else quantity(value, self.unit)


# A peak in the usage of a program is not a sum: it is the largest one of the program and the
# children that it has waited for. On Windows it is the program's.
WHOSE = "of the program" if sys.platform == "win32" else "of its largest process"
# --kill also ends parents, which then wait for no child.
WHOSE_IF_KILLED = "of the program or a child that it has waited for"


def _cputime(run: Run) -> float | None:
    parts = [run["usage"].get(name) for name in ("ru_utime", "ru_stime")]
    return None if None in parts else sum(parts)


# Every figure, in the order of the reports.
FIGURES = {
    "elapsed": Figure(
        "wall time", "", "seconds", itemgetter("elapsed"), compared=True, in_series=True
    ),
    "ru_utime": Figure("user time", "", "seconds", in_series=True),
    "ru_stime": Figure("system time", "", "seconds", in_series=True),
    "cputime": Figure("CPU time", "", "seconds", _cputime, compared=True),
    "ru_maxrss": Figure("peak memory", WHOSE, "bytes", compared=True, in_series=True),
    "tree_rss": Figure(
        "tree memory",
        "of the program and its descendants",
        "bytes",
        lambda run: run["tree"]["rss"] if "tree" in run else None,
        compared=True,
        in_series=True,
    ),
    "tree_pss": Figure(
        "tree PSS",
        "of the program and its descendants",
        "bytes",
        lambda run: run.get("tree", {}).get("pss"),
        compared=True,
        in_series=True,
    ),
    "ru_minflt": Figure("page faults", "without I/O", "faults", in_series=True),
    "ru_majflt": Figure("page faults", "with I/O", "faults", in_series=True),
    "ru_nvcsw": Figure("context switches", "voluntary", "switches", in_series=True),
    "ru_nivcsw": Figure("context switches", "involuntary", "switches", in_series=True),
    "ru_inblock": Figure("block I/O", "in", fields["ru_inblock"].unit),
    "ru_oublock": Figure(
        "block I/O", f"out ({fields['ru_oublock'].unit})", fields["ru_oublock"].unit
    ),
}
FIGURES.update(
    (name, Figure(FIELDS[name].meaning, "", fields[name].unit))
    for name in fields
    if name not in FIGURES
)


def part_of(name: str, runs: list[Run]) -> str:
    """Return the part of a figure of runs; after ``--kill``, a peak is another process's."""
    killed = sys.platform != "win32" and any(map(is_killed, runs))
    return WHOSE_IF_KILLED if killed and name == "ru_maxrss" else FIGURES[name].part


def figure_of(run: Run, name: str) -> float | None:
    """Return a figure by the record of a run; None if it was not measured."""
    of = FIGURES[name].of
    return of(run) if of else run["usage"].get(name)


def figures_of(run: Run) -> dict[str, float]:
    """Return the figures of a run that were measured."""
    found = {name: figure_of(run, name) for name in FIGURES}
    return {name: value for name, value in found.items() if value is not None}


class Series:
    """The runs of a command, or its only one, and their statistics once all have been made."""

    stopped_by: int | None = None
    """The signal that ended the series."""

    def __init__(self, command: Command, runs: list[Run], line: str = "") -> None:
        """*line*: the command line, if the command has been given as one."""
        self.command, self.runs, self._line = command, runs, line
        self.words = [command] if isinstance(command, str) else command
        self.warmup: list[Run] = []
        self.limits: Run = {}
        """The verdicts on relative limits; each run's record has those on the others."""
        self.ratios: dict[str, Ratio] = {}
        """The ratios to the first command's figures."""
        self.smallest: set[str] = set()
        """The figures that are significantly smaller than the other commands'."""

    @property
    def name(self) -> str:
        """The command in messages: the line, or the name of the program."""
        return self._line or self.words[0] or "''"

    @cached_property
    def text(self) -> str:
        """The command in reports."""
        import shlex

        return readable(self._line or shlex.join(self.words))

    @property
    def counted(self) -> list[Run]:
        """The runs in the statistics."""
        return [run for run in self.runs if run["_counted"]]

    @property
    def failures(self) -> list[tuple[int, Run]]:
        """The runs, with their numbers, that failed by themselves or by ``--kill``."""
        return [
            (number, run)
            for number, run in enumerate(self.runs, 1)
            if is_killed(run) or (code_of(run) and not run["_stopped"])
        ]

    @property
    def largest_tree(self) -> Run | None:
        """The largest sample of the counted runs."""
        trees = [run["tree"] for run in self.counted if "tree" in run]
        return max(trees, key=itemgetter("rss"), default=None)

    @cached_property
    def columns(self) -> dict[str, list[float]]:
        """The counted runs' values of each figure that was measured in all of them."""
        runs = [figures_of(run) for run in self.counted]
        names = [name for name in FIGURES if runs and all(name in run for run in runs)]
        return {name: [run[name] for run in runs] for name in names}

    @cached_property
    def summary(self) -> dict[str, Summary]:
        """The statistics of these figures."""
        from .summary import summary_of

        return {name: summary_of(values) for name, values in self.columns.items()}

    def shown_median(self, name: str, mark: str) -> str:
        """Return the median of a figure, with a mark if it is the smallest."""
        if name not in self.summary:
            return "-"
        text = FIGURES[name].shown(self.summary[name].median)
        return mark.format(text) if name in self.smallest else text


def measured_fields(usage: RUsage, measured: frozenset[str]) -> dict[str, float]:
    """Return the measured fields only."""
    return {name: value for name, value in usage._asdict().items() if name in measured}


def outcome(code: int) -> str:
    """Return how a program has ended, with the name of a signal if it has one.

    *code* is as in subprocess.
    """
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:  # a real-time signal
        return f"signal {-code}"


# The units of a report for people, the smaller ones first.
UNITS: dict[str, list[tuple[float, str]]] = {
    "seconds": [(1e-6, "us"), (1e-3, "ms"), (1, "s")],
    "bytes": [(1, "bytes"), (2**10, "KiB"), (2**20, "MiB"), (2**30, "GiB"), (2**40, "TiB")],
}


def scale(value: float, unit: str) -> tuple[float, str]:
    """Return the size and the name of the unit that suits a value in seconds or bytes.

    The value then has three digits before the decimal point at most, from microseconds on and up to
    seconds or TiB.
    """
    units = UNITS.get(unit)
    if units is None:
        return 1, unit
    if not value:
        return next((size, name) for size, name in units if size == 1)
    *smaller, largest = units
    return next(((size, name) for size, name in smaller if value < 999.5 * size), largest)


def digits(value: float) -> str:
    """Return a number with three significant digits, or all digits before the decimal point."""
    if value == int(value):
        return str(int(value))
    _, exponent = f"{value:.2e}".split("e")
    return f"{value:.{max(0, 2 - int(exponent))}f}"


def counted(number: str, unit: str) -> str:
    """Return a number with its unit, which is singular after 1."""
    if number == "1" and len(unit) > 2:  # not ms
        unit = unit.removesuffix("es" if unit.endswith("ches") else "s")
    return f"{number} {unit}"


def quantity(value: float, unit: str) -> str:
    """Return a value with three significant digits in the unit that suits it."""
    size, name = scale(value, unit)
    return counted(digits(value / size), name)


def exactly(value: float, unit: str) -> str:
    """Return seconds or bytes with all their digits, since a limit may be close.

    Bytes are also shown in a larger unit.
    """
    if unit == "seconds":
        return f"{value:.6f} s"
    size, name = scale(value, unit)
    text = counted(f"{value}", "bytes")
    return f"{text} ({value / size:.1f} {name})" if size > 1 else text


def excess(figure: str, value: float, limit: float, unit: str) -> str:
    """Return the sentence of a figure above its limit."""
    return f"{figure} {exactly(value, unit)} is over the limit of {exactly(limit, unit)}"
