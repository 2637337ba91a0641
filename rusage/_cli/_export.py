"""The reports of a series and a comparison as tables: ``--markdown`` and ``--csv``."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from .._getrusage import fields
from ._comparison import COLUMNS, column

if TYPE_CHECKING:
    from typing import TextIO

    from ._reporting import Options
    from ._statistics import Comparison, Series


def as_table(found: Comparison, commands: list[str], options: Options, file: TextIO | None) -> str:
    """Return a table in the format of the options; CSV without its header if it is appended to another table."""
    if options.table == "markdown":
        return markdown(found, commands)
    return as_csv(found.series, commands, header=not (options.append and file is not None and file.tell()))


def markdown(found: Comparison, commands: list[str]) -> str:
    """Return a row for each command: the means with their deviations and, of several commands, the ratios.

    The mean that is significantly the smallest is bold. If runs have failed, a column counts them.
    """
    head, *rows = [["command", "runs"], *([code(name)] for name in commands)]
    for row, each in zip(rows, found.series, strict=True):
        row.append(f"{sum(run.counted for run in each.runs)}")
    if any(run.code for each in found.series for run in each.runs):
        head.append("failures")
        for row, each in zip(rows, found.series, strict=True):
            row.append(f"{sum(run.code != 0 for run in each.runs)}")
    for name, (label, unit) in COLUMNS.items():
        if all(name in each.summary for each in found.series):
            shown, cells, ratios = column(found, name, unit)
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


def as_csv(found: list[Series], commands: list[str], *, header: bool) -> str:
    """Return a row for each run. There is a column for each field on every system; it is empty if not measured."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if header:
        units = {"elapsed": "seconds", **{name: field.unit for name, field in fields.items()}}
        figures = [f"{name} ({unit})" for name, unit in units.items()]
        writer.writerow(["command", "run", "counted", "exit_status", "signal", *figures])
    for name, each in zip(commands, found, strict=True):
        for number, run in enumerate(each.runs, 1):
            status = [run.code, ""] if run.code >= 0 else ["", -run.code]
            usage = [run.usage.get(field, "") for field in fields]
            writer.writerow([name, number, int(run.counted), *status, run.elapsed, *usage])
    return file.getvalue().removesuffix("\n")
