"""The report of one run as text, and the lines and words of all reports."""

from __future__ import annotations

import signal

from .._getrusage import fields
from .figures import (
    FIGURES,
    TOO_SHORT,
    code_of,
    figures_of,
    is_killed,
    outcome,
    part_of,
    quantity,
)
from .output import IN_A_LINE, RED, is_colored, paint, width_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import TextIO

    from .figures import Run, Series
    from .options import Options


LACK_OF_MEMORY = "a process of this cgroup was killed for lack of memory"


def lines(
    rows: dict[str, str],
    file: TextIO | None,
    *,
    alarming: Collection[str] = (),
) -> list[str]:
    """Return lines with each label and its text, wrapped for a file; *alarming* ones may be red.

    The text of ``command`` is not wrapped.
    """
    indent, width, colored = " " * (max(map(len, rows)) + 2), width_of(file), is_colored(file)
    found = []
    for label, text in rows.items():
        line = f"{label:<{len(indent)}}{text}".replace("\n", f"\n{indent}")
        parts = [line]
        if label != "command":
            parts = [part for one in line.split("\n") for part in wrap(one, width, indent)]
        found += [paint(part, RED) if colored and label in alarming else part for part in parts]
    return found


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Return the lines of a text, all but the first one after an indent; no word is broken."""
    if len(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


# --- One run ---


def of_run(found: Series, options: Options, file: TextIO | None) -> str:
    """Return the report of a run; it begins with the command if it is appended to other reports."""
    rows = {"command": found.text} if options.append else {}
    (run,) = found.runs
    figures, code = figures_of(run), code_of(run)
    for name, figure in FIGURES.items():
        label, value = figure.label, figures.get(name)
        if name == "tree_rss" and options.tree:
            rows[label] = _tree(run)
            if "tree" in run:
                rows |= pss_row(run["tree"]) | of_members(run["tree"]["largest_members"])
        elif name == "cputime" and value is not None and run["elapsed"] > 0:
            rows["CPU share"] = f"{value / run['elapsed']:.0%}"
        elif name not in {"tree_rss", "tree_pss", "cputime"} and value is not None:
            before = f"{rows[label]}, " if label in rows else ""
            rows[label] = f"{before}{figure.shown(value)} {part_of(name, [run])}".rstrip()
    last = "exit status" if code >= 0 else "killed by"
    sent = "; signals of --kill were sent" if is_killed(run) else ""
    lack = f"; {LACK_OF_MEMORY}" if run.get("oom_killed") else ""
    rows[last] = outcome(code).removeprefix("exit status ") + sent + lack
    alarming = [] if code in {0, -signal.SIGINT} else [last]
    return "\n".join(lines(rows, file, alarming=alarming))


def _tree(run: Run) -> str:
    """Return the largest sample of a tree, or why there is none."""
    if "tree" not in run:
        return f"not measured: {run['_unsampled'] or TOO_SHORT}"
    tree, peak, error = run["tree"], run["usage"].get("ru_maxrss"), fields["ru_maxrss"].error
    member, more = tree["largest_member"], ""
    if member is not None and peak is not None and error is not None:
        if member["rss"] - peak > error:
            why = "the kernel has lowered it"
            if member["pid"] != tree["_pid"]:
                why = "nobody has waited for it, or the kernel has lowered its peak"
            more = f"; the peak does not include the largest: {why}"
        elif member["rss"] > peak:
            more = f"; the peak may be up to {quantity(error, 'bytes')} too small"
        if tree["member_peak"] - max(member["rss"], peak) > error:
            size = quantity(tree["member_peak"], "bytes")
            more += f"; in another sample, one process had {size}"
    return f"{of_peak(tree)}{more}; {how_often(tree)}"


def of_peak(tree: Run) -> str:
    """Return the largest sample of a tree."""
    member = tree["largest_member"]
    largest = "" if member is None else f", the largest {quantity(member['rss'], 'bytes')}"
    return f"{of_sample(tree)} after {quantity(tree['elapsed'], 'seconds')}{largest}"


def pss_row(tree: Run, label: str = FIGURES["tree_pss"].label) -> dict[str, str]:
    """Return a row with the largest sum of PSS, if that was asked for."""
    if "pss_at_most" not in tree:
        return {}
    return {label: of_pss(tree["_pss_at_least"], tree["pss_at_most"])}


def of_pss(at_least: int | None, at_most: int) -> str:
    """Return a sum of PSS, or between what it is."""
    most = quantity(at_most, "bytes")
    if at_least is None:
        return f"at most {most}, the sum of RSS, below the limit of PSS"
    return most if at_least == at_most else f"between {quantity(at_least, 'bytes')} and {most}"


def of_members(members: Sequence[Run]) -> dict[str, str]:
    """Return a row with the largest members: process IDs, resident set sizes and names."""
    sizes = [quantity(member["rss"], "bytes") for member in members]
    pids = [f"{member['pid']}" for member in members]
    names = [member["name"].translate(IN_A_LINE) for member in members]
    text = "\n".join(
        f"{pid:>{max(map(len, pids))}}  {size:>{max(map(len, sizes))}}  {name}"
        for pid, size, name in zip(pids, sizes, names, strict=True)
    )
    return {"largest processes": text} if text else {}


def how_often(*trees: Run) -> str:
    """Return how often samples were taken."""
    missed = sum(tree["missed"] for tree in trees)
    text = f"sampled every {quantity(trees[0]['interval'], 'seconds')}"
    return text + (f", {missed} sample{'s' if missed > 1 else ''} missed" if missed else "")


def of_sample(sample: Run) -> str:
    """Return the memory of a tree, the number of processes, and how many could not be read."""
    number = f"{sample['processes']} process{'es' if sample['processes'] != 1 else ''}"
    unread = f" ({sample['unread']} not readable)" if sample["unread"] else ""
    return f"{quantity(sample['rss'], 'bytes')} in {number}{unread}"
