"""``--pid``: a process that runs already, as it is now or recorded until it ends."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

from . import formats, report
from .figures import FIGURES, measured_fields, public, quantity
from .files import open_reports
from .output import CANCELED, complain, show, show_progress
from .run import Signals

if TYPE_CHECKING:
    from .figures import Run
    from .options import Options

READ_INTERVAL = 0.05  # seconds


def print_process(pid: int, options: Options) -> int:
    """Print what is known of a running process; return the exit status.

    What was recorded is written to files.
    """
    with contextlib.ExitStack() as files:
        _, exports = open_reports(options, files)
        try:
            found = (
                _found_by_recording(pid, options) if options.records else _found_now(pid, options)
            )
        except (OSError, ValueError, RuntimeError) as error:  # no thread can be started
            reason = error.strerror if isinstance(error, OSError) else str(error)
            complain(getattr(error, "filename", None) or "--pid", reason)
            return CANCELED
        written = [
            export.replace(lambda kind: formats.of_tree(kind, f"process {pid}", found["tree"]))
            for export in exports
        ]
        show(_as_json(found) if options.kind == "json" else _as_text(found))
    return 0 if all(written) else CANCELED


def _as_json(found: Run) -> str:
    names = [*found["usage"], *found]
    units = {name: FIGURES[name].unit for name in names if name in FIGURES}
    units |= {name: "bytes" for name in ("rss", "pss") if name in names}
    return formats.as_json({**public(found), "units": units})


def _as_text(found: Run) -> str:
    rows = {"process": f"{found['pid']}"}
    for name in "ru_utime", "ru_stime", "ru_maxrss":
        if name in found["usage"]:
            rows[FIGURES[name].label] = quantity(found["usage"][name], FIGURES[name].unit)
    for name, label in {"rss": "memory now", "pss": "PSS now"}.items():
        if name in found:
            rows[label] = quantity(found[name], "bytes")
    tree = found.get("tree", {})
    if "elapsed" in found:
        rows["recorded"] = f"{quantity(found['elapsed'], 'seconds')}; {found['_state']}"
        seconds = quantity(tree["_samples"][-1].cputime, "seconds")
        rows["CPU time"] = f"{seconds} of all processes, while recorded"
        rows["tree memory"] = f"{report.of_peak(tree)}; {report.how_often(tree)}"
        rows |= report.pss_row(tree)
    elif tree:
        rows["tree now"] = report.of_sample(tree)
        rows |= report.pss_row(tree, "tree PSS now")
    rows |= report.of_members(tree.get("largest_members", []))
    return "\n".join(report.lines(rows, sys.stdout))


def _found_now(pid: int, options: Options) -> Run:
    from .. import Process, Tree  # some systems lack them

    with Process(pid) as process:
        usage, rss = measured_fields(process.getrusage(), process.measured), process.rss()
        found: Run = {"pid": pid, "usage": usage, "rss": rss}
        if options.pss:
            found["pss"] = process.pss()
    if options.tree:
        from .._tree import members_of
        from .sampling import NEVER, members_record, pss_record, read, sample_record

        with Tree(pid) as tree:
            sample, figures, *bounds = read(tree, -1 if options.pss else NEVER)
        members = members_record(members_of(figures))
        found["tree"] = {**sample_record(sample), "largest_members": members, **pss_record(*bounds)}
    return found


def _found_by_recording(pid: int, options: Options) -> Run:
    """Record a process and its descendants until it ends, or a signal comes that ends programs.

    With a long interval, most of the CPU time may come after the last sample, and the process may
    be gone at the next one. So the tree is also read between samples: it keeps what it has read.
    """
    signals = Signals()
    signals.catch()  # also while the following is imported
    from .. import Process  # some systems lack it
    from .sampling import NEVER, Recording, tree_record  # some systems lack what it imports
    from .series import ending_signal

    recording = Recording(pid, options.interval, -1 if options.pss else NEVER)
    usage: dict[str, float] = {}
    elapsed = 0.0
    is_running = True
    try:
        with Process(pid) as process, recording:
            show_progress(f"recording until process {pid} ends, or Ctrl-C")
            while is_running and ending_signal(signals) is None:
                began = time.process_time()
                try:
                    usage = measured_fields(process.getrusage(), process.measured)
                except ProcessLookupError:
                    is_running = False
                if options.interval > READ_INTERVAL:
                    elapsed = recording.tree.sample().elapsed
                if is_running:
                    # Readings of a large tree may take a twentieth of a CPU.
                    spent = time.process_time() - began
                    time.sleep(max(min(READ_INTERVAL, options.interval), 20 * spent))
        show_progress()
    except OSError as error:  # such as EMFILE: what was recorded until then is reported
        if not recording.samples:
            raise
        complain("--pid", error.strerror)
    tree = tree_record(recording, pid)
    return {
        "pid": pid,
        "usage": usage,
        "elapsed": max(elapsed, tree["_samples"][-1].elapsed),
        "tree": tree,
        "_state": "still running" if is_running else "ended",
    }
