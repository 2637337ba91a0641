"""The report of a series of runs or of a comparison as text: a table, and sentences."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from .comparison import in_all
from .figures import FIGURES, code_of, is_killed, outcome, part_of
from .output import BOLD, is_colored, paint, width_of
from .report import LACK_OF_MEMORY, how_often, lines, of_members, wrap

if TYPE_CHECKING:
    from typing import TextIO

    from .figures import Series
    from .options import Options


def of_runs(found: list[Series], options: Options, file: TextIO | None) -> str:
    """Return the report of a series or of a comparison."""
    width = width_of(file)
    table = []
    if found[0].summary:
        table = _laid_out(_table(found, options), width, colored=is_colored(file))
    below = lines(_rows(found, options), file, alarming={"failures"})
    sentences = conclusions(found) + about_outliers(found)
    parts = [table + below]
    if options.compare:
        commands = {f"{at}": each.text.replace("\n", " ") for at, each in enumerate(found, 1)}
        parts = [table, lines(commands, file), below]
    parts.append([line for sentence in sentences for line in wrap(sentence, width)])
    return "\n\n".join("\n".join(part) for part in parts if part)


def _table(found: list[Series], options: Options) -> list[list[str]]:
    """Return the rows of the table, the first of which is its head."""
    if options.stored is not None:
        return _beside(options.stored, found[0])
    return _compared(found) if options.compare else _summaries(found[0])


def _summaries(series: Series) -> list[list[str]]:
    rows = [["", "median", "mean", "deviation", "min", "max"]]
    for name, figure in FIGURES.items():
        if figure.in_series and name in series.summary:
            mean, deviation, least, middle, most = series.summary[name]
            values = [middle, mean, deviation, least, most]
            cells = ["-" if value is None else figure.shown(value) for value in values]
            rows.append([figure.row, *cells])
    return rows


def _beside(stored: dict[str, float], series: Series) -> list[list[str]]:
    """Return the rows of a run or a series beside a stored report."""
    rows = [["", "median", "stored", "change"]]
    for name, summary in series.summary.items():
        figure, before = FIGURES[name], stored.get(name)
        change = f"{summary.median / before - 1:+.1%}" if before else "-"
        shown = "-" if before is None else figure.shown(before)
        rows.append([figure.row, figure.shown(summary.median), shown, change])
    return rows


def _compared(found: list[Series]) -> list[list[str]]:
    """Return the rows of a comparison: for each figure, one for each command."""
    head = ["", "median", "ratio", "low", "high"]
    rows = [head]
    for name in in_all(found):
        for number, each in enumerate(found, 1):
            cells = [f"{number}  {FIGURES[name].label}", each.shown_median(name, "*{}")]
            if number == 1:
                cells.append("1")
            else:
                cells += each.ratios[name].shown() if name in each.ratios else ["-"]
            rows.append(cells + [""] * (len(head) - len(cells)))
    return rows


def _rows(found: list[Series], options: Options) -> dict[str, str]:
    """Return the rows below the table."""
    rows, first = {}, found[0]
    if options.append and not options.compare:
        rows["command"] = first.text
    of = f" of {options.runs}" if options.runs else ""
    warmup = min(len(each.warmup) for each in found)
    after = f", after {warmup} for warm-up" if warmup else ""
    rows["rounds" if options.compare else "runs"] = f"{len(first.counted)}{of}{after}"
    if all("ru_maxrss" in each.summary for each in found):
        counted = [run for each in found for run in each.counted]
        rows[FIGURES["ru_maxrss"].label] = part_of("ru_maxrss", counted)
    if options.tree and first.summary:
        rows[FIGURES["tree_rss"].label] = _about_trees(found)
        peak = first.largest_tree
        if peak is not None and not options.compare:
            rows |= of_members(peak["largest_members"])
    if failures := _failures(found):
        rows["failures"] = failures
    if first.stopped_by is not None:
        rows["stopped by"] = outcome(-first.stopped_by)
    if first.ratios:
        rows["ratio"] = (
            "to command 1; low and high, from 6 rounds on, are the ends of its 95 % interval"
        )
    if any(each.smallest for each in found):
        rows["*"] = "smaller than each of the others, with 95 % confidence"
    return rows


def _laid_out(rows: list[list[str]], width: int, *, colored: bool) -> list[str]:
    """Return the lines of a table.

    Columns that do not fit the width follow below, after the first column again.
    """
    labels, *columns = zip(*rows, strict=True)
    widest = max(map(len, labels))
    blocks: list[list[str]] = []
    for column in columns:
        size = max(map(len, column))
        if not blocks or len(blocks[-1][0]) + 2 + size > width:
            blocks.append([label.ljust(widest) for label in labels])
        for at, cell in enumerate(column):
            padded = cell.rjust(size)
            blocks[-1][at] += "  " + (paint(padded, BOLD) if colored and "*" in cell else padded)
    text: list[str] = []
    for block in blocks:
        head, *rest = [line.rstrip() for line in block]
        text += [*([""] if text else []), paint(head, BOLD) if colored else head, *rest]
    return text


def _about_trees(found: list[Series]) -> str:
    """Return what the trees' figures are and how often they were sampled, or why there are none."""
    runs = [run for each in found for run in each.counted]
    sampled = [run["tree"] for run in runs if "tree" in run]
    if len(sampled) < len(runs):
        missing = len(runs) - len(sampled)
        return (
            f"left out: {missing} of {len(runs)} runs "
            "ended without a sample or could not be sampled"
        )
    text = f"{FIGURES['tree_rss'].part}; {how_often(*sampled)}"
    partial = sum(tree["_is_partial"] for tree in sampled)
    if partial:
        text += f"; {partial} of {len(runs)} runs had processes that could not be read"
    return text


def _failures(found: list[Series]) -> str:
    """Return how many runs failed or got signals of ``--kill``, and which; empty if none did."""
    failed = []
    for at, each in enumerate(found, 1):
        of_command = "" if len(found) == 1 else f" of command {at}"
        for number, run in each.failures:
            how = "--kill" if is_killed(run) else outcome(code_of(run))
            failed.append(f"run {number}{of_command} ({how})")
    more = ", ..." if len(failed) > 8 else ""
    if any(run.get("oom_killed") for each in found for run in each.runs):
        more += f"; {LACK_OF_MEMORY}"
    return f"{len(failed)}: {', '.join(failed[:8])}{more}" if failed else ""


def conclusions(found: list[Series]) -> list[str]:
    """Return a sentence for each command that differs from the first one by more than chance."""
    sentences = []
    for number, each in enumerate(found[1:], 2):
        nouns = {"ru_maxrss": "memory", "elapsed": "time"}
        if "tree_rss" in each.ratios:
            nouns = {"tree_rss": "memory in all processes", "elapsed": "time"}
        differing = [
            each.ratios[name].in_words(f" times as much {noun}")
            for name, noun in nouns.items()
            if name in each.ratios and each.ratios[name].differs
        ]
        if differing:
            sentences.append(f"Command {number} needed {' and '.join(differing)} as command 1.")
    return sentences


FAR = 15  # times the median distance from the median: ten standard deviations of normal data


def about_outliers(found: list[Series]) -> list[str]:
    """Return a sentence for each command whose first run was the slowest by far, or with outliers.

    A command has outliers if a tenth of its runs took far longer or shorter than most.
    """
    sentences = []
    for number, each in enumerate(found, 1):
        times = each.columns.get("elapsed", [0.0])
        middle = median(times)
        spread = median(abs(time - middle) for time in times)
        limit = max(FAR * spread, middle / 10)
        far = [time for time in times if abs(time - middle) > limit]
        of_command = "" if len(found) == 1 else f" of command {number}"
        if far and times[0] == far[0] == max(times):
            hint = f"--warmup {len(each.warmup) + 1} avoids it."
            sentences.append(f"The first run{of_command} was the slowest by far: {hint}")
        elif 10 * len(far) >= len(times):
            runs = f"{len(far)} of {len(times)} runs{of_command}"
            sentences.append(
                f"{runs} took far longer or shorter than most: "
                "--warmup or an idle machine may help."
            )
    return sentences
