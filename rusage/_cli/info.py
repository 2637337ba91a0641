"""What the command prints of itself: the facts that a bug report needs, and its own usage."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import textwrap
from importlib import metadata

from .. import __version__, run
from .._backends import BACKEND
from .._backends._base import (
    PEAK_AT_LEAST_PARENTS,
    PEAK_AT_LEAST_PARENTS_INEXACT,
    PEAK_SAMPLED,
    PEAK_TOUCHED,
    PEAK_TOUCHED_SAMPLED,
    RUSAGE_SELF,
    TOUCHED,
    TOUCHED_PAGES,
    WHO,
)
from .._children.inherited import child_fields
from .._fields import RUsage
from .._getrusage import WAITED, fields, getpagesize, getrusage, measured
from .._rusage import ffi, lib
from .report import WIDTH, quantity, wrapped

if sys.platform == "linux":
    from .._launcher.start import PATH

# --- --info ----------------------------------------------------------------------------------------------------------

# When the other fields of a child are measured.
TOUCHING = (
    f"ru_maxrss, if above {TOUCHED // 2**20} MiB and {TOUCHED_PAGES} pages for each argument and environment variable"
)
WHEN = {
    PEAK_AT_LEAST_PARENTS: "ru_maxrss, if above the largest peak of this process",
    PEAK_AT_LEAST_PARENTS_INEXACT: "ru_maxrss, if above the largest peak of this process by twice the error",
    PEAK_SAMPLED: "ru_maxrss, if a clock tick has sampled more than before exec; "
    "ru_ixrss, ru_idrss, ru_isrss, if there was no tick before exec",
    PEAK_TOUCHED: TOUCHING,
    PEAK_TOUCHED_SAMPLED: TOUCHING,
}


def info() -> str:
    """Return facts about the installation, the interpreter, the system and the measured fields."""
    error = fields["ru_maxrss"].error
    isolated = "ru_maxrss" in run([sys.executable, "-c", ""]).measured
    rows = {
        "version": __version__,
        "wheel": _wheel_tag(),
        "interpreter": f"{platform.python_implementation()} {' '.join(sys.version.split())}",
        "system": f"{platform.system()} {platform.release()}, {platform.version()}",
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, pages of {getpagesize()} bytes",
        "backend": BACKEND.name,
        "launcher": _launcher(isolated=isolated),
        "error of the peak": "unknown" if error is None else f"up to {quantity(error, 'bytes')}",
    }
    for name, who in WHO.items():
        known = measured(who) if name not in BACKEND.absent else ()
        rows[f"measured, {name[7:].lower()}"] = _listed(known) if known else "not available"
    rows |= of_a_child(isolated=isolated)
    rows["measured, a process"] = _listed(BACKEND.process) if BACKEND.process else "not available"
    return "\n".join(wrapped(rows, colored=False))


def of_a_child(*, isolated: bool) -> dict[str, str]:
    """Return the fields that are measured of every child, and when others are."""
    # Of a short child, nothing more is known than that it has a peak.
    always = child_fields(RUsage.zero._replace(ru_maxrss=1), isolated=isolated)
    rows = {"measured, a child": _listed(always)}
    if "ru_maxrss" in WAITED - always:
        rows["and some children"] = WHEN[BACKEND.child_peak]
    return rows


def _listed(names: frozenset[str]) -> str:
    """Return the names of fields in their order."""
    return ", ".join(name for name in fields if name in names)


def _wheel_tag() -> str:
    """Return the tags of the wheel from which the package was installed."""
    for found in metadata.distributions(name="rusage"):
        lines = (found.read_text("WHEEL") or "").splitlines()
        tags = [line.removeprefix("Tag: ") for line in lines if line.startswith("Tag: ")]
        if tags:
            return ", ".join(tags)
    return "none: the package was not installed from one"


if sys.platform == "linux":

    def _launcher(*, isolated: bool) -> str:
        """Return whether programs are started through the launcher, and if not, why."""
        if isolated:
            return "used for plain starts: not with preexec_fn, user, group or extra_groups, nor for programs in /proc"
        why = lib.rusage_why_direct()
        if why != ffi.NULL:
            return f"not used: {ffi.string(why).decode()}"
        try:
            code = subprocess.run([PATH], check=False, capture_output=True).returncode
        except OSError as error:
            return f"not used: {PATH}: {error.strerror}"
        return f"not used: signal {-code} kills it" if code < 0 else "not used: it cannot start a program here"

else:

    def _launcher(*, isolated: bool) -> str:  # noqa: ARG001 (the signature of Linux's)
        """Return that there is none."""
        return "none: it exists on Linux only"


# --- The usage of the command's own process, without a command -------------------------------------------------------

HINT = "Measure a command with 'rusage COMMAND ...'; 'rusage --help' lists the options."


def own_usage() -> str:
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
