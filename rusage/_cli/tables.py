"""The text reports of a series of runs of one program, and of a comparison of several commands."""

from __future__ import annotations

import shlex
import textwrap
from typing import TYPE_CHECKING

from .report import (
    BOLD,
    KILLED,
    UNBROKEN,
    WHOSE,
    WIDTH,
    describe_failure,
    digits,
    lines,
    paint,
    scale,
    signal_name,
    without_controls,
    wrapped,
)
from .statistics import COMPARED, WITH_OUTLIERS

if TYPE_CHECKING:
    from typing import TextIO

    from .options import Options
    from .statistics import Comparison, Series, Summary

# Rows of the table: the figure, its label and its unit; counts have none.
ROWS = {
    "elapsed": ("wall time", "seconds"),
    "ru_utime": ("user time", "seconds"),
    "ru_stime": ("system time", "seconds"),
    "ru_maxrss": (f"peak {WHOSE}", "bytes"),
    "tree_rss": ("memory of the tree", "bytes"),
    "ru_minflt": ("page faults without I/O", ""),
    "ru_majflt": ("page faults with I/O", ""),
    "ru_nvcsw": ("voluntary context switches", ""),
    "ru_nivcsw": ("involuntary context switches", ""),
}


def of_series(found: Series, options: Options, *, colored: bool) -> str:
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
        rows["command"] = without_controls(shlex.join(found.command))
    rows["runs"] = number_of_runs([found], options)
    if options.tree and found.summary:
        rows["tree"] = about_tree([found], "largest samples")
    rows.update(notes([found]))
    if found.stopped_by is not None:
        rows["stopped by"] = signal_name(found.stopped_by)
    if colored:
        text[0] = paint(text[0], BOLD)
    return "\n".join([*(text if found.summary else []), *wrapped(rows, colored=colored)])


def number_of_runs(found: list[Series], options: Options) -> str:
    """Return how many of the requested runs of each command are in the statistics."""
    counted = min(sum(run.counted for run in each.runs) for each in found)
    warmup = min(each.warmup for each in found)
    of = "" if options.runs is None else f" of {options.runs}"
    return f"{counted}{of}" + (f", after {warmup} for warm-up" if warmup else "")


def notes(found: list[Series]) -> dict[str, str]:
    """Return rows that name the failed runs and the outliers."""

    def named(number: int, at: int) -> str:
        return f"run {number}" if len(found) == 1 else f"run {number} of command {at}"

    rows = {}
    failures = [
        describe_failure(named(number, at), run.ended.code)
        for at, each in enumerate(found, 1)
        for number, run in enumerate(each.runs, 1)
        if run.ended.code
    ]
    if failures:
        rows["failures"] = _counted(failures)
    killed = [
        named(number, at)
        for at, each in enumerate(found, 1)
        for number, run in enumerate(each.runs, 1)
        if run.ended.tree is not None and run.ended.tree.killed
    ]
    if killed:
        rows[KILLED] = _counted(killed)
    for name, label in WITH_OUTLIERS.items():
        far = [named(number, at) for at, each in enumerate(found, 1) for number in each.outliers.get(name, [])]
        if far:
            rows[f"outliers of {label}"] = _counted(far)
    return rows


def about_tree(found: list[Series], what: str) -> str:
    """Return what the figures of the trees are and how often samples were taken, or why there are no figures."""
    runs = [run.ended for each in found for run in each.runs if run.counted]
    sampled = [run.tree for run in runs if run.tree is not None]
    if any(run.unsampled for run in runs):
        return f"left out: {sum(run.unsampled != '' for run in runs)} of {len(runs)} runs could not be sampled"
    if len(sampled) < len(runs):
        return f"left out: {len(runs) - len(sampled)} of {len(runs)} runs ended without a sample"
    from .tree import sampled as how_often  # noqa: PLC0415 (slow, and only needed here)

    text = f"{what}; {how_often(sampled[0]._replace(missed=sum(peak.missed for peak in sampled)))}"
    partial = sum(peak.has_unread for peak in sampled)
    return f"{text}; {partial} of {len(runs)} runs had processes that could not be read" if partial else text


def _counted(names: list[str]) -> str:
    """Return the number of names, and the first ones."""
    shown = [name.replace(" ", UNBROKEN) for name in names[:8]]
    return f"{len(names)}: {', '.join(shown)}{', ...' if len(names) > 8 else ''}"


# --- A comparison ----------------------------------------------------------------------------------------------------


def sign(file: TextIO | None) -> str:
    """Return the sign before a deviation, in characters that a file can hold."""
    try:
        "\xb1".encode(getattr(file, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return "+-"
    return "\xb1"


def of_comparison(
    found: Comparison, commands: list[str], options: Options, *, colored: bool, sign: str = "\xb1"
) -> str:
    """Return the report of a comparison."""
    numbers = ["", *(f"{number}" for number in range(1, len(commands) + 1))]
    tables = [[numbers]]
    for name, (label, _, unit) in COMPARED.items():
        if all(name in each.summary for each in found.series):
            shown, cells, ratios = column(found, name, unit, sign)
            if name in found.smallest:
                cells[found.smallest[name]] += "*"
            columns = [[f"{label} ({shown})", *cells], ["ratio", *ratios]]
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
    if all("ru_maxrss" in each.summary for each in found.series):
        about["peak"] = f"memory {WHOSE}"
    if options.tree and found.ratios[0]:
        about["tree"] = about_tree(found.series, "memory of all its processes")
    if found.ratios[0]:
        about["means"] = f"{sign} standard deviation"
        about["ratios"] = f"to command 1, {sign} half the width of the 95 % interval"
    if found.smallest:
        about["*"] = "smallest mean; 95 % intervals do not overlap"
    sentences = [
        line
        for sentence in conclusions(found, commands)
        for line in textwrap.wrap(sentence, WIDTH, break_on_hyphens=False, break_long_words=False)
    ]
    last = ["", *sentences] if sentences else []
    return "\n".join([*text, *names, "", *wrapped(about, colored=colored), *last])


def conclusions(found: Comparison, commands: list[str]) -> list[str]:
    """Return a sentence for each command that differs from the first one by more than the 95 % intervals."""
    names = [
        f"`{command}`" if len(command) <= 30 and command.isprintable() and "`" not in command else f"Command {number}"
        for number, command in enumerate(commands, 1)
    ]
    sentences = []
    for name, ratios in zip(names[1:], found.ratios[1:], strict=True):
        memory = ("memory in all processes", "tree_rss") if "tree_rss" in ratios else ("memory", "ru_maxrss")
        figures = [memory, ("time", "elapsed")]
        shown = [_difference(*ratios[figure], noun) for noun, figure in figures if figure in ratios]
        shown = [text for text in shown if text]
        if shown:
            first = "" if len(commands) == 2 else f" than {names[0][0].lower()}{names[0][1:]}"
            sentences.append(f"{name} needed {' and '.join(shown)}{first}.")
    return sentences


def _difference(ratio: float, uncertainty: float | None, noun: str) -> str:
    """Return by how much a mean differs from the first command's; empty if their difference may be chance."""
    if uncertainty is None:
        return ""
    low, high, word = ratio - uncertainty, ratio + uncertainty, "more"
    if 0 < low <= high < 1:
        ratio, low, high, word = 1 / ratio, 1 / high, 1 / low, "less"
    for decimals in (0,) if low >= 10 else (1, 2):
        shown = [f"{value:.{decimals}f}" for value in (ratio, low, high)]
        if low > 1 and float(shown[1]) > 1:
            return f"{shown[0]} times {word} {noun} ({shown[1]} to {shown[2]})"
    return ""


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


def column(found: Comparison, name: str, unit: str, sign: str) -> tuple[str, list[str], list[str]]:
    """Return the unit of a figure's column, its cells, and the cells of its ratios."""
    means = [each.summary[name] for each in found.series]
    size, shown = scale(min((mean.mean for mean in means if mean.mean), default=0), unit)
    cells = [plus_minus(mean.mean / size, _over(mean, size), sign) for mean in means]
    ratios = [plus_minus(*each[name], sign) if name in each else "-" for each in found.ratios[1:]]
    return shown, cells, ["1", *ratios]


def _over(summary: Summary, size: float) -> float | None:
    return None if summary.stddev is None else summary.stddev / size


def plus_minus(value: float, deviation: float | None, sign: str = "\xb1") -> str:
    """Return a value and its deviation with the same number of decimals, or one nonzero digit of a small deviation."""
    text = digits(value)
    if deviation is None:
        return text
    decimals = len(text.partition(".")[2])
    if deviation and not float(f"{deviation:.{decimals}f}"):
        decimals = -int(f"{deviation:.0e}".split("e")[1])
    return f"{text}{sign}{deviation:.{decimals}f}"
