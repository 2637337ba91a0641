"""The reports for other programs: JSON, Markdown, CSV, and the picture.

``docs/rusage.schema.json`` describes the JSON.
"""

from __future__ import annotations

import csv
import errno
import io
import itertools
import json
import re
from typing import TYPE_CHECKING

from .._getrusage import fields
from .comparison import in_all
from .figures import FIGURES, exactly, figures_of, part_of, public, quantity
from .output import IN_A_LINE, utf8
from .report import of_sample

if TYPE_CHECKING:
    from typing import BinaryIO, TextIO

    import matplotlib.figure

    from .figures import Run, Series
    from .options import Options


# --- JSON ---


def as_json(record: dict[str, object]) -> str:
    """Return a record with the version of its schema."""
    return json.dumps({"version": 2, **record})


def json_of_runs(found: list[Series], options: Options) -> str:
    """Return the runs of each command and, unless it is a single run, the statistics and ratios."""
    records = []
    for each in found:
        record: dict[str, object] = {"command": [*map(utf8, each.words)]}
        if options.is_series:
            runs: list[dict[str, object]] = []
            record["runs"] = runs
            for run in each.runs:
                place = {"position": run["_position"]} if options.compare else {}
                runs.append({**public(run), "counted": run["_counted"], **place})
            record |= public({"limits": each.limits}) if each.limits else {}
            record["summary"] = {name: summary._asdict() for name, summary in each.summary.items()}
        else:
            (run,) = each.runs
            limits = run.get("limits", {}) | each.limits
            ordered = {name: limits[name] for name in options.limits if name in limits}
            record |= public(run | ({"limits": ordered} if ordered else {}))
        if options.compare:
            record["ratios"] = {name: ratio._asdict() for name, ratio in each.ratios.items()}
        records.append(record)
    content: dict[str, object] = {"warmup": len(found[0].warmup)} if options.is_series else {}
    content |= {"commands": records} if options.compare else records[0]
    if options.is_series:
        content["stopped_by"] = found[0].stopped_by
    content["system"] = system()
    measured = {name for each in found for run in each.runs for name in figures_of(run)}
    names = [name for name in FIGURES if name == "elapsed" or name in measured]
    content["units"] = {name: FIGURES[name].unit for name in names}
    errors = {name: fields[name].error for name in names if name in fields}
    content["errors"] = {name: error for name, error in errors.items() if error is not None}
    return as_json(content)


def system() -> str:
    """Return the system with its kernel, as reports name it."""
    import platform

    return f"{platform.system()} {platform.release()} {platform.machine()}"


# --- Markdown ---


MEDIAN = {False: "passed", True: "over the limit", None: "not measured"}


def markdown_of_runs(found: list[Series], options: Options, file: TextIO | None) -> str:
    """Return a row for each command: the medians and, of several commands, ratios with intervals.

    The median that is significantly the smallest is bold. If runs have failed, a column counts
    them, and for each limit one says how many runs passed, or whether the median did. *file*: of
    ``--output``.
    """
    columns = [
        ["command", *(as_code(each.text) for each in found)],
        ["runs", *(f"{len(each.counted)}" for each in found)],
    ]
    failures = [len(each.failures) for each in found]
    if any(failures):
        columns.append(["failures", *map(str, failures)])
    for name, limit in options.limits.items():
        verdicts = [f"{FIGURES[name].label}, limit {exactly(limit, FIGURES[name].unit)}"]
        for each in found:
            if options.is_series and name in options.relative:
                over = each.limits.get(name, {}).get("exceeded")
                verdicts.append(f"median {MEDIAN[over]}")
                continue
            judged = [(run.get("limits", {}) | each.limits)[name] for run in each.runs]
            passed = [limit["exceeded"] for limit in judged].count(False)
            verdicts.append(f"{passed} of {len(each.runs)} passed")
        columns.append(verdicts)
    counted = [run for each in found for run in each.counted]
    for name in in_all(found):
        figure = f"{FIGURES[name].label} {part_of(name, counted)}".rstrip()
        columns.append([figure, *(each.shown_median(name, "**{}**") for each in found)])
        if options.compare:
            ratios = [
                each.ratios[name].in_words() if name in each.ratios else "-" for each in found
            ]
            columns.append([f"{FIGURES[name].label}, ratio", *ratios])
    if options.tree:
        columns.append(["largest processes", *(_members(each) for each in found)])
    columns.append(["started", *(each.runs[0]["started"] if each.runs else "-" for each in found)])
    head, *rows = [f"| {' | '.join(row)} |" for row in zip(*columns, strict=True)]
    before = [""] if options.append and file is not None else []  # two tables would be one
    return "\n".join([*before, head, f"|{' --- |' * len(columns)}", *rows])


def _members(series: Series) -> str:
    """Return the largest processes of the run with the largest tree."""
    tree = series.largest_tree
    named = [
        f"{one['pid']} {as_code(one['name'].translate(IN_A_LINE))} {quantity(one['rss'], 'bytes')}"
        for one in ([] if tree is None else tree["largest_members"])
    ]
    return ", ".join(named) or "-"


def as_code(text: str) -> str:
    """Return a text as code in a cell of a Markdown table."""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    space = " " if "`" in text else ""
    escaped = " ".join(text.split()).replace("|", "\\|")
    return f"{fence}{space}{escaped}{space}{fence}"


# --- CSV ---


def csv_of_runs(found: list[Series]) -> str:
    """Return a row for each run.

    The columns are the same on every system; what was not measured is empty.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ["elapsed", *fields, "tree_rss", "tree_pss"]
    figures = [f"{name} ({FIGURES[name].unit})" for name in names]
    head = ["command", "run", "counted", "exit_status", "signal", *figures, "started (UTC)"]
    writer.writerow(head)
    for each in found:
        for number, run in enumerate(each.runs, 1):
            status = [run["exit_status"], run["signal"]]
            cells = map(figures_of(run).get, names)
            row = [each.text, number, int(run["_counted"]), *status, *cells, run["started"]]
            writer.writerow(row)
    return text.getvalue().removesuffix("\n")


def check_head(file: BinaryIO) -> None:
    """Raise ``OSError`` if a file to which rows are to be appended has another head."""
    first = file.readline()
    if first and first.rstrip(b"\r\n") != csv_of_runs([]).encode():
        raise OSError(errno.EINVAL, "its first line is not the head of this report")


# --- The samples and their picture ---


def of_tree(kind: str, title: str, tree: Run | None, reason: str = "") -> str | bytes:
    """Return the samples of a tree, or a picture of this format; *reason*: why there are none.

    Raises ``OSError`` if a picture cannot be drawn.
    """
    if kind == "samples":
        samples = [] if tree is None else tree["_samples"]
        header = "elapsed (seconds),rss (bytes),cputime (seconds),processes,unread"
        rows = [
            f"{each.elapsed},{each.rss},{each.cputime},{each.processes},{each.unread}"
            for each in samples
        ]
        if tree is not None and "pss_at_most" in tree:
            header += ",pss (bytes)"
            shown = ["" if each.pss is None else f"{each.pss}" for each in samples]
            rows = [f"{row},{pss}" for row, pss in zip(rows, shown, strict=True)]
        return "\n".join([header, *rows])
    if tree is None:
        raise OSError(errno.EINVAL, f"there is nothing to draw: {reason}")
    drawn = io.BytesIO()
    try:
        picture(title, tree).savefig(drawn, format=kind)
    except Exception as error:  # noqa: BLE001 (as many kinds as there are installations and settings of matplotlib)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise OSError(errno.EINVAL, f"matplotlib cannot draw this: {reason}") from None
    return drawn.getvalue()


def picture(title: str, tree: Run) -> matplotlib.figure.Figure:
    """Return the picture."""
    import matplotlib.figure  # fails with some settings

    drawing = matplotlib.figure.Figure(figsize=(8, 5), layout="constrained")
    memory, cpu = drawing.subplots(2, sharex=True, height_ratios=[2, 1])
    title = " ".join(title.split()).replace("$", r"\$")
    drawing.suptitle(title if len(title) <= 80 else f"{title[:77]}...")

    samples = tree["_samples"]
    times = [sample.elapsed for sample in samples]
    memory.plot(times, [sample.rss / 2**20 for sample in samples])
    memory.plot([tree["elapsed"]], [tree["rss"] / 2**20], "o", label=of_sample(tree))
    memory.legend()
    memory.set(ylabel="memory of all processes (MiB)", ylim=(0, None))

    # For a hundred parts: one interval has few ticks of the clock.
    step = max(1, -(-(len(samples) - 1) // 100))
    ends = samples[:-1:step] + samples[-1:]
    spent = {sample.elapsed: sample.cputime for sample in ends}
    use = [
        (spent[later] - spent[earlier]) / (later - earlier)
        for earlier, later in itertools.pairwise(spent)
    ]
    if use:
        cpu.stairs(use, list(spent), fill=True)
    cpu.set(xlabel="seconds", ylabel="CPUs in use", ylim=(0, None))
    for axes in memory, cpu:
        axes.grid(alpha=0.3)
    return drawing
