"""What is printed without a program: help, facts for a bug report, the usage of this process."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from .. import __version__, run
from .._backends import BACKEND
from .._backends._base import RUSAGE_SELF, WHO
from .._getrusage import fields, getpagesize, getrusage, measured
from . import formats, report
from .figures import quantity
from .options import help_text
from .output import show, width_of

if TYPE_CHECKING:
    from .options import Options

if sys.platform == "linux":
    from .._rusage import ffi, lib


def print_report(options: Options) -> None:
    """Print the help, the version, the facts, or the usage of this process."""
    if options.show == "help":
        show(help_text(width_of(sys.stdout)))
    elif options.show == "version":
        show(f"rusage {__version__}")
    elif options.show == "info":
        show(facts())
    else:
        show(own_usage(options))


def facts() -> str:
    """Return facts about the installation, the interpreter, the system and the measured fields."""
    error = fields["ru_maxrss"].error
    child = run([sys.executable, "-c", ""]).measured
    rows = {
        "version": __version__,
        "interpreter": f"{platform.python_implementation()} {' '.join(sys.version.split())}",
        "system": f"{formats.system()}, {platform.version()}",
        "machine": f"{os.cpu_count()} CPUs, pages of {getpagesize()} bytes",
        "backend": BACKEND.name,
        "launcher": _launcher(is_used="ru_maxrss" in child),
        "error of the peak": "unknown" if error is None else f"up to {quantity(error, 'bytes')}",
    }
    found = {
        f"measured, {name.removeprefix('RUSAGE_').lower()}": measured(who)
        for name, who in WHO.items()
        if name not in BACKEND.absent
    }
    found |= {"measured, a child": child, "measured, a process": BACKEND.process}
    for label, known in found.items():
        rows[label] = ", ".join(name for name in fields if name in known) or "not available"
    return "\n".join(report.lines(rows, sys.stdout))


def _launcher(*, is_used: bool) -> str:
    """Return whether the launcher is used, or why not."""
    if sys.platform == "linux":
        if is_used:
            return (
                "used for a child's own peak: not with preexec_fn, user, group or extra_groups, "
                "nor for programs in /proc"
            )
        why = lib.rusage_why_direct()
        reason = "it cannot run here" if why == ffi.NULL else ffi.string(why).decode()
        return f"not used: {reason}; a child's own peak needs it"
    return "none: it exists on Linux only"


HINT = (
    "'rusage COMMAND ...' measures a command, 'rusage --help' lists the options. This process "
    "itself has used, with the meaning of each field here ('rusage --json' says more):"
)
CLAUSES = 2  # of a meaning, which may have more


def own_usage(options: Options) -> str:
    """Return a hint, and name, value ("-" if not measured) and meaning of each field; or JSON."""
    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    if options.kind == "json":
        record: dict[str, object] = {}
        for name, field in fields.items():
            about = {
                "unit": field.unit,
                "measured": name in known,
                "meaning": field.meaning,
                "error": field.error,
            }
            record[name] = {"value": usage[name], **about}
        return formats.as_json(record)
    values = {
        name: quantity(usage[name], fields[name].unit) if name in known else "-" for name in fields
    }
    longest, widest = max(map(len, values)), max(map(len, values.values()))
    rows = {}
    for name, value in values.items():
        meaning = "; ".join(fields[name].meaning.split("; ")[:CLAUSES])
        rows[f"{name:<{longest}}  {value:>{widest}}"] = meaning
    hint = report.wrap(HINT, width_of(sys.stdout))
    return "\n".join([*hint, "", *report.lines(rows, sys.stdout)])
