"""The report in JSON of an earlier run or series, which ``--against`` shows beside this one."""

from __future__ import annotations

import errno
import json
import os
import shlex
from statistics import median
from typing import TYPE_CHECKING, Any

from .._units import shown
from .figures import FIGURES, figure_of, figures_of
from .formats import system
from .limits import least_and_most
from .options import Percent
from .output import complain, utf8
from .run import CAN_ADOPT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .figures import Run
    from .options import Options


APART = {"processes that the program left": "orphans", "samples of single processes": "member"}


def load(path: str, options: Options, command: list[str]) -> bool:
    """Read the stored figures, and make limits absolute that are relative to them.

    Return whether that is possible. A message says why not, or that the report is of another
    command or system.
    """
    try:
        with open(path, "rb") as file:
            options.stored_file = os.fstat(file.fileno())
            record = json.loads(file.read(16 * 2**20))
        runs = _runs(record)
        medians = {name: each["median"] for name, each in record.get("summary", {}).items()}
        options.stored = medians or figures_of(runs[0])
        _check_range(options.stored.values())
        _make_limits_absolute(path, options, runs)
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
        complain(path, "not what rusage --json writes of a run or a series, of at most 16 MiB")
    else:
        return True
    return False


def _runs(record: Any) -> list[Any]:
    """Return the records of the runs that count."""
    if record["version"] != 2:
        raise ValueError
    runs = record.get("runs", [record])
    failed = any(run["exit_status"] != 0 or run.get("tree", {}).get("killed") for run in runs)
    if failed or not runs or record.get("stopped_by") is not None:
        raise OSError(errno.EINVAL, "a run failed, was killed or was stopped, or there is none")
    return [run for run in runs if run.get("counted", True)]


def _check_range(values: Iterable[float]) -> None:
    if not all(0 <= value < 2**64 for value in values):  # nor NaN
        raise ValueError


def _make_limits_absolute(path: str, options: Options, runs: list[Run]) -> None:
    """Make limits absolute that are relative to the median of the stored runs.

    Like is compared with like: what only one of the two reports has does not count.
    """
    ours = {"orphans": CAN_ADOPT, "member": options.tree}
    theirs = {
        "orphans": all("orphans" in run for run in runs),
        "member": all("member_peak" in run.get("tree", {}) for run in runs),
    }
    apart = [name for name in ours if not (ours[name] and theirs[name])]
    for name, limit in options.limits.items():
        if not isinstance(limit, Percent):
            continue
        options.relative[name] = apart
        if None in [figure_of(run, name) for run in runs]:
            raise OSError(
                errno.EINVAL,
                f"{FIGURES[name].name} was not measured: its limit cannot be checked",
            )
        values = [least_and_most(name, run, apart)[0] or 0 for run in runs]
        _check_range(values)
        value = median(values) * (1 + limit / 100)
        options.limits[name] = int(value) if FIGURES[name].unit == "bytes" else value
    for what, name in APART.items():
        used = options.relative.keys() - {"tree_pss"}
        used -= {"cputime", "tree_rss"} if name == "member" else set()
        if used and ours[name] != theirs[name]:
            complain(
                path, f"{what} do not count: one of the two reports lacks them", alarming=False
            )
