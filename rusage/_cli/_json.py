"""The reports in JSON; ``docs/rusage.schema.json`` describes them."""

from __future__ import annotations

import json
import os

from .._backends._base import RUSAGE_SELF
from .._getrusage import fields, getrusage, measured
from ._limits import judge

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._series import Series

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
        }
    return json.dumps(record, indent=2)


def ended(
    command: list[str], code: int, usage: dict[str, float], elapsed: float, limits: dict[str, float] | None
) -> str:
    """Return how a program ended: its exit code as in subprocess, its measured fields and the elapsed seconds."""
    record = {
        "version": VERSION,
        "command": _words(command),
        **_outcome(code, usage, elapsed, limits),
        "units": _units(usage),
    }
    return json.dumps(record)


def series(found: Series, limits: dict[str, float] | None) -> str:
    """Return the runs of a series and their statistics."""
    record = {
        "version": VERSION,
        "command": _words(found.command),
        "warmup": found.warmup,
        "runs": [{**_outcome(run.code, run.usage, run.elapsed, limits), "counted": run.counted} for run in found.runs],
        "summary": {name: summary._asdict() for name, summary in found.summary.items()},
        "outliers": found.outliers,
        "stopped_by": found.stopped_by,
        "units": _units(name for name in fields if any(name in run.usage for run in found.runs)),
    }
    return json.dumps(record)


def _words(command: list[str]) -> list[str]:
    """Return a command for JSON."""
    # Bytes that are not UTF-8 as \\xNN: strict parsers reject the lone surrogates that Python uses for them.
    return [os.fsencode(word).decode("utf-8", "backslashreplace") for word in command]


def _outcome(code: int, usage: dict[str, float], elapsed: float, limits: dict[str, float] | None) -> dict[str, object]:
    record: dict[str, object] = {
        "exit_status": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "elapsed": elapsed,
        "usage": usage,
    }
    if limits is not None:
        record["limits"] = {
            verdict.name: {"limit": verdict.limit, "exceeded": verdict.over} for verdict in judge(limits, usage)
        }
    return record


def _units(names: Iterable[str]) -> dict[str, str]:
    return {"elapsed": "seconds", **{name: fields[name].unit for name in names}}
