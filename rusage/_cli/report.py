"""The reports as text: of one run, of a series and a comparison, and of a running process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._getrusage import fields
from .figures import FIGURES, TOO_SHORT, TreePeak, digits, outcome, quantity, scale, signal_name
from .output import BOLD, RED, is_colored, paint, width_of, without_controls

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TextIO

    from .. import Sample
    from .figures import Ended
    from .options import Options
    from .statistics import Comparison, Ratio, Series

KILLED = "signals of --kill"
UNBROKEN = "\xa0"  # a space at which lines are not wrapped


def lines(rows: dict[str, str], width: int, *, alarming: Collection[str] = (), wraps: bool = True) -> list[str]:
    """Return lines with each label and its text, wrapped to *width*; those with an *alarming* label are red.

    The text of ``command`` is not wrapped.
    """
    indent = " " * (max(map(len, rows)) + 2)
    found = []
    for label, text in rows.items():
        line = f"{label:<{len(indent)}}{text}".replace("\n", f"\n{indent}")
        for part in wrap(line, width, indent) if wraps and label != "command" else [line]:
            shown = part.replace(UNBROKEN, " ")
            found.append(paint(shown, RED) if label in alarming else shown)
    return found


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Return the lines of a text, all but the first one after an indent; no word is broken."""
    if len(text) <= width:
        return [text]
    import textwrap  # noqa: PLC0415 (slow, and rarely needed)

    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


# --- One run ---------------------------------------------------------------------------------------------------------


def of_run(command: list[str], ended: Ended, options: Options, file: TextIO | None) -> str:
    """Return the report of a run; it begins with the command if it is appended to other reports."""
    rows = {}
    if options.append:
        import shlex  # noqa: PLC0415 (slow, and only needed here)

        rows["command"] = without_controls(shlex.join(command))
    for name, figure in FIGURES.items():
        label, value = figure.label, ended.figures.get(name)
        if name == "tree_rss" and options.tree:
            rows[label] = _tree(ended)
        elif name == "cputime" and value is not None and ended.elapsed > 0:
            rows["CPU share"] = f"{value / ended.elapsed:.0%}"
        elif name not in {"tree_rss", "cputime"} and value is not None:
            shown = str(value) if figure.part and figure.unit != "bytes" else quantity(value, figure.unit)
            before = f"{rows[label]}, " if label in rows else ""
            rows[label] = f"{before}{shown} {figure.part}".rstrip()
    if ended.killed:
        rows[KILLED] = "sent to all processes: a sample exceeded the limit"
    last = "exit status" if ended.code >= 0 else "killed by"
    rows[last] = outcome(ended.code).removeprefix("exit status ")
    return "\n".join(lines(rows, width_of(file), alarming=[last] if ended.code and is_colored(file) else []))


def _tree(ended: Ended) -> str:
    """Return the largest sample of a tree, or why there is none."""
    if ended.tree is None:
        return f"not measured: {ended.unsampled or TOO_SHORT}"
    member, peak, error = ended.tree.member, ended.usage.get("ru_maxrss"), fields["ru_maxrss"].error
    more = ""
    if member is not None and peak is not None and member.rss > peak and error is not None:
        more = f"; the peak may be up to {quantity(error, 'bytes')} too small"
    return f"{of_peak(ended.tree)}{more}; {how_often(ended.tree)}"


def of_peak(peak: TreePeak) -> str:
    """Return the largest sample of a tree."""
    sample = peak.largest
    text = f"{quantity(sample.rss, 'bytes')} in {processes(sample)} after {quantity(sample.elapsed, 'seconds')}"
    return text if peak.member is None else f"{text}, the largest {quantity(peak.member.rss, 'bytes')}"


def how_often(*peaks: TreePeak) -> str:
    """Return how often samples were taken."""
    missed = sum(peak.missed for peak in peaks)
    text = f"sampled every {quantity(peaks[0].interval, 'seconds')}"
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
    counted = min(sum(run.counted for run in each.runs) for each in found.series)
    warmup = min(each.warmup for each in found.series)
    of = f" of {options.runs}" if options.runs else ""
    after = f", after {warmup} for warm-up" if warmup else ""
    rows["rounds" if options.compare else "runs"] = f"{counted}{of}{after}"
    if all("ru_maxrss" in each.summary for each in found.series):
        rows[FIGURES["ru_maxrss"].label] = FIGURES["ru_maxrss"].part
    if options.tree and found.series[0].summary:
        rows[FIGURES["tree_rss"].label] = _about_trees(found.series)
    rows.update(_notes(found.series))
    if found.stopped_by is not None:
        rows["stopped by"] = signal_name(found.stopped_by)
    if options.compare and found.ratios[0]:
        rows["means"] = f"{sign} standard deviation"
        rows["ratios"] = f"to command 1, {sign} half the width of the 95 % interval"
        if found.smallest:
            rows["*"] = "smallest mean; the 95 % intervals of the ratios leave out 1"
    text += lines(rows, width, alarming={"failures", "stopped by"} if colored else ())
    sentences = [line for sentence in conclusions(found, names) for line in wrap(sentence, width)]
    return "\n".join([*text, "", *sentences] if sentences else text)


def _summaries(found: Series) -> list[list[list[str]]]:
    """Return the columns of the table of a series."""
    rows = [["", "mean", "deviation", "min", "median", "max"]]
    for name, figure in FIGURES.items():
        if figure.in_series and name in found.summary:
            values = found.summary[name]
            size, unit = scale(max(values.mean, values.median), figure.unit)
            scaled = ["-" if value is None else digits(value / size) for value in values]
            is_count = unit == figure.unit and unit != "bytes"
            rows.append([figure.name if is_count else f"{figure.label} ({unit})", *scaled])
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


def _about_trees(found: list[Series]) -> str:
    """Return what the figures of the trees are and how often samples were taken, or why there are no figures."""
    runs = [run.ended for each in found for run in each.runs if run.counted]
    sampled = [run.tree for run in runs if run.tree is not None]
    if any(run.unsampled for run in runs):
        return f"left out: {sum(run.unsampled != '' for run in runs)} of {len(runs)} runs could not be sampled"
    if len(sampled) < len(runs):
        return f"left out: {len(runs) - len(sampled)} of {len(runs)} runs ended without a sample"
    text = f"{FIGURES['tree_rss'].part}; {how_often(*sampled)}"
    partial = sum(peak.is_partial for peak in sampled)
    return f"{text}; {partial} of {len(runs)} runs had processes that could not be read" if partial else text


def _notes(found: list[Series]) -> dict[str, str]:
    """Return rows that name the failed runs and the outliers."""
    rows: dict[str, list[str]] = {"failures": [], KILLED: []}
    for at, each in enumerate(found, 1):
        of_command = "" if len(found) == 1 else f" of command {at}"
        for number, run in enumerate(each.runs, 1):
            if run.ended.code:
                rows["failures"].append(f"run {number}{of_command} ({outcome(run.ended.code)})")
            if run.ended.killed:
                rows[KILLED].append(f"run {number}{of_command}")
        for name, numbers in each.outliers.items():
            label = f"outliers of {FIGURES[name].label}"
            rows.setdefault(label, []).extend(f"run {number}{of_command}" for number in numbers)
    return {
        label: f"{len(names)}: {', '.join(names[:8])}".replace(" ", UNBROKEN).replace(f",{UNBROKEN}", ", ")
        + (", ..." if len(names) > 8 else "")
        for label, names in rows.items()
        if names
    }


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
    cells = [plus_minus(each.mean / size, None if each.stddev is None else each.stddev / size, sign) for each in means]
    ratios = [plus_minus(*each[name], sign) if name in each else "-" for each in found.ratios[1:]]
    return unit, cells, ["1", *ratios]


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
    known = {name: FIGURES[name] for name in ("ru_utime", "ru_stime", "ru_maxrss") if name in usage}
    shown = {figure.label: quantity(usage[name], figure.unit) for name, figure in known.items()}
    return "\n".join(lines({"process": f"{pid}", **shown, **rows}, width_of(file)))
