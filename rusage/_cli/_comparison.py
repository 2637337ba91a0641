"""The comparison of several commands, ``rusage --compare COMMAND...``, and its text report."""

from __future__ import annotations

import re
import shlex
import sys
from typing import TYPE_CHECKING

from ._reporting import BOLD, digits, lines, paint, scale, signal_name
from ._series import WIDTH, notes, number_of_runs, wrapped
from ._statistics import Comparison, Ratio, ratio, smallest

if TYPE_CHECKING:
    from ._reporting import Options
    from ._running import Command
    from ._statistics import Series, Summary

# Columns: the figure, its label and its unit.
COLUMNS = {
    "elapsed": ("wall time", "seconds"),
    "cputime": ("CPU time", "seconds"),
    "ru_maxrss": ("peak memory", "bytes"),
}


def split(text: str) -> Command:
    """Return the words of a command line, as a shell splits them. Windows programs split their own."""
    if not text.strip():
        raise ValueError("an empty command")
    return text if sys.platform == "win32" else shlex.split(QUOTED.sub(_unescaped, text))


# In double quotes, shlex keeps a backslash that a shell removes.
QUOTED = re.compile(r"""'[^']*'|\\.|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
ESCAPES = {r"\$": "$", r"\`": "`", "\\\n": ""}


def _unescaped(quoted: re.Match[str]) -> str:
    """Return what shlex must get for a quoted text; a backslash at the end of a line continues it."""
    text = quoted[0]
    if text.startswith('"'):
        return re.sub(r"\\.", lambda pair: ESCAPES.get(pair[0], pair[0]), text, flags=re.DOTALL)
    return "" if text == "\\\n" else text


def compare(found: list[Series]) -> Comparison:
    """Compare the counted runs of several commands."""
    figures = [[run.figures for run in each.runs if run.counted] for each in found]
    ratios: list[dict[str, Ratio]] = [{} for _ in found]
    least = {}
    for name in COLUMNS:
        if all(name in each.summary for each in found):
            columns = [[run[name] for run in runs] for runs in figures]
            for at, column in enumerate(columns):
                to_first = ratio(column, columns[0])
                if to_first is not None:
                    ratios[at][name] = to_first
            position = smallest(columns)
            if position is not None:
                least[name] = position
    return Comparison(found, ratios, least)


def as_text(found: Comparison, commands: list[str], options: Options, *, colored: bool) -> str:
    """Return the report of a comparison."""
    numbers = ["", *(f"{number}" for number in range(1, len(commands) + 1))]
    tables = [[numbers]]
    for name, (label, unit) in COLUMNS.items():
        if all(name in each.summary for each in found.series):
            shown, cells, ratios = column(found, name, unit)
            if name in found.smallest:
                cells[found.smallest[name]] += "*"
            columns = [[f"{label.split()[0]} ({shown})", *cells], ["ratio", *ratios]]
            if len(tables[-1]) > 1 and _width([*tables[-1], *columns]) > WIDTH:
                tables.append([numbers])
            tables[-1] += columns
    text = [line for table in tables if len(table) > 1 for line in [*_table(table, colored=colored), ""]]
    rows = {f"{number}": command.replace("\n", " ") for number, command in enumerate(commands, 1)}
    names = [lines(rows)] if options.append else wrapped(rows, colored=False)
    about = {"rounds": number_of_runs(found.series, options), **notes(found.series)}
    stopped_by = found.series[0].stopped_by
    if stopped_by is not None:
        about["stopped by"] = signal_name(stopped_by)
    if found.ratios[0]:
        about["means"] = "\xb1 standard deviation"
        about["ratios"] = "to command 1, \xb1 half the width of the 95 % interval"
    if found.smallest:
        about["*"] = "smallest mean; its 95 % interval touches no other"
    return "\n".join([*text, *names, "", *wrapped(about, colored=colored)])


def _width(columns: list[list[str]]) -> int:
    """Return the width of a table."""
    return sum(max(map(len, cells)) + 2 for cells in columns) - 2


def _table(columns: list[list[str]], *, colored: bool) -> list[str]:
    """Return the lines of a table."""
    aligned = []
    for cells in columns:
        width = max(map(len, cells))
        aligned.append(
            [
                paint(f"{cell:<{width}}", BOLD) if colored and cell.endswith("*") else f"{cell:<{width}}"
                for cell in cells
            ]
        )
    text = ["  ".join(row).rstrip() for row in zip(*aligned, strict=True)]
    return [paint(text[0], BOLD), *text[1:]] if colored else text


def column(found: Comparison, name: str, unit: str) -> tuple[str, list[str], list[str]]:
    """Return the unit of a figure's column, its cells, and the cells of its ratios."""
    means = [each.summary[name] for each in found.series]
    size, shown = scale(min((mean.mean for mean in means if mean.mean), default=0), unit)
    cells = [plus_minus(mean.mean / size, _over(mean, size)) for mean in means]
    ratios = [plus_minus(*each[name]) if name in each else "-" for each in found.ratios[1:]]
    return shown, cells, ["1", *ratios]


def _over(summary: Summary, size: float) -> float | None:
    return None if summary.stddev is None else summary.stddev / size


def plus_minus(value: float, deviation: float | None) -> str:
    """Return a value and its deviation with the same number of decimals, or one nonzero digit of a small deviation."""
    text = digits(value)
    if deviation is None:
        return text
    decimals = len(text.partition(".")[2])
    if deviation and not float(f"{deviation:.{decimals}f}"):
        decimals = -int(f"{deviation:.0e}".split("e")[1])
    return f"{text}\xb1{deviation:.{decimals}f}"
