"""``python -m rusage``: what this process has used, and what each of the figures means on this system."""

from __future__ import annotations

import argparse
import sys

from . import RUSAGE_SELF, fields, getrusage, measured


def main(arguments: list[str] | None = None) -> int:
    """Print this process's usage, a line a field, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="rusage", description="Show what this process has used, and what it means here."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with exact numbers")
    options = parser.parse_args(arguments)
    print(_as_json() if options.json else _as_text())
    return 0


def _as_text() -> str:
    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    rows = [
        (name, human(usage[name], fields[name].unit) if name in known else "-", fields[name].meaning) for name in fields
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{name:<{widths[0]}}  {value:>{widths[1]}}  {meaning}" for name, value, meaning in rows)


def _as_json() -> str:
    import json  # noqa: PLC0415 (only for those who ask for it)

    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    return json.dumps(
        {
            name: {"value": usage[name], "unit": field.unit, "measured": name in known, "meaning": field.meaning}
            for name, field in fields.items()
        },
        indent=2,
    )


def human(value: float, unit: str) -> str:
    """Return a figure with its unit; bytes also in the binary unit that people would use."""
    if unit == "seconds":
        return f"{value:.6f} s"
    if unit != "bytes" or value < 1024:
        return f"{value} {unit}"
    power = min((int(value).bit_length() - 1) // 10, 4)
    return f"{value} bytes ({value / 1024**power:.1f} {'KMGT'[power - 1]}iB)"


if __name__ == "__main__":
    sys.exit(main())
