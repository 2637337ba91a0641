"""What is printed without running a program: help, facts for a bug report, usage of a process."""

from __future__ import annotations

import contextlib
import os
import platform
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
from .output import CANCELED, Export, complain, show, show_progress, width_of
from .run import Signals

if TYPE_CHECKING:
    from .options import Options
    from .sampling import TreePeak

    # The measured fields, what is reported beside them, as members of JSON and as rows, and what
    # was recorded.
    Found = tuple[dict[str, float], dict[str, object], dict[str, str], TreePeak | None]

if sys.platform == "linux":
    from .._rusage import ffi, lib


def print_report(options: Options) -> int:
    """Print the help, version, facts, a process's usage or this one's; return the exit status."""
    if options.show == "help":
        show(help_text(width_of(sys.stdout)))
    elif options.show == "version":
        show(f"rusage {__version__}")
    elif options.show == "info":
        show(facts())
    elif options.pid is not None:
        return _print_process(options.pid, options)
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
        "system": f"{formats.system()}, {platform.version()}",
        "machine": f"{os.cpu_count()} CPUs, pages of {getpagesize()} bytes",
        "backend": BACKEND.name,
        "launcher": _launcher(is_used="ru_maxrss" in child),
        "error of the peak": "unknown" if error is None else f"up to {quantity(error, 'bytes')}",
    }
    found = {
        f"measured, {name[7:].lower()}": measured(who)
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
    "'rusage COMMAND ...' measures a command, 'rusage --help' lists the options, "
    "'rusage --json' says more."
)
CLAUSES = 2  # of a meaning, which may have more


def own_usage(options: Options) -> str:
    """Return name, value ("-" if not measured) and meaning of each field, and a hint; or JSON."""
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
    return "\n".join([*report.lines(rows, sys.stdout), "", *hint])


# --- A running process ---


def _print_process(pid: int, options: Options) -> int:
    """Print what is known of a running process; return the exit status.

    What was recorded is written to files.
    """
    with contextlib.ExitStack() as files:
        try:
            exports = [Export(*each, files) for each in options.exports]
            usage, record, rows, peak = (_record if options.records else _read)(pid, options)
        except (OSError, ValueError, RuntimeError) as error:  # no thread can be started
            reason = error.strerror if isinstance(error, OSError) else str(error)
            complain(getattr(error, "filename", None) or "--pid", reason)
            return CANCELED
        written = [
            export.write(lambda kind: formats.of_tree(kind, f"process {pid}", peak))
            for export in exports
        ]
        if options.kind == "json":
            units = {name: FIGURES[name].unit for name in (*usage, *record) if name in FIGURES}
            units |= {"rss": "bytes"} if "rss" in record else {}
            show(formats.as_json({"pid": pid, "usage": usage, **record, "units": units}))
        else:
            known = [name for name in ("ru_utime", "ru_stime", "ru_maxrss") if name in usage]
            shown = {
                FIGURES[name].label: quantity(usage[name], FIGURES[name].unit) for name in known
            }
            show("\n".join(report.lines({"process": f"{pid}", **shown, **rows}, sys.stdout)))
    return 0 if all(written) else CANCELED


def _read(pid: int, options: Options) -> Found:
    from .. import Process, Tree  # some systems lack them

    with Process(pid) as process:
        usage, rss = measured_fields(process.getrusage(), process.measured), process.rss()
    record: dict[str, object] = {"rss": rss}
    rows = {"memory now": quantity(rss, "bytes")}
    if options.tree:
        with Tree(pid) as tree:
            sample, members = tree.sample(), tree.members()
        record["tree"] = formats.sample_record(sample)
        largest = quantity(max((member.rss for member in members), default=0), "bytes")
        rows["tree now"] = (
            f"{quantity(sample.rss, 'bytes')} in {report.processes(sample)}, the largest {largest}"
        )
    return usage, record, rows, None


def _record(pid: int, options: Options) -> Found:
    """Record a process and its descendants until it ends, or a signal comes that ends programs."""
    signals = Signals()
    signals.catch()  # also while the following is imported
    from .. import Process, record  # some systems lack them
    from .sampling import STEP, peak_of  # some systems lack what it imports
    from .series import ending_signal

    recording, usage, is_running = record(pid, interval=options.interval), dict[str, float](), True
    try:
        with Process(pid) as process, recording:
            show_progress(f"recording until process {pid} ends, or Ctrl-C")
            while is_running and ending_signal(signals) is None:
                try:
                    usage = measured_fields(process.getrusage(), process.measured)
                except ProcessLookupError:
                    is_running = False
                time.sleep(min(STEP, options.interval))
        show_progress()
    except OSError as error:  # such as EMFILE: what was recorded until then is reported
        if not recording.samples:
            raise
        complain("--pid", error.strerror)
    peak = peak_of(recording)
    last = peak.samples[-1]
    state = "still running" if is_running else "ended"
    rows = {
        "recorded": f"{quantity(last.elapsed, 'seconds')}; {state}",
        "CPU time": f"{quantity(last.cputime, 'seconds')} of all processes, while recorded",
        "tree memory": f"{report.of_peak(peak)}; {report.how_often(peak)}",
    }
    return usage, {"elapsed": last.elapsed, "tree": formats.tree_record(peak)}, rows, peak
