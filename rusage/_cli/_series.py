"""The text report of a series of runs of one program, ``rusage -n RUNS``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._reporting import BOLD, RED, describe_failure, digits, paint, scale, signal_name
from ._statistics import WITH_OUTLIERS

if TYPE_CHECKING:
    from ._reporting import Options
    from ._statistics import Series

# Rows of the table: the figure, its label and its unit; counts have none.
ROWS = {
    "elapsed": ("wall time", "seconds"),
    "ru_utime": ("user time", "seconds"),
    "ru_stime": ("system time", "seconds"),
    "ru_maxrss": ("peak memory", "bytes"),
    "ru_minflt": ("page faults without I/O", ""),
    "ru_majflt": ("page faults with I/O", ""),
    "ru_nvcsw": ("voluntary context switches", ""),
    "ru_nivcsw": ("involuntary context switches", ""),
}
WIDTH = 80
UNBROKEN = "\xa0"  # a space at which lines are not wrapped
ALARMING = {"failures", "stopped by"}


def as_text(found: Series, options: Options, *, colored: bool) -> str:
    """Return the report of a series."""
    table = [["", "mean", "deviation", "min", "median", "max"]]
    for name, (label, unit) in ROWS.items():
        if name in found.summary:
            values = found.summary[name]
            size, shown = scale(max(values.mean, values.median), unit)
            row = ["-" if value is None else digits(value / size) for value in values]
            table.append([f"{label} ({shown})" if shown else label, *row])
    first, *widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    text = ["  ".join([f"{row[0]:<{first}}", *map(str.rjust, row[1:], widths)]) for row in table]

    rows = {}
    if options.append:
        import shlex  # noqa: PLC0415 (slow, and only needed here)

        rows["command"] = shlex.join(found.command)
    rows["runs"] = number_of_runs([found], options)
    rows.update(notes([found]))
    if found.stopped_by is not None:
        rows["stopped by"] = signal_name(found.stopped_by)
    if colored:
        text[0] = paint(text[0], BOLD)
    return "\n".join([*(text if found.summary else []), *wrapped(rows, colored=colored)])


def wrapped(rows: dict[str, str], *, colored: bool) -> list[str]:
    """Return lines with each label and its text, wrapped to ``WIDTH``; the text of ``command`` is not wrapped."""
    width = max(map(len, rows)) + 2
    found = []
    for label, text in rows.items():
        made = [f"{label:<{width}}{text}"]
        if label != "command":
            if len(made[0]) > WIDTH:
                import textwrap  # noqa: PLC0415 (slow, and rarely needed)

                made = textwrap.wrap(made[0], WIDTH, subsequent_indent=" " * width, break_on_hyphens=False)
            made = [line.replace(UNBROKEN, " ") for line in made]
        found += [paint(line, RED) for line in made] if colored and label in ALARMING else made
    return found


def number_of_runs(found: list[Series], options: Options) -> str:
    """Return how many of the requested runs of each command are in the statistics."""
    counted = min(sum(run.counted for run in each.runs) for each in found)
    warmup = min(each.warmup for each in found)
    return f"{counted} of {options.runs}" + (f", after {warmup} for warm-up" if warmup else "")


def notes(found: list[Series]) -> dict[str, str]:
    """Return rows that name the failed runs and the outliers."""

    def named(number: int, at: int) -> str:
        return f"run {number}" if len(found) == 1 else f"run {number} of command {at}"

    rows = {}
    failures = [
        describe_failure(named(number, at), run.code)
        for at, each in enumerate(found, 1)
        for number, run in enumerate(each.runs, 1)
        if run.code
    ]
    if failures:
        rows["failures"] = _counted(failures)
    for name, label in WITH_OUTLIERS.items():
        far = [named(number, at) for at, each in enumerate(found, 1) for number in each.outliers.get(name, [])]
        if far:
            rows[f"outliers of {label}"] = _counted(far)
    return rows


def _counted(names: list[str]) -> str:
    """Return the number of names, and the first ones."""
    shown = [name.replace(" ", UNBROKEN) for name in names[:8]]
    return f"{len(names)}: {', '.join(shown)}{', ...' if len(names) > 8 else ''}"
