"""A series of runs and a comparison: what is significant, the report as text."""

from __future__ import annotations

import functools
import itertools
import math
from bisect import bisect_right
from statistics import median
from typing import TYPE_CHECKING

from .figures import FIGURES, outcome
from .output import BOLD, is_colored, paint, width_of
from .report import how_often, lines, wrap
from .summary import Ratio

if TYPE_CHECKING:
    from typing import TextIO

    from .figures import Series
    from .options import Options


# --- The verdict ---

STEP = 2.0**-32  # of a logarithm: among integers, ties are exact
MOST_EXACT = 50  # rounds; with more, the normal distribution has the same rank, or one less


def compare(found: list[Series]) -> None:
    """Set the ratios to the first command's figures, and where the smallest figures are."""
    for name in in_all(found):
        for each in found:
            if 0 not in each.columns[name] and 0 not in found[0].columns[name]:
                each.ratios[name] = ratio(each.columns[name], found[0].columns[name])
        if len(found) > 1 and all(name in each.ratios for each in found):
            least = min((each.ratios[name].ratio, at) for at, each in enumerate(found))[1]
            to_least = [ratio(each.columns[name], found[least].columns[name]) for each in found]
            if all((each.low or 0) > 1 for at, each in enumerate(to_least) if at != least):
                found[least].smallest.add(name)


def in_all(found: list[Series]) -> list[str]:
    """Return the figures that are compared, if all commands have them."""
    return [
        name
        for name, figure in FIGURES.items()
        if figure.compared and all(name in each.columns for each in found)
    ]


def ratio(values: list[float], firsts: list[float]) -> Ratio:
    """Return the ratio of figures from the same rounds, none of them 0, by the signed-rank test.

    Each round has a ratio of its own. The logarithms of any two of them, and of one with itself,
    have a mean. The median of these means is the ratio (Hodges and Lehmann); the k-th smallest and
    largest are the ends of the interval.
    """
    logs = sorted(
        round((math.log(value) - math.log(first)) / STEP)
        for value, first in zip(values, firsts, strict=True)
    )
    pairs = len(logs) * (len(logs) + 1) // 2
    middle = (nth_sum(logs, (pairs + 1) // 2) + nth_sum(logs, pairs // 2 + 1)) / 2
    k = rank_of_ends(len(logs))
    sums = [middle, nth_sum(logs, k), nth_sum(logs, pairs + 1 - k)] if k else [middle]
    return Ratio(*(math.exp(each / 2 * STEP) for each in sums), *([] if k else [None, None]))


def nth_sum(values: list[int], rank: int) -> int:
    """Return the sum of this rank among the sums of all pairs, also of a value and itself.

    *values* are sorted.
    """
    low, high = 2 * values[0], 2 * values[-1]
    while low < high:
        middle = (low + high) // 2
        counts = (bisect_right(values, middle - value, at) - at for at, value in enumerate(values))
        if sum(counts) < rank:
            low = middle + 1
        else:
            high = middle
    return low


@functools.cache
def rank_of_ends(rounds: int) -> int:
    """Return the k of the 95 % interval; 0 if there are too few rounds for one.

    Of equal commands, each round is as likely to be above 1 as below. The interval is above 1 if
    the ranks of those below have a sum of less than k. So at most 1 of 40 subsets of the ranks 1,
    2, ... may have such a sum.
    """
    if rounds > MOST_EXACT:
        mean = rounds * (rounds + 1) / 4
        return int(mean + 0.5 - 1.959964 * math.sqrt(mean * (2 * rounds + 1) / 6))
    subsets = [1]  # the number of subsets with each sum
    for rank in range(1, rounds + 1):
        without = [0] * rank
        subsets = [old + new for old, new in zip(subsets + without, without + subsets, strict=True)]
    return sum(40 * below <= 2**rounds for below in itertools.accumulate(subsets))


# --- The report ---


def of_runs(found: list[Series], options: Options, file: TextIO | None) -> str:
    """Return the report of a series or of a comparison."""
    width, first = width_of(file), found[0]
    if options.stored is not None:
        table = _beside(options.stored, first)
    else:
        table = _compared(found) if options.compare else _summaries(first)
    text = _laid_out(table, width, colored=is_colored(file)) if first.summary else []
    rows = {"command": first.text} if options.append and not options.compare else {}
    if options.compare:
        numbered = {
            f"{number}": each.text.replace("\n", " ") for number, each in enumerate(found, 1)
        }
        text += [*([""] if text else []), *lines(numbered, file), ""]
    of = f" of {options.runs}" if options.runs else ""
    warmup = min(len(each.warmup) for each in found)
    after = f", after {warmup} for warm-up" if warmup else ""
    rows["rounds" if options.compare else "runs"] = f"{len(first.counted)}{of}{after}"
    if all("ru_maxrss" in each.summary for each in found):
        rows[FIGURES["ru_maxrss"].label] = FIGURES["ru_maxrss"].part
    if options.tree and first.summary:
        rows[FIGURES["tree_rss"].label] = _about_trees(found)
    if failures := _failures(found):
        rows["failures"] = failures
    if first.stopped_by is not None:
        rows["stopped by"] = outcome(-first.stopped_by)
    if options.compare and first.ratios:
        rows["ratio"] = (
            "to command 1; low and high, from 6 rounds on, are the ends of its 95 % interval"
        )
        if any(each.smallest for each in found):
            rows["*"] = "smaller than each of the others, with 95 % confidence"
    text += lines(rows, file, alarming={"failures", "stopped by"})
    sentences = [
        line for sentence in conclusions(found) + hints(found) for line in wrap(sentence, width)
    ]
    return "\n".join([*text, "", *sentences] if sentences else text)


def _summaries(found: Series) -> list[list[str]]:
    """Return the rows of the table of a series."""
    rows = [["", "mean", "deviation", "min", "median", "max"]]
    for name, figure in FIGURES.items():
        if figure.in_series and name in found.summary:
            cells = ["-" if value is None else figure.shown(value) for value in found.summary[name]]
            rows.append([figure.row, *cells])
    return rows


def _beside(stored: dict[str, float], found: Series) -> list[list[str]]:
    """Return the rows of the table of a run or a series beside a stored report."""
    rows = [["", "median", "stored", "change"]]
    for name, each in found.summary.items():
        figure, before = FIGURES[name], stored.get(name)
        change = f"{each.median / before - 1:+.1%}" if before else "-"
        shown = "-" if before is None else figure.shown(before)
        rows.append([figure.row, figure.shown(each.median), shown, change])
    return rows


def _compared(found: list[Series]) -> list[list[str]]:
    """Return the rows of the table of a comparison: for each figure, one for each command."""
    rows = [["", "median", "ratio", "low", "high"]]
    for name in in_all(found):
        for number, each in enumerate(found, 1):
            to_first = each.ratios[name].shown() if name in each.ratios else ["-"]
            cells = [f"{number}  {FIGURES[name].label}", each.shown_median(name, "*{}")]
            cells += ["1"] if number == 1 else to_first
            rows.append([*cells, "", ""][:5])
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
    runs = [ended for each in found for ended in each.counted]
    sampled = [run.tree for run in runs if run.tree is not None]
    if len(sampled) < len(runs):
        missing = len(runs) - len(sampled)
        return (
            f"left out: {missing} of {len(runs)} runs "
            "ended without a sample or could not be sampled"
        )
    text = f"{FIGURES['tree_rss'].part}; {how_often(*sampled)}"
    partial = sum(peak.is_partial for peak in sampled)
    if partial:
        text += f"; {partial} of {len(runs)} runs had processes that could not be read"
    return text


def _failures(found: list[Series]) -> str:
    """Return how many runs failed or got signals of ``--kill``, and which; empty if none did."""
    failed = []
    for at, each in enumerate(found, 1):
        of_command = "" if len(found) == 1 else f" of command {at}"
        for number, run in enumerate(each.runs, 1):
            if run.code or run.killed:
                how = "--kill" if run.killed else outcome(run.code)
                failed.append(f"run {number}{of_command} ({how})")
    more = ", ..." if len(failed) > 8 else ""
    return f"{len(failed)}: {', '.join(failed[:8])}{more}" if failed else ""


def conclusions(found: list[Series]) -> list[str]:
    """Return a sentence for each command that differs from the first one by more than chance."""
    sentences = []
    for number, each in enumerate(found[1:], 2):
        memory = "ru_maxrss", "memory"
        if "tree_rss" in each.ratios:
            memory = "tree_rss", "memory in all processes"
        differing = []
        for name, noun in memory, ("elapsed", "time"):
            if name in each.ratios and each.ratios[name].differs:
                differing.append(each.ratios[name].in_words(f" times as much {noun}"))
        if differing:
            sentences.append(f"Command {number} needed {' and '.join(differing)} as command 1.")
    return sentences


FAR = 15  # times the median distance from the median: ten standard deviations of normal data


def hints(found: list[Series]) -> list[str]:
    """Return a sentence for each command whose first run was the slowest by far, or with outliers.

    A command has outliers if a tenth of its runs took far longer or shorter than most.
    """
    sentences = []
    for number, each in enumerate(found, 1):
        times = each.columns.get("elapsed", [0.0])
        middle = median(times)
        distances = [abs(time - middle) for time in times]
        least = max(FAR * median(distances), middle / 10)
        far = [time for time, distance in zip(times, distances, strict=True) if distance > least]
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
