"""The usage of the command's own process, as text: what ``rusage`` prints without a command."""

from __future__ import annotations

import os
import sys
import textwrap

from .._backends._base import RUSAGE_SELF
from .._getrusage import fields, getrusage, measured
from ._reporting import quantity

WIDTH = 80
HINT = "Measure a command with 'rusage COMMAND ...'; 'rusage --help' lists the options."


def as_text() -> str:
    """Return the name, the value ("-" if not measured) and the meaning of each field, and a hint."""
    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    values = {name: quantity(usage[name], fields[name].unit) if name in known else "-" for name in fields}
    names, widest = max(map(len, values)), max(map(len, values.values()))
    lines = []
    for name, value in values.items():
        first = f"{name:<{names}}  {value:>{widest}}  "
        lines += textwrap.wrap(
            fields[name].meaning, _columns(), initial_indent=first, subsequent_indent=" " * len(first)
        )
    return "\n".join([*lines, "", HINT])


def _columns() -> int:
    """Return the width of the terminal, if standard output is one that is wider than usual."""
    try:
        return max(WIDTH, os.get_terminal_size(sys.stdout.fileno()).columns)
    except (AttributeError, OSError, ValueError):  # it is closed, or no terminal, or no file
        return WIDTH
