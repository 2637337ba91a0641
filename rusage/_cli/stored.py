"""The report in JSON of an earlier run or series, which ``--against`` shows beside this one."""

from __future__ import annotations

import errno
import json
import os
import shlex
from typing import TYPE_CHECKING, Any

from .._units import shown
from .figures import FIGURES, Ended
from .formats import system
from .options import Percent
from .output import complain, utf8

if TYPE_CHECKING:
    from .options import Options


def load(path: str, options: Options, command: list[str]) -> bool:
    """Read the stored figures, and make limits absolute that are relative to them.

    Return whether that is possible. A message says why not, or that the report is of another
    command or system.
    """
    try:
        with open(path, "rb") as file:
            options.stored_file = os.fstat(file.fileno())
            record = json.loads(file.read(16 * 2**20))
        options.stored = stored = _figures(record)
        for name, limit in options.limits.items():
            if isinstance(limit, Percent):
                options.limits[name] = _absolute(name, limit, stored)
        before, kernel = shlex.join(record["command"]), record["system"]
        if before != shlex.join(map(utf8, command)) or kernel != system():
            complain(
                path,
                f"of another command or system: {shown(before)} on {shown(kernel)}",
                alarming=False,
            )
    except OSError as error:
        complain(path, error.strerror)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        complain(path, "not a report of a run or a series in JSON of version 2, of at most 16 MiB")
    else:
        return True
    return False


def _figures(record: Any) -> dict[str, float]:
    """Return the figures of a run, or the medians of a series."""
    if record["version"] != 2:
        raise ValueError
    runs = record.get("runs", [record])
    failed = any(run["exit_status"] != 0 or run.get("tree", {}).get("killed") for run in runs)
    if failed or not runs or record.get("stopped_by") is not None:
        raise OSError(errno.EINVAL, "a run failed, was killed or was stopped, or there is none")
    if "summary" in record:
        figures = {name: each["median"] for name, each in record["summary"].items()}
    else:
        figures = Ended(0, record["usage"], record["elapsed"], None).figures
        if "tree" in record:
            figures["tree_rss"] = record["tree"]["rss"]
    if not all(0 <= value < 2**64 for value in figures.values()):  # nor NaN
        raise ValueError
    return figures


def _absolute(name: str, limit: Percent, stored: dict[str, float]) -> float:
    if name not in stored:
        raise OSError(
            errno.EINVAL,
            f"{FIGURES[name].name} was not measured: its limit cannot be checked",
        )
    value = stored[name] * (1 + limit / 100)
    return int(value) if FIGURES[name].unit == "bytes" else value
