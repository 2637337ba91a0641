"""A series of runs, ``rusage -n RUNS``, and the statistics of their figures."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from . import KEYBOARD, Signals, attempt, complain, exit_status, lines, signal_name, write

if TYPE_CHECKING:
    import signal as _signal
    from typing import TextIO

    from . import Options
else:
    import _signal

# The signals that end the series after the run that they arrive in.
ENDING = {*KEYBOARD, _signal.SIGTERM, getattr(_signal, "SIGHUP", _signal.SIGTERM)}

# Rows of the table: the field, its label, what a unit of it is and the decimals of a single value.
ROWS = {
    "elapsed": ("wall time (s)", 1, 6),
    "ru_utime": ("user time (s)", 1, 6),
    "ru_stime": ("system time (s)", 1, 6),
    "ru_maxrss": ("peak memory (MiB)", 2**20, 2),
    "ru_minflt": ("page faults without I/O", 1, 1),
    "ru_majflt": ("page faults with I/O", 1, 1),
    "ru_nvcsw": ("voluntary context switches", 1, 1),
    "ru_nivcsw": ("involuntary context switches", 1, 1),
}
# Outliers of other figures are mostly the noise of small counts.
WITH_OUTLIERS = {"elapsed": "wall time", "ru_maxrss": "peak memory"}


class Run(NamedTuple):
    """A run of the program."""

    code: int
    """As in subprocess."""
    usage: dict[str, float]
    """The measured fields."""
    elapsed: float
    """Seconds."""
    counted: bool
    """Whether it is in the statistics: it has not failed, or failures are ignored, and no signal ended the series."""

    @property
    def figures(self) -> dict[str, float]:
        """The elapsed time and the measured fields."""
        return {"elapsed": self.elapsed, **self.usage}


class Summary(NamedTuple):
    """The statistics of a figure."""

    mean: float
    stddev: float | None
    """Of the sample; None for a single run."""
    min: float
    median: float
    max: float


class Series(NamedTuple):
    """The runs of a program, without those for warm-up."""

    command: list[str]
    warmup: int
    runs: list[Run]
    summary: dict[str, Summary]
    """Of each figure that was measured in all runs that count."""
    outliers: dict[str, list[int]]
    """The numbers of the runs whose figure is far from the others', from 1 on."""
    stopped_by: int | None
    """The signal that ended the series."""


def run_series(command: list[str], options: Options, file: TextIO | None) -> int:
    """Run a program again and again, report the statistics, and return the exit status to exit with.

    The series ends with a run that fails, unless failures are ignored, and with the exit status of that run. It also
    ends if this process gets a signal that ends programs; its exit status is then that of the signal, unless the run
    has failed.
    """
    assert options.runs is not None  # noqa: S101 (for the type checker)
    signals = Signals(note_keyboard=True)
    warmup: list[Run] = []
    runs: list[Run] = []
    code = 0
    for number in range(1 - options.warmup, options.runs + 1):
        _show_progress(f"run {number} of {options.runs}" if number > 0 else f"warm-up run {len(warmup) + 1}")
        if _ending_signal(signals) is not None:  # the terminal's may arrive between two runs
            break
        ended = attempt(command, signals)
        if isinstance(ended, int):
            code = ended
            break
        failure = 0 if options.ignore_failure else ended[0]
        counted = not failure and _ending_signal(signals) is None
        (runs if number > 0 else warmup).append(Run(*ended, counted=counted))
        if not counted:
            code = failure
            break
    _show_progress("")
    stopped_by = _ending_signal(signals)
    if code and warmup and not warmup[-1].counted:
        complain(command[0], f"the series has ended: {_failure('warm-up run', len(warmup), code)}")
    if warmup or runs or stopped_by is not None:
        _report(series(command, len(warmup), runs, stopped_by), options, file)
    if stopped_by is not None:
        code = code or -stopped_by
    if options.limits is not None:
        from ._limits import check  # noqa: PLC0415 (only needed here)

        status = check(options.limits, [run.usage for run in runs], command[0])
        code = code or status
    return exit_status(code)


def _ending_signal(signals: Signals) -> int | None:
    return next((number for number in signals.received if number in ENDING), None)


def empty_standard_input() -> None:
    """Make the null device the standard input of this process, and so of each run."""
    null = os.open(os.devnull, os.O_RDONLY)
    if null == 0:  # the caller closed it
        os.set_inheritable(null, True)  # noqa: FBT003 (takes no keyword)
    else:
        os.dup2(null, 0)
        os.close(null)


_shown = 0


def _show_progress(text: str) -> None:
    """Replace the progress line on a terminal; an empty text removes it."""
    global _shown  # noqa: PLW0603 (what is on the terminal)
    if sys.stderr is None or not sys.stderr.isatty():
        return
    line = f"rusage: {text}: " if text else ""  # the output of the run may follow
    try:
        sys.stderr.write(f"\r{line:<{_shown}}" if line else f"\r{'':<{_shown}}\r")
        sys.stderr.flush()
    except OSError:  # the terminal has hung up
        return
    _shown = len(line)


def series(command: list[str], warmup: int, runs: list[Run], stopped_by: int | None) -> Series:
    """Return a series with the statistics of its runs."""
    counted = [run.figures for run in runs if run.counted]
    names = [name for name in (counted[0] if counted else {}) if all(name in figures for figures in counted)]
    columns = {name: [figures[name] for figures in counted] for name in names}
    numbers = [number for number, run in enumerate(runs, 1) if run.counted]
    far = {name: [numbers[at] for at in outliers(columns[name])] for name in WITH_OUTLIERS if name in columns}
    return Series(
        command=command,
        warmup=warmup,
        runs=runs,
        summary={name: summarise(column) for name, column in columns.items()},
        outliers={name: found for name, found in far.items() if found},
        stopped_by=stopped_by,
    )


def summarise(values: list[float]) -> Summary:
    """Return the statistics of a figure."""
    from statistics import fmean, median, stdev  # noqa: PLC0415 (slow: not before the runs)

    deviation = stdev(values) if len(values) > 1 else None
    return Summary(fmean(values), deviation, min(values), median(values), max(values))


def outliers(values: list[float]) -> list[int]:
    """Return the positions of the values that are far from the others.

    They are more than three interquartile ranges outside the quartiles (Tukey's outer fences) and differ from the
    median by more than a tenth of it. With fewer than five values there are none.
    """
    if len(values) < 5:
        return []
    from statistics import quantiles  # noqa: PLC0415 (slow: not before the runs)

    first, median, third = quantiles(values, n=4, method="inclusive")
    fence = 3 * (third - first)
    return [
        at
        for at, value in enumerate(values)
        if not first - fence <= value <= third + fence and abs(value - median) > median / 10
    ]


def _report(found: Series, options: Options, file: TextIO | None) -> None:
    if options.json:
        from ._json import series as as_json  # noqa: PLC0415 (slow, and only needed here)

        write(as_json(found, options.limits), file)
    else:
        write(_as_text(found, options), file)


def _as_text(found: Series, options: Options) -> str:
    table = [["", "mean", "deviation", "min", "median", "max"]]
    for name, (label, unit, decimals) in ROWS.items():
        if name in found.summary:
            values = found.summary[name]
            table.append([label, *("-" if value is None else f"{value / unit:.{decimals}f}" for value in values)])
    first, *widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    text = ["  ".join([f"{row[0]:<{first}}", *map(str.rjust, row[1:], widths)]) for row in table]

    rows = {}
    if options.append:
        import shlex  # noqa: PLC0415 (slow, and only needed here)

        rows["command"] = shlex.join(found.command)
    rows["runs"] = f"{len(found.runs)} of {options.runs}" + (
        f", after {found.warmup} for warm-up" if found.warmup else ""
    )
    failures = [_failure("run", number, run.code) for number, run in enumerate(found.runs, 1) if run.code]
    if failures:
        rows["failures"] = _counted(failures)
    for name, label in WITH_OUTLIERS.items():
        if name in found.outliers:
            rows[f"outliers of {label}"] = _counted([f"run {number}" for number in found.outliers[name]])
    if found.stopped_by is not None:
        rows["stopped by"] = signal_name(found.stopped_by)
    return "\n".join([*(text if found.summary else []), lines(rows)])


def _failure(what: str, number: int, code: int) -> str:
    return f"{what} {number} ({f'exit status {code}' if code > 0 else signal_name(-code)})"


def _counted(names: list[str]) -> str:
    """Return how many there are, and the first of them."""
    return f"{len(names)}: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
