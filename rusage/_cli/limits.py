"""The limits of memory and CPU time: whether a run has exceeded them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._backends import BACKEND
from .._backends._base import SAMPLED_RULES
from .._getrusage import fields
from .figures import FIGURES, code_of, exactly, excess, figure_of, is_killed
from .output import CANCELED, OVER, complain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .figures import Run, Series


def _verdict(
    limit: float, *, exceeded: bool | None, complaint: str = "", notes: Sequence[str] = ()
) -> Run:
    """Return the record of a limit; *exceeded*: None if that is unknown.

    *complaint*: the error message, unless the limit was kept. *notes*: why the verdict may be
    wrong.
    """
    return {"limit": limit, "exceeded": exceeded, "_complaint": complaint, "_notes": notes}


def left_over(run: Run, apart: Collection[str] = ()) -> Run | None:
    """Return the usage of the processes that a program left; None if they do not count."""
    return None if "orphans" in apart else run.get("orphans") or run.get("_orphans")


def least_and_most(
    name: str, run: Run, apart: Collection[str] = ()
) -> tuple[float | None, float | None]:
    """Return the least and the most that a limited figure can be; None if unknown.

    *apart*: what does not count beside the program's usage, ``orphans`` or ``member``.
    """
    if name == "tree_pss":
        tree = run.get("tree")
        if tree is None:
            return None, None
        least = tree.get("_pss_at_least", tree.get("pss")) or 0  # a stored report has no bound
        return least, None if run.get("_unsampled") else tree.get("pss_at_most")
    found = left_over(run, apart)
    orphans = None if found is None or found.get("_doubt") else found
    others = found if orphans is None else None  # perhaps not the program's
    is_read = orphans is None or _are_read(orphans)
    if name == "cputime":
        value = figure_of(run, name)
        if value is None:
            return None, None
        value += orphans["cputime"] if orphans is not None else 0
        if not is_read:
            return value, None
        return value, value + (others["cputime"] if others is not None else 0)
    least, most = _of_memory(name, run, orphans, apart)
    if most is not None and others is not None:
        most = max(most, others["ru_maxrss"])
    return least, most


def _are_read(orphans: Run) -> bool:
    """Return whether all processes that a program left could be read."""
    return orphans["living"] is not None and not orphans.get("_unread")


def _of_memory(
    name: str, run: Run, orphans: Run | None, apart: Collection[str]
) -> tuple[float | None, float | None]:
    """Return the least and the most of the largest process, or of the tree."""
    own, tree = run["usage"].get("ru_maxrss"), run.get("tree", {})
    peaks = [] if own is None else [own]
    is_known = orphans is None or not orphans.get("_unknown") or is_sampled(run)
    if orphans is not None and orphans["ru_maxrss"]:
        peaks.append(orphans["ru_maxrss"])
    if name == "tree_rss":
        # Without a sample, of one process. If sampling has failed, only an excess is known.
        peaks += [tree["rss"]] if tree else []
        least = max(peaks, default=None)
        return least, least if is_known and not run.get("_unsampled") else None
    if tree.get("member_peak") is not None and "member" not in apart:
        peaks.append(tree["member_peak"])
    most = run.get("_peak_bound") if own is None else own
    if most is None or not is_known or (orphans is not None and not _are_read(orphans)):
        return max(peaks, default=None), None
    return max(peaks, default=None), max([most, *peaks])


def is_sampled(run: Run) -> bool:
    """Return whether the program and its descendants were sampled until the program's end."""
    return "tree" in run and not run.get("_unsampled")


def judge(name: str, limit: float, run: Run, relative: Mapping[str, Collection[str]] = {}) -> Run:
    """Compare a figure of a program with a limit; *relative*: as in the options."""
    if name == "tree_pss":
        return _judge_pss(limit, run)
    apart = relative.get(name, ())
    figure, unit = FIGURES[name].name, FIGURES[name].unit
    tree = run.get("tree")
    least, most = least_and_most(name, run, apart)
    if name == "cputime" and least is not None and tree is not None and name not in relative:
        # what no process has waited for was sampled
        least = max([least, *(sample.cputime for sample in tree["_samples"][-1:])])
        most = None if most is None else max(most, least)
    close = unseen = ""  # two notes
    if name == "ru_maxrss":
        error = fields[name].error
        if BACKEND.child_peak in SAMPLED_RULES:
            unseen = "peak memory is sampled: a short peak over the limit may be missed"
        elif least is not None and error is not None and abs(least - limit) < error:
            close = f"peak memory is accurate to within {exactly(error, 'bytes')}: "
            close += f"the true peak may be above or below the limit of {exactly(limit, unit)}"
    elif name == "tree_rss" and tree is not None and tree["_is_partial"]:
        unseen = f"{figure} may be over the limit: some processes could not be read"
    if least is not None and least > limit:
        alone = least_and_most(name, run, {*apart, "orphans"})[0]
        if alone is None or alone <= limit:
            figure += ", with the processes that it left,"
        return _verdict(
            limit, exceeded=True, complaint=excess(figure, least, limit, unit), notes=[close]
        )
    if most is None or most > limit:
        complaint = _why_not_checked(name, least, most, run, apart)
        return _verdict(limit, exceeded=None, complaint=complaint)
    return _verdict(
        limit, exceeded=False, notes=[close or unseen, _note_on_living_orphans(name, run, apart)]
    )


def _why_not_checked(
    name: str, least: float | None, most: float | None, run: Run, apart: Collection[str]
) -> str:
    whose, why = FIGURES[name].name, "was not measured"
    orphans = left_over(run, apart)
    if least is not None and orphans is not None:
        left = f"{FIGURES[name].label} of processes that it"
        if orphans.get("_doubt"):
            if most is not None:  # theirs
                whose, why = f"{left} may have left", f"is over the limit ({orphans['_doubt']})"
        elif not _are_read(orphans):
            whose = f"{left} left"
        elif orphans.get("_unknown") and not is_sampled(run):
            why = f"is unknown without samples (--tree): {orphans['_unknown']}"
            whose = f"{left} left"
    return f"{whose} {why}: its limit cannot be checked"


def judge_median(
    name: str, limit: float, runs: Sequence[Run], relative: Mapping[str, Collection[str]]
) -> Run:
    """Compare the median of the runs of a series that succeeded with a relative limit."""
    figure, unit = FIGURES[name].name, FIGURES[name].unit
    killed = [judge(name, limit, run, relative) for run in runs if is_killed(run)]
    exceeded = [verdict for verdict in killed if verdict["exceeded"]]
    if exceeded:
        return exceeded[0]
    verdicts = [judge(name, limit, run, relative) for run in runs if code_of(run) == 0]
    if not verdicts:
        complaint = f"no run has succeeded: the limit of {figure} cannot be checked"
        return _verdict(limit, exceeded=None, complaint=complaint)
    unknown = [verdict for verdict in verdicts if verdict["exceeded"] is None]
    if unknown or len(verdicts) == 1:
        return [*unknown, *verdicts][0]
    from statistics import median  # takes long to import

    notes = [note for verdict in verdicts for note in verdict["_notes"]]
    values = [
        least_and_most(name, run, relative[name])[0] or 0 for run in runs if code_of(run) == 0
    ]
    value = median(values)
    if value <= limit:
        return _verdict(limit, exceeded=False, notes=notes)
    shown = exactly(int(value) if unit == "bytes" else value, unit)
    over = f"the median of {len(values)} runs, {shown}, is over the limit of {exactly(limit, unit)}"
    return _verdict(limit, exceeded=True, complaint=f"{figure}: {over}", notes=notes)


def _note_on_living_orphans(name: str, run: Run, apart: Collection[str] = ()) -> str:
    """Return what is not known of the processes that a program left, if something is not."""
    orphans = left_over(run, apart)
    if orphans is None or orphans["living"] == 0:
        return ""
    if orphans.get("_doubt"):
        return f"processes that it left may run on, and are not compared: {orphans['_doubt']}"
    living = orphans["living"]
    if living is None:
        return "processes that it left run on, and could not be read: they are not compared"
    number = "1 process" if living == 1 else f"{living} processes"
    note = f"{number} that it left still ran: later use is not compared"
    if name == "cputime":
        return note
    if is_sampled(run):
        return f"{note}, and earlier use only as it was sampled"
    return f"{note}, nor use before exec"


def _judge_pss(limit: float, run: Run) -> Run:
    """Compare PSS with a limit; it may only be known to be between two values."""
    figure, tree = FIGURES["tree_pss"].name, run.get("tree")
    least, most = least_and_most("tree_pss", run)
    if least is not None and least > limit:
        return _verdict(limit, exceeded=True, complaint=excess(figure, least, limit, "bytes"))
    if tree is None or most is None:
        complaint = f"{figure} was not measured: its limit cannot be checked"
        return _verdict(limit, exceeded=None, complaint=complaint)
    if most > limit:
        between = f"between {exactly(least or 0, 'bytes')} and {exactly(most, 'bytes')}"
        complaint = f"{figure} was {between}: its limit cannot be checked"
        return _verdict(limit, exceeded=None, complaint=complaint)
    note = f"{figure} may be over the limit: some processes could not be read"
    notes = [note if tree["_is_partial"] else "", _note_on_living_orphans("tree_pss", run)]
    return _verdict(limit, exceeded=False, notes=notes)


def judge_all(
    series: Series, limits: Mapping[str, float], relative: Mapping[str, Collection[str]]
) -> None:
    """Set the verdicts of the runs and, about relative limits, of the series if runs count."""
    for name, limit in limits.items():
        if name not in relative:
            for run in series.runs:
                run.setdefault("limits", {})[name] = judge(name, limit, run)
        elif series.counted:
            series.limits[name] = judge_median(name, limit, series.counted, relative)


def complain_of(series: Series) -> int:
    """Print an error message for each limit that was exceeded or cannot be checked.

    Each note is printed once. Return the exit status.
    """
    several = len(series.runs) > 1
    judged = [
        (f"{series.name}: run {number}" if several else series.name, name, [run], verdict)
        for number, run in enumerate(series.runs, 1)
        for name, verdict in run.get("limits", {}).items()
    ]
    judged += [
        (series.name, name, series.counted, verdict) for name, verdict in series.limits.items()
    ]
    status = 0
    notes: dict[str, None] = {}
    for of_run, name, runs, verdict in judged:
        if verdict["exceeded"] is not False:
            status = max(status, CANCELED if verdict["exceeded"] is None else OVER)
            killed = any(map(is_killed, runs))
            has_said = verdict["exceeded"] and killed and name in {"tree_rss", "tree_pss"}
            if not has_said:  # run() says why it kills
                complain(of_run, verdict["_complaint"])
        notes |= dict.fromkeys(filter(None, verdict["_notes"]))
    for note in notes:
        complain(series.name, note, alarming=False)
    return status
