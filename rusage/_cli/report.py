"""The report of one run as text, and the lines and words of all reports."""

from __future__ import annotations

import signal

from .._getrusage import fields
from .figures import FIGURES, TOO_SHORT, outcome, quantity
from .output import RED, in_a_line, is_colored, paint, width_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import TextIO

    from .. import Member, Sample
    from .figures import Ended, Series
    from .options import Options
    from .tree_peak import TreePeak


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
    (ended,) = found.runs
    for name, figure in FIGURES.items():
        label, value = figure.label, ended.figures.get(name)
        if name == "tree_rss" and options.tree:
            rows[label] = _tree(ended)
            if ended.tree is not None:
                rows |= pss_row(ended.tree) | of_members(ended.tree.members)
        elif name == "cputime" and value is not None and ended.elapsed > 0:
            rows["CPU share"] = f"{value / ended.elapsed:.0%}"
        elif name not in {"tree_rss", "tree_pss", "cputime"} and value is not None:
            before = f"{rows[label]}, " if label in rows else ""
            rows[label] = f"{before}{figure.shown(value)} {figure.part}".rstrip()
    last = "exit status" if ended.code >= 0 else "killed by"
    sent = "; signals of --kill were sent" if ended.killed else ""
    lack = f"; {LACK_OF_MEMORY}" if ended.oom_killed else ""
    rows[last] = outcome(ended.code).removeprefix("exit status ") + sent + lack
    alarming = [] if ended.code in {0, -signal.SIGINT} else [last]
    return "\n".join(lines(rows, file, alarming=alarming))


def _tree(ended: Ended) -> str:
    """Return the largest sample of a tree, or why there is none."""
    if ended.tree is None:
        return f"not measured: {ended.unsampled or TOO_SHORT}"
    member, peak, error = ended.tree.member, ended.usage.get("ru_maxrss"), fields["ru_maxrss"].error
    more = ""
    if member is not None and peak is not None and error is not None:
        if member.rss - peak > error:
            why = "the kernel has lowered it"
            if member.pid != ended.tree.pid:
                why = "nobody has waited for it, or the kernel has lowered its peak"
            more = f"; the peak does not include the largest: {why}"
        elif member.rss > peak:
            more = f"; the peak may be up to {quantity(error, 'bytes')} too small"
        if ended.tree.member_peak - max(member.rss, peak) > error:
            size = quantity(ended.tree.member_peak, "bytes")
            more += f"; in another sample, one process had {size}"
    return f"{of_peak(ended.tree)}{more}; {how_often(ended.tree)}"


def of_peak(peak: TreePeak) -> str:
    """Return the largest sample of a tree."""
    largest = "" if peak.member is None else f", the largest {quantity(peak.member.rss, 'bytes')}"
    return f"{of_sample(peak.largest)} after {quantity(peak.largest.elapsed, 'seconds')}{largest}"


def pss_row(peak: TreePeak) -> dict[str, str]:
    """Return a row with the largest sum of PSS, if that was asked for."""
    if peak.pss_at_most is None:
        return {}
    text = of_pss(peak.pss_at_least, peak.pss_at_most)
    return {FIGURES["tree_pss"].label: text}


def of_pss(at_least: int | None, at_most: int) -> str:
    """Return a sum of PSS, or between what it is."""
    most = quantity(at_most, "bytes")
    if at_least is None:
        return f"at most {most}, the sum of RSS, below the limit of PSS"
    return most if at_least == at_most else f"between {quantity(at_least, 'bytes')} and {most}"


def of_members(members: Sequence[Member]) -> dict[str, str]:
    """Return a row with the largest members: process IDs, resident set sizes and names."""
    sizes = [quantity(member.rss, "bytes") for member in members]
    pids = [f"{member.pid}" for member in members]
    text = "\n".join(
        f"{pid:>{max(map(len, pids))}}  {size:>{max(map(len, sizes))}}  {in_a_line(member.name)}"
        for pid, size, member in zip(pids, sizes, members, strict=True)
    )
    return {"largest processes": text} if text else {}


def how_often(*peaks: TreePeak) -> str:
    """Return how often samples were taken."""
    missed = sum(peak.missed for peak in peaks)
    text = f"sampled every {quantity(peaks[0].interval, 'seconds')}"
    return text + (f", {missed} sample{'s' if missed > 1 else ''} missed" if missed else "")


def of_sample(sample: Sample) -> str:
    """Return the memory of a tree, the number of processes, and how many could not be read."""
    number = f"{sample.processes} process{'es' if sample.processes != 1 else ''}"
    unread = f" ({sample.unread} not readable)" if sample.unread else ""
    return f"{quantity(sample.rss, 'bytes')} in {number}{unread}"
