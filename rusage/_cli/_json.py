"""The reports in JSON; ``docs/rusage.schema.json`` describes them."""

from __future__ import annotations

import json
import os

from .._backends._base import RUSAGE_SELF
from .._getrusage import fields, getrusage, measured
from ._limits import judge

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
        # Bytes that are not UTF-8 as \\xNN: strict parsers reject the lone surrogates that Python uses for them.
        "command": [os.fsencode(word).decode("utf-8", "backslashreplace") for word in command],
        "exit_status": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "elapsed": elapsed,
        "usage": usage,
        "units": {"elapsed": "seconds", **{name: fields[name].unit for name in usage}},
    }
    if limits is not None:
        record["limits"] = {
            verdict.name: {"limit": verdict.limit, "exceeded": verdict.over} for verdict in judge(limits, usage)
        }
    return json.dumps(record)
