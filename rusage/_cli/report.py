"""The reports as text: of one run, of a series and a comparison, and of a running process."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from .._getrusage import fields
from .figures import FIGURES, TOO_SHORT, TreePeak, digits, figures_of, has_unread, quantity, scale
from .output import BOLD, RED, is_colored, paint, width_of, without_controls

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import TextIO

    from .. import Sample
    from .figures import Ended
    from .options import Options
    from .statistics import Comparison, Ratio, Series, Summary

KILLED = "signals of --kill"
UNBROKEN = "\xa0"  # a space at which lines are not wrapped


def lines(rows: dict[str, str], width: int, *, alarming: Collection[str] = (), wraps: bool = True) -> list[str]:
    """Return lines with each label and its text, wrapped to *width*; those with an *alarming* label are red.

    The text of ``command`` is not wrapped.
    """
    indent = " " * (max(map(len, rows)) + 2)
    found = []
    for label, text in rows.items():
        made = [f"{label:<{len(indent)}}{text}".replace("\n", f"\n{indent}")]
        if wraps and len(made[0]) > width and label != "command":
            import textwrap  # noqa: PLC0415 (slow, and rarely needed)

            made = textwrap.wrap(
                made[0], width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
            )
        made = [line.replace(UNBROKEN, " ") for line in made]
        found += [paint(line, RED) for line in made] if label in alarming else made
    return found


def failure(what: str, code: int) -> str:
    """Return how a run has failed."""
    return f"{what} ({f'exit status {code}' if code > 0 else signal_name(-code)})"


def signal_name(number: int) -> str:
    """Return the name of a signal in a report."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal
        return f"signal {number}"


# --- One run ---------------------------------------------------------------------------------------------------------


def of_run(command: list[str], ended: Ended, options: Options, file: TextIO | None) -> str:
    """Return the report of a run; it begins with the command if it is appended to other reports."""
    rows = {}
    if options.append:
        import shlex  # noqa: PLC0415 (slow, and only needed here)

        rows["command"] = without_controls(shlex.join(command))
    values = figures_of(ended)
    cputime = values.pop("cputime", None)
    for name, (label, part, unit, *_) in FIGURES.items():
        if name == "tree_rss":
            if options.tree:
                rows[label] = _tree(ended)
        elif name in values:
            value = f"{values[name]}" if part and unit != "bytes" else quantity(values[name], unit)
            before = f"{rows[label]}, " if label in rows else ""
            rows[label] = f"{before}{value} {part}".rstrip()
        if name == "ru_stime" and cputime is not None and ended.elapsed > 0:
            rows["CPU share"] = f"{cputime / ended.elapsed:.0%}"
    if ended.tree is not None and ended.tree.killed:
        rows[KILLED] = "sent to all processes: a sample exceeded the limit"
    last = "exit status" if ended.code >= 0 else "killed by"
    rows[last] = f"{ended.code}" if ended.code >= 0 else signal_name(-ended.code)
    return "\n".join(lines(rows, width_of(file), alarming=[last] if ended.code and is_colored(file) else []))


def _tree(ended: Ended) -> str:
    """Return the largest sample of a tree, or why there is none."""
    if ended.tree is None:
        return f"not measured: {ended.unsampled or TOO_SHORT}"
    member, peak = ended.tree.member, ended.usage.get("ru_maxrss")
    error = fields["ru_maxrss"].error
    more = ""
    if member is not None and peak is not None and member.rss > peak and error is not None:
        more = f"; the peak may be up to {quantity(error, 'bytes')} too small"
    return f"{of_peak(ended.tree)}{more}; {how_often(ended.tree)}"


def of_peak(peak: TreePeak) -> str:
    """Return the largest sample of a tree."""
    sample = peak.largest
    text = f"{quantity(sample.rss, 'bytes')} in {processes(sample)} after {quantity(sample.elapsed, 'seconds')}"
    return text if peak.member is None else f"{text}, the largest {quantity(peak.member.rss, 'bytes')}"


def how_often(peak: TreePeak, missed: int | None = None) -> str:
    """Return how often samples were taken."""
    missed = peak.missed if missed is None else missed
    text = f"sampled every {quantity(peak.interval, 'seconds')}"
    return text + (f", {missed} sample{'s' if missed > 1 else ''} missed" if missed else "")


def processes(sample: Sample) -> str:
    """Return the number of processes, and how many of them could not be read."""
    text = f"{sample.processes} process{'es' if sample.processes != 1 else ''}"
    return text + (f" ({sample.unread} not readable)" if sample.unread else "")


# --- A series, and a comparison --------------------------------------------------------------------------------------


def of_runs(found: Comparison, names: list[str], options: Options, file: TextIO | None) -> str:
    """Return the report of a series or of a comparison. *names*: the commands."""
    colored, width, sign = is_colored(file), width_of(file), plus_minus_sign(file)
    table = _compared(found, sign) if options.compare else _summaries(found.series[0])
    text = _laid_out(table, width, is_left=options.compare, colored=colored) if found.series[0].summary else []
    rows = {"command": names[0]} if options.append and not options.compare else {}
    if options.compare:
        numbered = {f"{number}": name.replace("\n", " ") for number, name in enumerate(names, 1)}
        text += [*([""] if text else []), *lines(numbered, width, wraps=not options.append), ""]
    rows["rounds" if options.compare else "runs"] = _number_of_runs(found.series, options)
    for name, (label, part, *_) in FIGURES.items():
        if name == "tree_rss" and options.tree and found.series[0].summary:
            rows[label] = _about_trees(found.series)
        elif name == "ru_maxrss" and all(name in each.summary for each in found.series):
            rows[label] = part
    rows.update(_notes(found.series))
    if found.stopped_by is not None:
        rows["stopped by"] = signal_name(found.stopped_by)
    if options.compare and found.ratios[0]:
        rows["means"] = f"{sign} standard deviation"
        rows["ratios"] = f"to command 1, {sign} half the width of the 95 % interval"
        if found.smallest:
            rows["*"] = "smallest mean; the 95 % intervals of the ratios leave out 1"
    text += lines(rows, width, alarming={"failures", "stopped by"} if colored else ())
    sentences = conclusions(found, names)
    if sentences:
        import textwrap  # noqa: PLC0415 (slow)

        wrapped = [textwrap.wrap(each, width, break_on_hyphens=False, break_long_words=False) for each in sentences]
        text += ["", *(line for each in wrapped for line in each)]
    return "\n".join(text)


def _summaries(found: Series) -> list[list[list[str]]]:
    """Return the columns of the table of a series."""
    rows = [["", "mean", "deviation", "min", "median", "max"]]
    for name, figure in FIGURES.items():
        if figure.in_series and name in found.summary:
            values = found.summary[name]
            size, unit = scale(max(values.mean, values.median), figure.unit)
            scaled = ["-" if value is None else digits(value / size) for value in values]
            count = f"{figure.label} {figure.part}"
            rows.append([f"{figure.label} ({unit})" if unit != figure.unit or unit == "bytes" else count, *scaled])
    return [[list(column)] for column in zip(*rows, strict=True)]


def _compared(found: Comparison, sign: str) -> list[list[list[str]]]:
    """Return the columns of the table of a comparison, each figure together with its ratio."""
    table = [[["", *(f"{number}" for number in range(1, len(found.series) + 1))]]]
    for name in found.ratios[0]:
        unit, cells, ratios = column(found, name, sign)
        if name in found.smallest:
            cells[found.smallest[name]] += "*"
        table.append([[f"{FIGURES[name].column} ({unit})", *cells], ["ratio", *ratios]])
    return table


def _laid_out(groups: list[list[list[str]]], width: int, *, is_left: bool, colored: bool) -> list[str]:
    """Return the lines of a table. Groups of columns that do not fit the width follow below, after the first group."""
    blocks = [[*groups[0]]]
    for group in groups[1:]:
        needed = sum(max(map(len, cells)) + 2 for cells in [*blocks[-1], *group]) - 2
        if len(blocks[-1]) > len(groups[0]) and needed > width:
            blocks.append([*groups[0]])
        blocks[-1] += group
    text: list[str] = []
    for block in blocks:
        aligned = []
        for at, cells in enumerate(block):
            widest = max(map(len, cells))
            padded = [cell.ljust(widest) if is_left or not at else cell.rjust(widest) for cell in cells]
            stars = [colored and cell.endswith("*") for cell in cells]
            aligned.append([paint(cell, BOLD) if star else cell for cell, star in zip(padded, stars, strict=True)])
        head, *rows = ["  ".join(row).rstrip() for row in zip(*aligned, strict=True)]
        text += [*([""] if text else []), paint(head, BOLD) if colored else head, *rows]
    return text


def _number_of_runs(found: list[Series], options: Options) -> str:
    """Return how many of the requested runs of each command are in the statistics."""
    counted = min(sum(run.counted for run in each.runs) for each in found)
    warmup = min(each.warmup for each in found)
    of = "" if options.runs is None else f" of {options.runs}"
    return f"{counted}{of}" + (f", after {warmup} for warm-up" if warmup else "")


def _about_trees(found: list[Series]) -> str:
    """Return what the figures of the trees are and how often samples were taken, or why there are no figures."""
    runs = [run.ended for each in found for run in each.runs if run.counted]
    sampled = [run.tree for run in runs if run.tree is not None]
    if any(run.unsampled for run in runs):
        return f"left out: {sum(run.unsampled != '' for run in runs)} of {len(runs)} runs could not be sampled"
    if len(sampled) < len(runs):
        return f"left out: {len(runs) - len(sampled)} of {len(runs)} runs ended without a sample"
    text = f"{FIGURES['tree_rss'].part}; {how_often(sampled[0], sum(peak.missed for peak in sampled))}"
    partial = sum(map(has_unread, sampled))
    return f"{text}; {partial} of {len(runs)} runs had processes that could not be read" if partial else text


def _notes(found: list[Series]) -> dict[str, str]:
    """Return rows that name the failed runs and the outliers."""

    def named(number: int, at: int) -> str:
        return f"run {number}" if len(found) == 1 else f"run {number} of command {at}"

    def counted(names: Iterable[str]) -> str:
        shown = [name.replace(" ", UNBROKEN) for name in names]
        return f"{len(shown)}: {', '.join(shown[:8])}{', ...' if len(shown) > 8 else ''}" if shown else ""

    runs = [
        (named(number, at), run.ended) for at, each in enumerate(found, 1) for number, run in enumerate(each.runs, 1)
    ]
    rows = {
        "failures": counted(failure(name, ended.code) for name, ended in runs if ended.code),
        KILLED: counted(name for name, ended in runs if ended.tree is not None and ended.tree.killed),
    }
    for name in found[0].outliers.keys() | found[-1].outliers.keys() | {"elapsed", "ru_maxrss"}:
        far = [named(number, at) for at, each in enumerate(found, 1) for number in each.outliers.get(name, [])]
        rows[f"outliers of {FIGURES[name].label}"] = counted(far)
    return {label: text for label, text in rows.items() if text}


def plus_minus_sign(file: TextIO | None) -> str:
    """Return the sign before a deviation, in characters that a file can hold."""
    try:
        "\xb1".encode(getattr(file, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return "+-"
    return "\xb1"


def column(found: Comparison, name: str, sign: str) -> tuple[str, list[str], list[str]]:
    """Return the unit of a figure's column, its cells, and the cells of its ratios."""
    means = [each.summary[name] for each in found.series]
    size, unit = scale(min((mean.mean for mean in means if mean.mean), default=0), FIGURES[name].unit)
    cells = [plus_minus(mean.mean / size, _over(mean, size), sign) for mean in means]
    ratios = [plus_minus(*each[name], sign) if name in each else "-" for each in found.ratios[1:]]
    return unit, cells, ["1", *ratios]


def _over(summary: Summary, size: float) -> float | None:
    return None if summary.stddev is None else summary.stddev / size


def plus_minus(value: float, deviation: float | None, sign: str) -> str:
    """Return a value and its deviation with the same number of decimals, or one nonzero digit of a small deviation."""
    text = digits(value)
    if deviation is None:
        return text
    decimals = len(text.partition(".")[2])
    if deviation and not float(f"{deviation:.{decimals}f}"):
        decimals = -int(f"{deviation:.0e}".split("e")[1])
    return f"{text}{sign}{deviation:.{decimals}f}"


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
        shown = [_times(ratios[figure], noun) for noun, figure in figures if figure in ratios and ratios[figure].side]
        if shown:
            first = f"{names[0][0].lower()}{names[0][1:]}"
            sentences.append(f"{name} needed {' and '.join(shown)} as {first}.")
    return sentences


def _times(ratio: Ratio, noun: str) -> str:
    """Return a ratio whose interval does not include 1, with as many decimals as it takes to see that."""
    ends = [ratio.ratio - (ratio.uncertainty or 0), ratio.ratio + (ratio.uncertainty or 0)]
    decimals = 0 if ends[0] >= 10 else 1 if ends[0] > 1 else 2
    while any(float(f"{value:.{decimals}f}") in {0, 1} for value in (ratio.ratio, ends[ratio.ratio < 1])):
        decimals += 1
    value, low, high = (f"{value:.{decimals}f}" for value in (ratio.ratio, *ends))
    return f"{value} times as much {noun}" + (f" ({low} to {high})" if low != high else "")


# --- A running process -----------------------------------------------------------------------------------------------


def of_process(pid: int, usage: dict[str, float], rows: dict[str, str], file: TextIO | None) -> str:
    """Return the report of a running process: its times and its peak, and more rows."""
    found = {"process": f"{pid}"}
    for name in "ru_utime", "ru_stime", "ru_maxrss":
        if name in usage:
            found[FIGURES[name].label] = quantity(usage[name], FIGURES[name].unit)
    return "\n".join(lines({**found, **rows}, width_of(file)))
