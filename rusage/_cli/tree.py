"""The memory of a program and its descendants: ``--tree``, ``--limit-tree-rss``, ``--kill`` and ``--pid``."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from .. import Process, Tree, record
from .report import CANCELED, complain, lines, on_one_line, quantity, show
from .results import measured_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import Member, Sample
    from .options import Options
    from .results import Tell, Watch

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has none

# Seconds from SIGTERM until SIGKILL, and from then on until the rest is given up.
GRACE, PATIENCE = 5.0, 5.0
STEP = 0.05

TOO_SHORT = "the program ended before the second sample"


class TreePeak(NamedTuple):
    """What was sampled of a program and its descendants; the times count from the start of the program."""

    largest: Sample
    """The sample with the largest sum of resident set sizes."""
    member: Member | None
    """The largest member in this sample."""
    interval: float
    """Seconds."""
    missed: int
    """The number of intervals without a sample."""
    samples: list[Sample]
    killed: bool
    """Whether members got a signal since a sample exceeded the limit."""

    @property
    def has_unread(self) -> bool:
        """Whether a sample lacks members that could not be read."""
        return any(sample.unread for sample in [self.largest, *self.samples])


def watching(options: Options, name: str, tell: Tell) -> Watch:
    """Return a function that begins to sample a program and its descendants, and returns the function that ends it.

    *name* and *tell*: the name of the program in an error message, and what prints it.
    """

    def start(pid: int, started: float) -> Callable[[], tuple[TreePeak | None, str]]:
        limit = (options.limits or {}).get("tree_rss")
        killer = Killer(limit, name, tell) if options.kill and limit is not None else None
        try:
            recording = record(pid, interval=options.interval, on_sample=killer)
            if killer is not None:
                killer.recording = recording
            recording.start()
        except Exception as error:  # noqa: BLE001 (the program runs, and is waited for whatever fails here)
            reason = f"the tree cannot be sampled: {_reason(error)}"
            tell(name, reason)
            return lambda: (None, reason)
        delay = recording.tree._opened - started  # noqa: SLF001 (of the same package)

        def finish() -> tuple[TreePeak | None, str]:
            killed = killer is not None and killer.finish()
            reason = ""
            try:
                recording.stop()
            except Exception as error:  # noqa: BLE001 (as above)
                reason = f"the tree could no longer be sampled: {_reason(error)}"
                tell(name, reason)
            # If samples are missing at the end, the largest one may only show that a limit was exceeded.
            is_over = limit is not None and recording.largest.rss > limit
            # The first sample finds a program that has not done anything yet.
            if len(recording.samples) < 2 or (reason and not is_over):
                return None, reason
            largest, *samples = (
                sample._replace(elapsed=sample.elapsed + delay) for sample in (recording.largest, *recording.samples)
            )
            member = max(recording.members, key=lambda member: member.rss, default=None)
            return TreePeak(largest, member, recording.interval, recording.missed, samples, killed), reason

        return finish

    return start


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else f"{error}" or type(error).__name__


class Killer:
    """Kills the members of a tree when a sample exceeds a limit."""

    recording: record

    def __init__(self, limit: float, name: str, tell: Tell) -> None:
        self._limit, self._name, self._tell = limit, name, tell
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._killed = self._finished = False

    def __call__(self, sample: Sample) -> None:
        """Look at a sample. All signals are blocked in the calling thread, and so in the new one."""
        with self._lock:
            if self._killed or self._finished or sample.rss <= self._limit:
                return
            self._killed = True
            thread = threading.Thread(target=self._kill, args=[self.recording.tree], daemon=True)
            try:
                thread.start()
            except RuntimeError:  # there are too many threads; no samples are taken meanwhile
                self._kill(self.recording.tree)
            else:
                self._thread = thread

    def finish(self) -> bool:
        """Wait until the members have ended or are given up; return whether they got a signal."""
        with self._lock:
            self._finished = True
        if self._thread is not None:
            self._thread.join()
        return self._killed

    def _kill(self, tree: Tree) -> None:
        began = time.monotonic()
        self._send(tree, signal.SIGTERM)
        while _may_live(tree):
            waited = time.monotonic() - began
            if waited >= GRACE + PATIENCE:
                with contextlib.suppress(OSError):  # the recording tells it
                    for member in tree.members():
                        self._tell(self._name, f"still running after the kill: {_described(member)}")
                return
            if waited >= GRACE:
                self._send(tree, KILL)
            time.sleep(STEP)

    def _send(self, tree: Tree, number: int) -> None:
        try:
            tree.send_signal(number)
        except PermissionError:
            if number == signal.SIGTERM and sys.platform != "win32":
                for member in tree.members():
                    if not _may_signal(member.pid):
                        self._tell(self._name, f"no permission to kill: {_described(member)}")
        except OSError:
            pass  # those that are left are named in the end


def _may_live(tree: Tree) -> bool:
    """Return whether a member lives; also if that cannot be read now, as without a free file descriptor."""
    try:
        return tree.sample().processes > 0
    except OSError:
        return True


def _may_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def _described(member: Member) -> str:
    """Return the process ID and, on Linux, the name of a member."""
    try:
        with open(f"/proc/{member.pid}/comm", encoding="utf-8", errors="backslashreplace") as file:
            return f"process {member.pid} ({on_one_line(file.read().strip())})"
    except OSError:
        return f"process {member.pid}"


# --- The reports -----------------------------------------------------------------------------------------------------


def described(peak: TreePeak | None, unsampled: str) -> str:
    """Return the text of a report, in two lines; in one if nothing was measured."""
    if peak is None:
        return f"not measured: {unsampled or TOO_SHORT}"
    sample = peak.largest
    text = f"{quantity(sample.rss, 'bytes')} in {processes(sample)} after {quantity(sample.elapsed, 'seconds')}"
    if peak.member is not None:
        text += f", the largest {quantity(peak.member.rss, 'bytes')}"
    return f"{text}\n{sampled(peak)}"


def sampled(peak: TreePeak) -> str:
    """Return how often samples were taken."""
    text = f"sampled every {quantity(peak.interval, 'seconds')}"
    return text + (f", {peak.missed} sample{'s' if peak.missed > 1 else ''} missed" if peak.missed else "")


def processes(sample: Sample) -> str:
    """Return the number of processes, and how many of them could not be read."""
    text = f"{sample.processes} process{'es' if sample.processes != 1 else ''}"
    return text + (f" ({sample.unread} not readable)" if sample.unread else "")


def as_record(peak: TreePeak) -> dict[str, object]:
    """Return a member of the JSON."""
    sample, member = peak.largest, peak.member
    return {
        "rss": sample.rss,
        "elapsed": sample.elapsed,
        "processes": sample.processes,
        "unread": sample.unread,
        "largest_member": None if member is None else {"pid": member.pid, "rss": member.rss},
        "interval": peak.interval,
        "missed": peak.missed,
        "killed": peak.killed,
    }


def as_csv(peak: TreePeak | None) -> str:
    """Return a row for each sample."""
    samples = peak.samples if peak is not None else []
    rows = [f"{each.elapsed},{each.rss},{each.cputime},{each.processes},{each.unread}" for each in samples]
    return "\n".join(["elapsed (seconds),rss (bytes),cputime (seconds),processes,unread", *rows])


# --- A running process -----------------------------------------------------------------------------------------------


def show_process(pid: int, options: Options) -> int:
    """Print the usage of a running process, and the present memory of its tree if that is asked for."""
    try:
        with Process(pid) as process:
            usage = measured_fields(process.getrusage(), process.measured)
            rss = process.rss()
        sample, members = None, []
        if options.tree:
            with Tree(pid) as tree:
                sample, members = tree.sample(), tree.members()
    except (OSError, ValueError) as error:
        complain("--pid", error.strerror if isinstance(error, OSError) else str(error))
        return CANCELED
    if options.kind == "json":
        from .formats import running  # noqa: PLC0415 (slow, and only needed here)

        show(running(pid, usage, rss, sample))
        return 0
    rows = {"process": str(pid)}
    for name, label in {"ru_utime": "user time", "ru_stime": "system time"}.items():
        if name in usage:
            rows[label] = quantity(usage[name], "seconds")
    rows["memory now"] = quantity(rss, "bytes")
    if "ru_maxrss" in usage:
        rows["peak memory"] = f"{quantity(usage['ru_maxrss'], 'bytes')}, of this process"
    if sample is not None:
        largest = max((member.rss for member in members), default=0)
        rows["tree now"] = f"{quantity(sample.rss, 'bytes')} in {processes(sample)}, the largest "
        rows["tree now"] += quantity(largest, "bytes")
    show(lines(rows))
    return 0
