"""``--pid``: a process that runs already, as it is now or recorded until it ends."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from . import formats, report
from .figures import FIGURES, measured_fields, quantity
from .files import open_reports
from .output import CANCELED, complain, show, show_progress
from .run import Signals

if TYPE_CHECKING:
    from .options import Options
    from .tree_peak import TreePeak

READ_INTERVAL = 0.05  # seconds


class Found(NamedTuple):
    """What is known of a process."""

    usage: dict[str, float]
    """The measured fields."""
    json_members: dict[str, object]
    """What JSON has beside them."""
    rows: dict[str, str]
    """What a text has beside them."""
    peak: TreePeak | None = None
    """What was recorded."""


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
            export.replace(lambda kind: formats.of_tree(kind, f"process {pid}", found.peak))
            for export in exports
        ]
        show(_as_json(pid, found) if options.kind == "json" else _as_text(pid, found))
    return 0 if all(written) else CANCELED


def _as_json(pid: int, found: Found) -> str:
    names = [*found.usage, *found.json_members]
    units = {name: FIGURES[name].unit for name in names if name in FIGURES}
    units |= {name: "bytes" for name in ("rss", "pss") if name in names}
    return formats.as_json({"pid": pid, "usage": found.usage, **found.json_members, "units": units})


def _as_text(pid: int, found: Found) -> str:
    rows = {"process": f"{pid}"}
    for name in "ru_utime", "ru_stime", "ru_maxrss":
        if name in found.usage:
            rows[FIGURES[name].label] = quantity(found.usage[name], FIGURES[name].unit)
    return "\n".join(report.lines({**rows, **found.rows}, sys.stdout))


def _found_now(pid: int, options: Options) -> Found:
    from .. import Process, Tree  # some systems lack them

    with Process(pid) as process:
        usage, rss = measured_fields(process.getrusage(), process.measured), process.rss()
        pss = process.pss() if options.pss else None
    found = Found(usage, {"rss": rss}, {"memory now": quantity(rss, "bytes")})
    if pss is not None:
        found.json_members["pss"] = pss
        found.rows["PSS now"] = quantity(pss, "bytes")
    if options.tree:
        from .._tree import members_of
        from .sampling import largest
        from .tree_peak import known_pss

        with Tree(pid) as tree:
            sample, figures = tree._sample_members()
            whole = tree._sample_pss((sample, figures)) if options.pss else None
        members = largest(members_of(figures))
        record = {**formats.sample_record(sample), **formats.members_record(members)}
        found.json_members["tree"] = record
        found.rows["tree now"] = report.of_sample(sample)
        if whole is not None:
            _, _, at_least, at_most = whole
            record |= {"pss": known_pss(at_least, at_most), "pss_at_most": at_most}
            found.rows["tree PSS now"] = report.of_pss(at_least, at_most)
        found.rows.update(report.of_members(members))
    return found


def _found_by_recording(pid: int, options: Options) -> Found:
    """Record a process and its descendants until it ends, or a signal comes that ends programs.

    With a long interval, most of the CPU time may come after the last sample, and the process may
    be gone at the next one. So the tree is also read between samples: it keeps what it has read.
    """
    signals = Signals()
    signals.catch()  # also while the following is imported
    from .. import Process  # some systems lack it
    from .sampling import NEVER, Recording, peak_of  # some systems lack what it imports
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
    peak = peak_of(recording, pid)
    last = peak.samples[-1]
    elapsed = max(elapsed, last.elapsed)
    state = "still running" if is_running else "ended"
    rows = {
        "recorded": f"{quantity(elapsed, 'seconds')}; {state}",
        "CPU time": f"{quantity(last.cputime, 'seconds')} of all processes, while recorded",
        "tree memory": f"{report.of_peak(peak)}; {report.how_often(peak)}",
        **report.pss_row(peak),
        **report.of_members(peak.members),
    }
    return Found(usage, {"elapsed": elapsed, "tree": formats.tree_record(peak)}, rows, peak)
