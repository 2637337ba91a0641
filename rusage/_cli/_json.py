"""The reports in JSON; ``docs/rusage.schema.json`` describes them."""

from __future__ import annotations

import json

from .._backends._base import RUSAGE_SELF
from .._getrusage import fields, getrusage, measured
from ._limits import judge
from ._reporting import utf8

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Collection

    from ._reporting import Ended
    from ._statistics import Comparison, Series

VERSION = 1


def own_usage() -> str:
    """Return the usage of this process."""
    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    record: dict[str, object] = {"version": VERSION}
    for name, field in fields.items():
        record[name] = {
            "value": usage[name],
            "unit": field.unit,
            "measured": name in known,
            "meaning": field.meaning,
            "error": field.error,
        }
    return json.dumps(record, indent=2)


def ended(command: list[str], result: Ended, limits: dict[str, float] | None) -> str:
    """Return how a program ended."""
    record = {
        "version": VERSION,
        "command": _words(command),
        **_outcome(result, limits),
        **_about(result[1]),
    }
    return json.dumps(record)


def series(found: Series, limits: dict[str, float] | None) -> str:
    """Return the runs of a series and their statistics."""
    record = {"version": VERSION, "warmup": found.warmup, **_runs(found, limits), **_about_series([found])}
    return json.dumps(record)


def comparison(found: Comparison, limits: dict[str, float] | None) -> str:
    """Return the runs of several commands, their statistics and their ratios."""
    commands = [
        {**_runs(each, limits), "ratios": {name: ratio._asdict() for name, ratio in ratios.items()}}
        for each, ratios in zip(found.series, found.ratios, strict=True)
    ]
    warmup = found.series[0].warmup
    record = {"version": VERSION, "warmup": warmup, "commands": commands, **_about_series(found.series)}
    return json.dumps(record)


def _runs(found: Series, limits: dict[str, float] | None) -> dict[str, object]:
    return {
        "command": _words(found.command),
        "runs": [{**_outcome(run[:4], limits), "counted": run.counted} for run in found.runs],
        "summary": {name: summary._asdict() for name, summary in found.summary.items()},
        "outliers": found.outliers,
    }


def _about_series(found: list[Series]) -> dict[str, object]:
    usages = [run.usage for each in found for run in each.runs]
    about = _about([name for name in fields if any(name in usage for usage in usages)], cputime=True)
    return {"stopped_by": found[0].stopped_by, **about}


def _words(command: list[str]) -> list[str]:
    """Return a command for JSON."""
    return [utf8(word) for word in command]  # strict parsers reject lone surrogates


def _outcome(result: Ended, limits: dict[str, float] | None) -> dict[str, object]:
    code, usage, elapsed, bound = result
    record: dict[str, object] = {
        "exit_status": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "elapsed": elapsed,
        "usage": usage,
    }
    if limits is not None:
        record["limits"] = {
            verdict.name: {"limit": verdict.limit, "exceeded": verdict.over} for verdict in judge(limits, usage, bound)
        }
    return record


def _about(names: Collection[str], *, cputime: bool = False) -> dict[str, object]:
    """Return the units of the figures, and the largest errors of those fields whose error is known."""
    units = {"elapsed": "seconds", **{name: fields[name].unit for name in names}}
    if cputime and units.keys() >= {"ru_utime", "ru_stime"}:
        units["cputime"] = "seconds"
    return {
        "units": units,
        "errors": {name: fields[name].error for name in names if fields[name].error is not None},
    }
