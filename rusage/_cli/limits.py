"""The limits of memory and CPU time: whether a run has exceeded them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._backends import BACKEND
from .._backends._base import SAMPLED_RULES
from .._getrusage import fields
from .figures import FIGURES, Verdict, exactly, excess
from .output import CANCELED, complain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .figures import Ended, OrphanUsage, Series

OVER = 123  # unused by env(1), nohup(1), timeout(1) and the shells


def least_and_most(
    name: str, ended: Ended, apart: Collection[str] = ()
) -> tuple[float | None, float | None]:
    """Return the least and the most that a limited figure can be; None if unknown.

    *apart*: what does not count beside the program's usage, ``orphans`` or ``member`` of a run.
    """
    if name == "tree_pss":
        peak = ended.tree
        if peak is None:  # of a stored report
            return ended.figures.get(name), ended.figures.get(name)
        return peak.pss_at_least or 0, None if ended.unsampled else peak.pss_at_most
    found = None if "orphans" in apart else ended.orphans
    orphans = None if found is None or found.doubt else found
    others = found if found is not None and found.doubt else None  # perhaps not the program's
    if name == "cputime":
        value = ended.figures.get(name)
        if value is None:
            return None, None
        value += orphans.cputime if orphans is not None else 0
        if orphans is not None and not orphans.is_read:
            return value, None
        return value, value + (others.cputime if others is not None else 0)
    least, most = _of_memory(name, ended, orphans, apart)
    if most is not None and others is not None:
        most = max(most, others.peak)
    return least, most


def _of_memory(
    name: str, ended: Ended, orphans: OrphanUsage | None, apart: Collection[str]
) -> tuple[float | None, float | None]:
    """Return the least and the most of the largest process, or of the tree."""
    own = ended.figures.get("ru_maxrss")
    peaks = [] if own is None else [own]
    is_known = orphans is None or not orphans.unknown or is_sampled(ended)
    if orphans is not None and orphans.peak:
        peaks.append(orphans.peak)
    if name == "tree_rss":
        # Without a sample, of one process. If sampling has failed, only an excess is known.
        peaks += [ended.figures[name]] if name in ended.figures else []
        least = max(peaks, default=None)
        return least, least if is_known and not ended.unsampled else None
    if ended.member is not None and "member" not in apart:
        peaks.append(ended.member)
    most = ended.peak_bound if own is None else own
    if most is None or not is_known or (orphans is not None and not orphans.is_read):
        return max(peaks, default=None), None
    return max(peaks, default=None), max([most, *peaks])


def is_sampled(ended: Ended) -> bool:
    """Return whether the program and its descendants were sampled until the program's end."""
    return ended.tree is not None and not ended.unsampled


def judge(
    name: str, limit: float, ended: Ended, relative: Mapping[str, Collection[str]] = {}
) -> Verdict:
    """Compare a figure of a program with a limit; *relative*: as in the options."""
    if name == "tree_pss":
        return _judge_pss(limit, ended)
    apart = relative.get(name, ())
    figure, unit = FIGURES[name].name, FIGURES[name].unit
    least, most = least_and_most(name, ended, apart)
    if name == "cputime" and least is not None and ended.tree is not None and name not in relative:
        # what no process has waited for was sampled
        least = max([least, *(sample.cputime for sample in ended.tree.samples[-1:])])
        most = None if most is None else max(most, least)
    close = unseen = ""  # two notes
    if name == "ru_maxrss":
        error = fields[name].error
        if BACKEND.child_peak in SAMPLED_RULES:
            unseen = "peak memory is sampled: a short peak over the limit may be missed"
        elif least is not None and error is not None and abs(least - limit) < error:
            close = f"peak memory is accurate to within {exactly(error, 'bytes')}: "
            close += f"the true peak may be above or below the limit of {exactly(limit, unit)}"
    elif name == "tree_rss" and ended.tree is not None and ended.tree.is_partial:
        unseen = f"{figure} may be over the limit: some processes could not be read"
    if least is not None and least > limit:
        alone = least_and_most(name, ended, {*apart, "orphans"})[0]
        if alone is None or alone <= limit:
            figure += ", with the processes that it left,"
        return Verdict(over=True, complaint=excess(figure, least, limit, unit), notes=[close])
    orphans = None if "orphans" in apart else ended.orphans
    if most is None or most > limit:
        return Verdict(over=None, complaint=_why_not_checked(name, least, orphans))
    return Verdict(over=False, notes=[close or unseen, _note_on_living_orphans(name, ended, apart)])


def _why_not_checked(name: str, least: float | None, orphans: OrphanUsage | None) -> str:
    whose, why = FIGURES[name].name, "was not measured"
    if least is not None and orphans is not None:
        whose = f"{FIGURES[name].label} of processes that it left"
        if orphans.doubt:
            whose = f"{FIGURES[name].label} of processes that it may have left"
            why = f"is over the limit ({orphans.doubt})"
        elif orphans.is_read and orphans.unknown:
            why = f"is unknown without samples (--tree): {orphans.unknown}"
    return f"{whose} {why}: its limit cannot be checked"


def judge_median(
    name: str, limit: float, runs: Sequence[Ended], relative: Mapping[str, Collection[str]]
) -> Verdict:
    """Compare the median of the runs of a series that succeeded with a relative limit."""
    figure, unit = FIGURES[name].name, FIGURES[name].unit
    verdicts = [judge(name, limit, run, relative) for run in runs if run.code == 0]
    if not verdicts:
        complaint = f"no run has succeeded: the limit of {figure} cannot be checked"
        return Verdict(over=None, complaint=complaint)
    unknown = [verdict for verdict in verdicts if verdict.over is None]
    if unknown or len(verdicts) == 1:
        return [*unknown, *verdicts][0]
    from statistics import median  # takes long to import

    notes = [note for verdict in verdicts for note in verdict.notes]
    values = [least_and_most(name, run, relative[name])[0] or 0 for run in runs if run.code == 0]
    value = median(values)
    if value <= limit:
        return Verdict(over=False, notes=notes)
    shown = exactly(int(value) if unit == "bytes" else value, unit)
    over = f"the median of {len(values)} runs, {shown}, is over the limit of {exactly(limit, unit)}"
    return Verdict(over=True, complaint=f"{figure}: {over}", notes=notes)


def _note_on_living_orphans(name: str, ended: Ended, apart: Collection[str] = ()) -> str:
    """Return what is not known of the processes that a program left, if something is not."""
    orphans = None if "orphans" in apart else ended.orphans
    if orphans is None or orphans.living == 0:
        return ""
    if orphans.doubt:
        return f"processes that it left may run on, and are not compared: {orphans.doubt}"
    if orphans.living is None:
        return "processes that it left run on, and could not be read: they are not compared"
    number = "1 process" if orphans.living == 1 else f"{orphans.living} processes"
    note = f"{number} that it left still ran: later use is not compared"
    if name == "cputime":
        return note
    if is_sampled(ended):
        return f"{note}, and earlier use only as it was sampled"
    return f"{note}, nor use before exec"


def _judge_pss(limit: float, ended: Ended) -> Verdict:
    """Compare PSS with a limit; it may only be known to be between two values."""
    figure, peak = FIGURES["tree_pss"].name, ended.tree
    least, most = least_and_most("tree_pss", ended)
    if least is not None and least > limit:
        return Verdict(over=True, complaint=excess(figure, least, limit, "bytes"))
    if peak is None or most is None:
        complaint = f"{figure} was not measured: its limit cannot be checked"
        return Verdict(over=None, complaint=complaint)
    if most > limit:
        between = f"between {exactly(least or 0, 'bytes')} and {exactly(most, 'bytes')}"
        complaint = f"{figure} was {between}: its limit cannot be checked"
        return Verdict(over=None, complaint=complaint)
    note = f"{figure} may be over the limit: some processes could not be read"
    notes = [note if peak.is_partial else "", _note_on_living_orphans("tree_pss", ended)]
    return Verdict(over=False, notes=notes)


def judge_all(
    series: Series, limits: Mapping[str, float], relative: Mapping[str, Collection[str]]
) -> None:
    """Set the verdicts of the runs and, about relative limits, of the series if runs count."""
    for name, limit in limits.items():
        if name not in relative:
            for run in series.runs:
                run.verdicts[name] = judge(name, limit, run)
        elif series.counted:
            series.verdicts[name] = judge_median(name, limit, series.counted, relative)


def complain_of(series: Series) -> int:
    """Print an error message for each limit that was exceeded or cannot be checked.

    Each note is printed once. Return the exit status.
    """
    several = len(series.runs) > 1
    judged = [
        (f"{series.name}: run {number}" if several else series.name, name, [run], verdict)
        for number, run in enumerate(series.runs, 1)
        for name, verdict in run.verdicts.items()
    ]
    judged += [
        (series.name, name, series.counted, verdict) for name, verdict in series.verdicts.items()
    ]
    status = 0
    notes: dict[str, None] = {}
    for of_run, name, runs, verdict in judged:
        if verdict.over is not False:
            status = max(status, CANCELED if verdict.over is None else OVER)
            killed = any(run.killed for run in runs)
            has_said = verdict.over and killed and name in {"tree_rss", "tree_pss"}
            if not has_said:  # run() says why it kills
                complain(of_run, verdict.complaint)
        notes |= dict.fromkeys(filter(None, verdict.notes))
    for note in notes:
        complain(series.name, note, alarming=False)
    return status
