"""The reports for other programs: JSON, described by ``docs/rusage.schema.json``, Markdown, CSV, and the picture."""

from __future__ import annotations

import csv
import io
import itertools
import json
import os
import re
import shlex
from typing import TYPE_CHECKING

from .._backends._base import RUSAGE_SELF
from .._getrusage import fields, getrusage, measured
from . import report
from .figures import FIGURES, TOO_SHORT, TreePeak, exactly, figures_of, quantity
from .limits import judge
from .output import complain, readable, utf8, without_controls
from .statistics import Comparison, Run, compare, series

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import TextIO

    from matplotlib.figure import Figure

    from .. import Sample
    from .figures import Ended
    from .options import Options
    from .output import Export
    from .statistics import Series


def of_run(kind: str, command: list[str], ended: Ended, options: Options) -> str:
    """Return the report of a single run."""
    name = readable(shlex.join(command))
    if kind == "json":
        figures = [*ended.usage, *(["tree_rss"] if ended.tree else [])]
        return _json({"command": _words(command), **_outcome(ended, options), **_about(figures)})
    if kind == "markdown":
        return _markdown_of_run(name, ended, options)
    return of_runs(kind, compare([series(command, 0, [Run(ended, counted=True)])], None), [name], options, None)


def write_export(kind: str, export: Export, command: list[str], ended: Ended, options: Options) -> bool:
    """Write a report of a single run to a file; return whether that was possible."""
    if kind in {"samples", "plot"}:
        return export_tree(kind, export, shlex.join(command), ended.tree, ended.unsampled)
    return export.write(of_run(kind, command, ended, options))


def export_tree(kind: str, export: Export, title: str, peak: TreePeak | None, reason: str = "") -> bool:
    """Write the samples or the picture of a tree to a file; return whether that was possible."""
    if kind == "plot":
        return draw(export, readable(title), peak, reason or TOO_SHORT)
    return export.write(of_samples([] if peak is None else peak.samples))


def of_runs(kind: str, found: Comparison, commands: list[str], options: Options, file: TextIO | None) -> str:
    """Return the report of a series or a comparison; CSV without its header if it is appended to another table."""
    if kind == "json":
        return _json_of_runs(found, options)
    if kind == "markdown":
        return markdown(found, commands, options, report.plus_minus_sign(file))
    header = not (options.append and file is not None and file.seekable() and file.tell())
    return _csv(found.series, commands, header=header, with_tree=options.tree)


# --- JSON ------------------------------------------------------------------------------------------------------------

VERSION = 1


def _json(record: dict[str, object]) -> str:
    return json.dumps({"version": VERSION, **record})


def own_usage() -> str:
    """Return the usage of this process."""
    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    return _json(
        {
            name: {
                "value": usage[name],
                "unit": field.unit,
                "measured": name in known,
                "meaning": field.meaning,
                "error": field.error,
            }
            for name, field in fields.items()
        }
    )


def running(pid: int, usage: dict[str, float], more: dict[str, float], tree: Sample | TreePeak | None) -> str:
    """Return the usage of a running process, *more* figures, and its tree now or over time."""
    record: dict[str, object] = {"pid": pid, "usage": usage, **more}
    if isinstance(tree, TreePeak):
        record["tree"] = of_tree(tree)
    elif tree is not None:
        record["tree"] = {"rss": tree.rss, "processes": tree.processes, "unread": tree.unread}
    units = {name: "bytes" if name == "rss" else FIGURES[name].unit for name in (*usage, *more)}
    return _json({**record, "units": units})


def _json_of_runs(found: Comparison, options: Options) -> str:
    """Return the runs of a series or of several commands, their statistics and their ratios."""
    records = [
        {
            "command": _words(each.command),
            "runs": [{**_outcome(run.ended, options), "counted": run.counted} for run in each.runs],
            "summary": {name: summary._asdict() for name, summary in each.summary.items()},
            "outliers": each.outliers,
        }
        for each in found.series
    ]
    if options.compare:
        for record, ratios in zip(records, found.ratios, strict=True):
            record["ratios"] = {name: ratio._asdict() for name, ratio in ratios.items()}
    made = [figures_of(run.ended) for each in found.series for run in each.runs]
    about = _about([name for name in (*fields, "cputime", "tree_rss") if any(name in each for each in made)])
    content = {"commands": records} if options.compare else records[0]
    return _json({"warmup": found.series[0].warmup, **content, "stopped_by": found.stopped_by, **about})


def _words(command: list[str]) -> list[str]:
    """Return a command for JSON."""
    return [utf8(word) for word in command]  # strict parsers reject lone surrogates


def _outcome(ended: Ended, options: Options) -> dict[str, object]:
    code = ended.code
    record: dict[str, object] = {
        "exit_status": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "elapsed": ended.elapsed,
        "usage": ended.usage,
    }
    if ended.tree is not None:
        record["tree"] = of_tree(ended.tree)
    if options.limits:
        record["limits"] = {
            verdict.name: {"limit": verdict.limit, "exceeded": verdict.over} for verdict in judge(options.limits, ended)
        }
    return record


def of_tree(peak: TreePeak) -> dict[str, object]:
    """Return the member of a record about a tree."""
    sample, member = peak.largest, peak.member
    return {
        "rss": sample.rss,
        "elapsed": sample.elapsed,
        "processes": sample.processes,
        "unread": sample.unread,
        "largest_member": None if member is None else {"pid": member.pid, "rss": member.rss},
        "interval": peak.interval,
        "missed": peak.missed,
        "killed": peak.killed,
    }


def _about(names: Collection[str]) -> dict[str, object]:
    """Return the units of the figures, and the largest errors of those fields whose error is known."""
    errors = {name: fields[name].error for name in names if name in fields}
    return {
        "units": {name: FIGURES[name].unit for name in ("elapsed", *names)},
        "errors": {name: error for name, error in errors.items() if error is not None},
    }


# --- Markdown --------------------------------------------------------------------------------------------------------


def _markdown_of_run(command: str, ended: Ended, options: Options) -> str:
    """Return a row for each figure of a comparison, with its limit."""
    verdicts = {verdict.name: verdict for verdict in judge(options.limits, ended)}
    outcome = f"exit status {ended.code}" if ended.code >= 0 else report.signal_name(-ended.code)
    head = [code(command), outcome]
    rows = [head, ["---"] * 2]
    if verdicts:
        rows = [[*head, "limit", ""], ["---"] * 4]
    values = figures_of(ended)
    for name, figure in FIGURES.items():
        if figure.column and (name in values or name in verdicts):
            shown = quantity(values[name], figure.unit) if name in values else "not measured"
            row = [f"{figure.label} {figure.part}".strip(), shown]
            if name in verdicts:
                over = verdicts[name].over
                limit = exactly(verdicts[name].limit, figure.unit)
                row += [limit, "unknown" if over is None else "**exceeded**" if over else "passed"]
            elif verdicts:
                row += ["", ""]
            rows.append(row)
    return _table(rows, options)


def markdown(found: Comparison, commands: list[str], options: Options, sign: str) -> str:
    """Return a row for each command: the means with their deviations and, of several commands, the ratios.

    The mean that is significantly the smallest is bold. If runs have failed or exceeded a limit, a column counts them.
    """
    columns = [["command", *map(code, commands)]]
    counts = {
        "runs": [sum(run.counted for run in each.runs) for each in found.series],
        "failures": [sum(run.ended.code != 0 for run in each.runs) for each in found.series],
    }
    for name in options.limits:
        over = [[judge({name: options.limits[name]}, run.ended)[0].over for run in each.runs] for each in found.series]
        label = f"{FIGURES[name].label} over {exactly(options.limits[name], FIGURES[name].unit)}"
        counts[label] = [sum(each is not False for each in runs) for runs in over]
    for label, numbers in counts.items():
        if label != "failures" or any(numbers):
            columns.append([label, *map(str, numbers)])
    for name, figure in FIGURES.items():
        if figure.column and all(name in each.summary for each in found.series):
            unit, cells, ratios = report.column(found, name, sign)
            if name in found.smallest:
                cells[found.smallest[name]] = f"**{cells[found.smallest[name]]}**"
            label = f"{figure.label} {figure.part}".strip()
            columns.append([f"{label} ({unit})", *cells])
            if len(commands) > 1:
                columns.append([f"{figure.label}, ratio", *ratios])
    head, *rows = map(list, zip(*columns, strict=True))
    return _table([head, ["---"] * len(head), *rows], options)


def _table(rows: list[list[str]], options: Options) -> str:
    """Return a table; after an empty line if it is appended: two tables would be one."""
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"\n{text}" if options.append else text


def code(text: str) -> str:
    """Return a text as code in a cell of a Markdown table."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    escaped = " ".join(text.split()).replace("|", "\\|")
    return f"{fence}{space}{escaped}{space}{fence}"


# --- CSV -------------------------------------------------------------------------------------------------------------

TREE_COLUMNS = ["tree_rss (bytes)", "tree_elapsed (seconds)", "tree_processes", "tree_largest_rss (bytes)"]


def _csv(found: list[Series], commands: list[str], *, header: bool, with_tree: bool) -> str:
    """Return a row for each run. There is a column for each field on every system; it is empty if not measured."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if header:
        figures = [f"{name} ({FIGURES[name].unit})" for name in ("elapsed", *fields)]
        figures += TREE_COLUMNS if with_tree else []
        writer.writerow(["command", "run", "counted", "exit_status", "signal", *figures])
    for name, each in zip(commands, found, strict=True):
        for number, run in enumerate(each.runs, 1):
            code, usage, elapsed, _, tree, _ = run.ended
            status = [code, ""] if code >= 0 else ["", -code]
            cells: list[object] = [usage.get(field, "") for field in fields]
            if with_tree and tree is not None:
                largest, member = tree.largest, tree.member
                cells += [largest.rss, largest.elapsed, largest.processes, "" if member is None else member.rss]
            elif with_tree:  # there was no sample
                cells += [""] * len(TREE_COLUMNS)
            writer.writerow([name, number, int(run.counted), *status, elapsed, *cells])
    return file.getvalue().removesuffix("\n")


def of_samples(samples: list[Sample]) -> str:
    """Return a row for each sample of a tree."""
    rows = [f"{each.elapsed},{each.rss},{each.cputime},{each.processes},{each.unread}" for each in samples]
    return "\n".join(["elapsed (seconds),rss (bytes),cputime (seconds),processes,unread", *rows])


# --- The picture -----------------------------------------------------------------------------------------------------

# The CPU use is drawn for at most this number of parts of the time: a single interval has few ticks of the clock.
PARTS = 100


def draw(export: Export, title: str, peak: TreePeak | None, reason: str) -> bool:
    """Draw memory and CPU use over time into a file, whose name tells the format.

    If that fails, print why; *reason*: why there are no samples. Return whether there is a picture.
    """
    if peak is None:
        complain(export.path, f"there is nothing to draw: {reason}")
        return False
    drawn = io.BytesIO()
    try:
        picture(title, peak).savefig(drawn, format=os.path.splitext(export.path)[1][1:].lower())
    except Exception as error:  # noqa: BLE001 (as many kinds as there are installations and settings of matplotlib)
        text = without_controls(f"{type(error).__name__}: {error}", keep="")
        complain(export.path, f"matplotlib cannot draw this: {text}")
        return False
    return export.write(drawn.getvalue())


def picture(title: str, peak: TreePeak) -> Figure:
    """Return the picture."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (slow; its import fails with some settings)

    figure = Figure(figsize=(8, 5), layout="constrained")
    memory, cpu = figure.subplots(2, sharex=True, height_ratios=[2, 1])
    title = " ".join(title.split()).replace("$", r"\$")
    figure.suptitle(title if len(title) <= 80 else f"{title[:77]}...")

    times = [sample.elapsed for sample in peak.samples]
    memory.plot(times, [sample.rss / 2**20 for sample in peak.samples])
    at, most = peak.largest.elapsed, peak.largest.rss
    memory.plot([at], [most / 2**20], "o")
    # The text is on the side with more room.
    side = "left" if at < times[-1] / 2 else "right"
    text = f" {quantity(most, 'bytes')} in {report.processes(peak.largest)} "
    memory.annotate(text, (at, most / 2**20), ha=side, va="bottom")
    memory.set_ylabel("memory of all processes (MiB)")
    memory.set_ylim(0, most / 2**20 * 1.15)

    edges, use = cpu_use(peak.samples)
    if use:
        cpu.stairs(use, edges, fill=True)
    cpu.set_ylabel("CPUs in use")
    cpu.set_ylim(0)
    cpu.set_xlabel("seconds")
    for axes in memory, cpu:
        axes.grid(alpha=0.3)
    return figure


def cpu_use(samples: list[Sample]) -> tuple[list[float], list[float]]:
    """Return the ends of parts of the time, and the CPU time in each part divided by its length."""
    step = max(1, -(-(len(samples) - 1) // PARTS))
    spent = {sample.elapsed: sample.cputime for sample in samples[:-1:step] + samples[-1:]}
    use = [(spent[later] - spent[earlier]) / (later - earlier) for earlier, later in itertools.pairwise(spent)]
    return list(spent), use
