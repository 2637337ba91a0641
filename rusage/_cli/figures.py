"""Runs of programs, and the table of all figures: their labels and units."""

from __future__ import annotations

import signal
import sys
from functools import cached_property

from .._fields import FIELDS
from .._getrusage import fields
from .output import readable

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .. import RUsage
    from .options import Command
    from .summary import Ratio, Summary
    from .tree_peak import TreePeak

TOO_SHORT = "the program ended before the second sample"


# A plain class: to make a named tuple takes as long as to import ten modules of the command.


class OrphanUsage:
    """What the processes have used so far that a program left."""

    def __init__(  # noqa: PLR0913 (what is not known has three reasons)
        self,
        peak: int,
        cputime: float,
        living: int | None,
        *,
        unknown: str = "",
        is_read: bool = True,
        doubt: str = "",
    ) -> None:
        self.peak = peak
        """The largest, in bytes."""
        self.cputime = cputime
        """The sum, in seconds."""
        self.living = living
        """How many run on; None if they could not be read."""
        self.is_read = is_read and living is not None
        """Whether all of these could be read."""
        self.unknown = unknown
        """Why the largest peak is not known; empty if it is."""
        self.doubt = doubt
        """Why all of this may be of others than the program has left; empty if it is not."""


class Verdict:
    """Whether a limit was exceeded."""

    def __init__(
        self, *, over: bool | None, complaint: str = "", notes: Sequence[str] = ()
    ) -> None:
        self.over = over
        """None if that is unknown."""
        self.complaint = complaint
        """The error message if the limit was exceeded, or if that is unknown."""
        self.notes = notes
        """Why the verdict may be wrong."""


class Ended:
    """How a program ended."""

    started = 0.0
    """When the program was started, as by ``time.time()``."""
    oom_killed: bool | None = None
    """Whether, while a program ran that failed, the kernel killed a process for lack of memory.

    That is, one of the cgroup of this process; None if that is unknown, or the program succeeded.
    """
    unsampled = ""
    """Why the tree could not be sampled until its end; empty if it could."""
    counted = True
    """Whether a series' statistics include it: not if it failed or a signal ended the series."""

    stopped = False
    """Whether a signal meanwhile ended the series."""
    position = 1
    """In its round."""
    orphans: OrphanUsage | None = None
    """What the processes have used that the program left; None if they do not count."""

    def __init__(
        self,
        code: int,
        usage: dict[str, float],
        elapsed: float,
        peak_bound: int | None,
        tree: TreePeak | None = None,
    ) -> None:
        self.code = code
        """The exit code, as in subprocess."""
        self.usage = usage
        """The measured fields."""
        self.elapsed = elapsed
        """Seconds."""
        self.peak_bound = peak_bound
        """An upper bound of an unmeasured peak, in bytes; None if unknown."""
        self.tree = tree
        """The largest sample of the program and its descendants, if one was requested and taken."""
        self.member = None if tree is None else tree.member_peak
        """The largest process of any sample, in bytes: its peak may be in no usage."""
        self.killed = tree is not None and tree.killed
        self.verdicts: dict[str, Verdict] = {}
        """Of the limits, but for those that have one verdict for a series."""
        self.figures = {"elapsed": elapsed, **usage}
        """All figures: CPU time if both parts are measured, the tree's memory if it was sampled."""
        if usage.keys() >= {"ru_utime", "ru_stime"}:
            self.figures["cputime"] = usage["ru_utime"] + usage["ru_stime"]
        if tree is not None:
            self.figures["tree_rss"] = tree.largest.rss
            if tree.pss is not None:
                self.figures["tree_pss"] = tree.pss


class Figure:
    """How a figure is shown.

    *part*: words after the label or the value that tell what it counts, as "without I/O". Figures
    with the same label share a row. *compared*: whether a comparison has the figure. *in_series*:
    whether the table of a series has a row.
    """

    def __init__(
        self, label: str, part: str, unit: str, *, compared: bool = False, in_series: bool = False
    ) -> None:
        self.label, self.part, self.unit = label, part, unit
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

# Every figure, in the order of the reports.
FIGURES = {
    "elapsed": Figure("wall time", "", "seconds", compared=True, in_series=True),
    "ru_utime": Figure("user time", "", "seconds", in_series=True),
    "ru_stime": Figure("system time", "", "seconds", in_series=True),
    "cputime": Figure("CPU time", "", "seconds", compared=True),
    "ru_maxrss": Figure("peak memory", WHOSE, "bytes", compared=True, in_series=True),
    "tree_rss": Figure(
        "tree memory", "of the program and its descendants", "bytes", compared=True, in_series=True
    ),
    "tree_pss": Figure(
        "tree PSS", "of the program and its descendants", "bytes", compared=True, in_series=True
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


class Series:
    """The runs of a command, or its only one, and their statistics once all have been made."""

    stopped_by: int | None = None
    """The signal that ended the series."""

    def __init__(self, command: Command, runs: list[Ended], line: str = "") -> None:
        """*line*: the command line, if the command has been given as one."""
        self.command, self.runs, self._line = command, runs, line
        self.words = [command] if isinstance(command, str) else command
        self.warmup: list[Ended] = []
        self.verdicts: dict[str, Verdict] = {}
        """Of the relative limits."""
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
    def counted(self) -> list[Ended]:
        """The runs in the statistics."""
        return [run for run in self.runs if run.counted]

    @property
    def failures(self) -> list[tuple[int, Ended]]:
        """The runs, with their numbers, that failed by themselves or by ``--kill``."""
        return [
            (number, run)
            for number, run in enumerate(self.runs, 1)
            if run.killed or (run.code and not run.stopped)
        ]

    @property
    def largest_tree(self) -> TreePeak | None:
        """The largest sample of the counted runs."""
        peaks = [run.tree for run in self.counted if run.tree is not None]
        return max(peaks, key=lambda peak: peak.largest.rss, default=None)

    @cached_property
    def columns(self) -> dict[str, list[float]]:
        """The counted runs' values of each figure that was measured in all of them."""
        runs = [run.figures for run in self.counted]
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


def quantity(value: float, unit: str) -> str:
    """Return a value with three significant digits in the unit that suits it."""
    size, name = scale(value, unit)
    return f"{digits(value / size)} {name}"


def exactly(value: float, unit: str) -> str:
    """Return seconds or bytes with all their digits, since a limit may be close.

    Bytes are also shown in a larger unit.
    """
    if unit == "seconds":
        return f"{value:.6f} s"
    size, name = scale(value, unit)
    return f"{value} bytes ({value / size:.1f} {name})" if size > 1 else f"{value} bytes"


def excess(figure: str, value: float, limit: float, unit: str) -> str:
    """Return the sentence of a figure above its limit."""
    return f"{figure} {exactly(value, unit)} is over the limit of {exactly(limit, unit)}"
