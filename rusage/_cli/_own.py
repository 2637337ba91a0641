"""The command without a program: the usage of its own process."""

from __future__ import annotations

from .._backends._base import RUSAGE_SELF
from .._getrusage import fields, getrusage, measured


def own_usage() -> str:
    """Return one line for each field: its name, its value or "-" if it is not measured, and its meaning."""
    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    rows = [
        (name, human(usage[name], fields[name].unit) if name in known else "-", fields[name].meaning) for name in fields
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{name:<{widths[0]}}  {value:>{widths[1]}}  {meaning}" for name, value, meaning in rows)


def human(value: float, unit: str) -> str:
    """Return a value with its unit; bytes also in KiB, MiB, GiB or TiB."""
    if unit == "seconds":
        return f"{value:.6f} s"
    if unit != "bytes" or value < 1024:
        return f"{value} {unit}"
    power = min((int(value).bit_length() - 1) // 10, 4)
    return f"{value} bytes ({value / 1024**power:.1f} {'KMGT'[power - 1]}iB)"
