"""The reports for other programs: JSON, described by ``docs/rusage.schema.json``, and tables in Markdown and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from typing import TYPE_CHECKING

from .._backends._base import RUSAGE_SELF
from .._getrusage import fields, getrusage, measured
from . import statistics
from .limits import judge
from .report import readable, utf8
from .statistics import COMPARED, Comparison, Run
from .tables import column, sign

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TextIO

    from .. import Sample
    from .options import Options
    from .results import Ended
    from .statistics import Series
    from .tree import TreePeak


def of_runs(kind: str, found: Comparison, commands: list[str], options: Options, file: TextIO | None) -> str:
    """Return the report of a series or a comparison; CSV without its header if it is appended to another table."""
    if kind == "json":
        return comparison(found, options.limits) if options.compare else series(found.series[0], options.limits)
    if kind == "markdown":
        return markdown(found, commands, sign(file))
    header = not (options.append and file is not None and file.tell())
    return as_csv(found.series, commands, header=header, with_tree=options.tree)


def of_run(kind: str, command: list[str], result: Ended, options: Options) -> str:
    """Return the report of a single run; a table has one row."""
    if kind == "json":
        return ended(command, result, options.limits)
    found = statistics.series(command, 0, [Run(result, counted=True)], None)
    return of_runs(kind, Comparison([found], [{}], {}), [readable(shlex.join(command))], options, None)


# --- JSON ------------------------------------------------------------------------------------------------------------

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
    return json.dumps(record)


def ended(command: list[str], result: Ended, limits: dict[str, float] | None) -> str:
    """Return how a program ended."""
    figures = [*result.usage, *(["tree_rss"] if result.tree else [])]
    record = {
        "version": VERSION,
        "command": _words(command),
        **_outcome(result, limits),
        **_about(figures),
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
        "runs": [{**_outcome(run.ended, limits), "counted": run.counted} for run in found.runs],
        "summary": {name: summary._asdict() for name, summary in found.summary.items()},
        "outliers": found.outliers,
    }


def _about_series(found: list[Series]) -> dict[str, object]:
    figures = [run.figures for each in found for run in each.runs]
    about = _about([name for name in (*fields, "cputime", "tree_rss") if any(name in each for each in figures)])
    return {"stopped_by": found[0].stopped_by, **about}


def _words(command: list[str]) -> list[str]:
    """Return a command for JSON."""
    return [utf8(word) for word in command]  # strict parsers reject lone surrogates


def _outcome(result: Ended, limits: dict[str, float] | None) -> dict[str, object]:
    code, usage, elapsed, _, tree, _ = result
    record: dict[str, object] = {
        "exit_status": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "elapsed": elapsed,
        "usage": usage,
    }
    if tree is not None:
        from .tree import as_record  # noqa: PLC0415 (slow, and only needed here)

        record["tree"] = as_record(tree)
    if limits is not None:
        record["limits"] = {
            verdict.name: {"limit": verdict.limit, "exceeded": verdict.over} for verdict in judge(limits, result)
        }
    return record


def _about(names: Collection[str]) -> dict[str, object]:
    """Return the units of the figures, and the largest errors of those fields whose error is known."""
    composed = {"cputime": "seconds", "tree_rss": "bytes"}
    units = {name: fields[name].unit if name in fields else composed[name] for name in names}
    known = {name: fields[name].error for name in names if name in fields}
    return {
        "units": {"elapsed": "seconds", **units},
        "errors": {name: error for name, error in known.items() if error is not None},
    }


def running(pid: int, usage: dict[str, float], rss: int, sample: Sample | None) -> str:
    """Return the usage of a running process."""
    units = {**{name: fields[name].unit for name in usage}, "rss": "bytes"}
    record: dict[str, object] = {"version": VERSION, "pid": pid, "usage": usage, "rss": rss}
    if sample is not None:
        record["tree"] = {"rss": sample.rss, "processes": sample.processes, "unread": sample.unread}
    return json.dumps({**record, "units": units})


# --- Tables ----------------------------------------------------------------------------------------------------------


def markdown(found: Comparison, commands: list[str], sign: str = "\xb1") -> str:
    """Return a row for each command: the means with their deviations and, of several commands, the ratios.

    The mean that is significantly the smallest is bold. If runs have failed, a column counts them.
    """
    head, *rows = [["command", "runs"], *([code(name)] for name in commands)]
    for row, each in zip(rows, found.series, strict=True):
        row.append(f"{sum(run.counted for run in each.runs)}")
    if any(run.ended.code for each in found.series for run in each.runs):
        head.append("failures")
        for row, each in zip(rows, found.series, strict=True):
            row.append(f"{sum(run.ended.code != 0 for run in each.runs)}")
    for name, (_, label, unit) in COMPARED.items():
        if all(name in each.summary for each in found.series):
            shown, cells, ratios = column(found, name, unit, sign)
            if name in found.smallest:
                cells[found.smallest[name]] = f"**{cells[found.smallest[name]]}**"
            head.append(f"{label} ({shown})")
            for row, cell in zip(rows, cells, strict=True):
                row.append(cell)
            if len(rows) > 1:
                head.append(f"{label}, ratio")
                for row, cell in zip(rows, ratios, strict=True):
                    row.append(cell)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def code(text: str) -> str:
    """Return a text as code in a cell of a Markdown table."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    escaped = " ".join(text.split()).replace("|", "\\|")
    return f"{fence}{space}{escaped}{space}{fence}"


TREE_COLUMNS = ["tree_rss (bytes)", "tree_elapsed (seconds)", "tree_processes", "tree_largest_rss (bytes)"]


def as_csv(found: list[Series], commands: list[str], *, header: bool, with_tree: bool = False) -> str:
    """Return a row for each run. There is a column for each field on every system; it is empty if not measured."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if header:
        units = {"elapsed": "seconds", **{name: field.unit for name, field in fields.items()}}
        figures = [f"{name} ({unit})" for name, unit in units.items()]
        figures += TREE_COLUMNS if with_tree else []
        writer.writerow(["command", "run", "counted", "exit_status", "signal", *figures])
    for name, each in zip(commands, found, strict=True):
        for number, run in enumerate(each.runs, 1):
            code, measured, elapsed = run.ended[:3]
            status = [code, ""] if code >= 0 else ["", -code]
            usage = [measured.get(field, "") for field in fields]
            tree = _tree_cells(run.ended.tree) if with_tree else []
            writer.writerow([name, number, int(run.counted), *status, elapsed, *usage, *tree])
    return file.getvalue().removesuffix("\n")


def _tree_cells(tree: TreePeak | None) -> list[object]:
    """Return the cells of a run's tree; empty ones if there was no sample."""
    if tree is None:
        return [""] * len(TREE_COLUMNS)
    sample, member = tree.largest, tree.member
    return [sample.rss, sample.elapsed, sample.processes, "" if member is None else member.rss]
