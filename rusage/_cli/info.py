"""What the command prints without running a program: help, facts for a bug report, and the usage of a process."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
import time
from typing import TYPE_CHECKING

from .. import __version__, run
from .._backends import BACKEND
from .._backends._base import RUSAGE_SELF, WHO
from .._getrusage import fields, getpagesize, getrusage, measured
from . import formats, report
from .figures import FIGURES, measured_fields, quantity
from .options import help_text
from .output import CANCELED, Export, complain, show, width_of

if TYPE_CHECKING:
    from .options import Options

if sys.platform == "linux":
    from .._rusage import ffi, lib


def print_report(options: Options) -> int:
    """Print the help, the version, the facts, or the usage of a process, or this one's; return the exit status."""
    if options.show == "help":
        show(help_text(width_of(sys.stdout)))
    elif options.show == "version":
        show(f"rusage {__version__}")
    elif options.show == "info":
        show(facts())
    elif options.pid is not None:
        try:
            return _record_process(options.pid, options) if options.records else _show_process(options.pid, options)
        except (OSError, ValueError) as error:
            complain("--pid", error.strerror if isinstance(error, OSError) else str(error))
            return CANCELED
    else:
        show(own_usage(options))
    return 0


def facts() -> str:
    """Return facts about the installation, the interpreter, the system and the measured fields."""
    error = fields["ru_maxrss"].error
    child = run([sys.executable, "-c", ""]).measured
    rows = {
        "version": __version__,
        "interpreter": f"{platform.python_implementation()} {' '.join(sys.version.split())}",
        "system": f"{platform.system()} {platform.release()}, {platform.version()}",
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, pages of {getpagesize()} bytes",
        "backend": BACKEND.name,
        "launcher": _launcher(is_used="ru_maxrss" in child),
        "error of the peak": "unknown" if error is None else f"up to {quantity(error, 'bytes')}",
    }
    found = {f"measured, {name[7:].lower()}": measured(who) for name, who in WHO.items() if name not in BACKEND.absent}
    found |= {"measured, a child": child, "measured, a process": BACKEND.process}
    for label, known in found.items():
        rows[label] = ", ".join(name for name in fields if name in known) or "not available"
    return "\n".join(report.lines(rows, width_of(sys.stdout)))


def _launcher(*, is_used: bool) -> str:
    """Return whether programs are started through the launcher, and if not, why."""
    if sys.platform == "linux":
        if is_used:
            return "used for plain starts: not with preexec_fn, user, group or extra_groups, nor for programs in /proc"
        why = lib.rusage_why_direct()
        return "not used: " + ("it cannot run here" if why == ffi.NULL else ffi.string(why).decode())
    return "none: it exists on Linux only"


HINT = "'rusage COMMAND ...' measures a command, 'rusage --help' lists the options, 'rusage --json' says more."
CLAUSES = 2  # of a meaning, which may have more


def own_usage(options: Options) -> str:
    """Return the name, the value ("-" if not measured) and the meaning of each field, and a hint; or JSON."""
    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    if options.kind == "json":
        record: dict[str, object] = {}
        for name, field in fields.items():
            about = {"unit": field.unit, "measured": name in known, "meaning": field.meaning, "error": field.error}
            record[name] = {"value": usage[name], **about}
        return formats.as_json(record)
    values = {name: quantity(usage[name], fields[name].unit) if name in known else "-" for name in fields}
    names, widest = max(map(len, values)), max(map(len, values.values()))
    width, lines = width_of(sys.stdout), []
    for name, value in values.items():
        first, clauses = f"{name:<{names}}  {value:>{widest}}  ", fields[name].meaning.split("; ")
        lines += report.wrap(first + "; ".join(clauses[:CLAUSES]), width, " " * len(first))
    return "\n".join([*lines, "", *report.wrap(HINT, width)])


# --- A running process -----------------------------------------------------------------------------------------------


def _show_process(pid: int, options: Options) -> int:
    from .. import Process, Tree  # noqa: PLC0415 (some systems lack them)

    with Process(pid) as process:
        usage, rss = measured_fields(process.getrusage(), process.measured), process.rss()
    record: dict[str, object] = {"rss": rss}
    rows = {"memory now": quantity(rss, "bytes")}
    if options.tree:
        with Tree(pid) as tree:
            sample, members = tree.sample(), tree.members()
        record["tree"] = formats.sample_record(sample)
        largest = quantity(max((member.rss for member in members), default=0), "bytes")
        rows["tree now"] = f"{quantity(sample.rss, 'bytes')} in {report.processes(sample)}, the largest {largest}"
    _show_running(pid, usage, record, rows, options)
    return 0


def _show_running(
    pid: int, usage: dict[str, float], record: dict[str, object], rows: dict[str, str], options: Options
) -> None:
    """Print what is known of a running process: a record, with the units of its figures, or rows."""
    if options.kind == "json":
        units = {name: FIGURES[name].unit for name in (*usage, *record) if name in FIGURES}
        units |= {"rss": "bytes"} if "rss" in record else {}
        show(formats.as_json({"pid": pid, "usage": usage, **record, "units": units}))
    else:
        known = {name: FIGURES[name] for name in ("ru_utime", "ru_stime", "ru_maxrss") if name in usage}
        shown = {figure.label: quantity(usage[name], figure.unit) for name, figure in known.items()}
        show("\n".join(report.lines({"process": f"{pid}", **shown, **rows}, width_of(sys.stdout))))


STEP = 0.1  # seconds; how soon the end of the process is seen


def _record_process(pid: int, options: Options) -> int:
    """Record a process and its descendants until it has ended, or SIGINT or SIGTERM comes; then report."""
    from .. import Process, record  # noqa: PLC0415 (some systems lack them)
    from .tree import peak_of  # noqa: PLC0415 (as above)

    stopped: list[int] = []
    with contextlib.ExitStack() as files:
        exports = [files.enter_context(contextlib.closing(Export(*each))) for each in options.exports]
        with Process(pid) as process, record(pid, interval=options.interval) as recording:
            for number in signal.SIGINT, signal.SIGTERM:
                signal.signal(number, lambda number, _: stopped.append(number))
            usage, is_running = measured_fields(process.getrusage(), process.measured), True
            while is_running and not stopped:
                time.sleep(min(STEP, options.interval))
                try:
                    usage = measured_fields(process.getrusage(), process.measured)
                except ProcessLookupError:
                    is_running = False
        peak = peak_of(recording, recording.samples)
        last = peak.samples[-1]
        rows = {
            "recorded": f"{quantity(last.elapsed, 'seconds')}; {'still running' if is_running else 'ended'}",
            "CPU time": f"{quantity(last.cputime, 'seconds')} of all processes, while recorded",
            "tree memory": f"{report.of_peak(peak)}; {report.how_often(peak)}",
        }
        _show_running(pid, usage, {"elapsed": last.elapsed, "tree": formats.tree_record(peak)}, rows, options)
        written = [export.write(lambda kind: formats.of_tree(kind, f"process {pid}", peak)) for export in exports]
        return 0 if all(written) else CANCELED
