"""The memory of a program and its descendants: samples, and the signals of ``--kill``."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from .. import Tree, record
from . import orphans
from .figures import TreePeak
from .output import without_controls

if TYPE_CHECKING:
    from collections.abc import Callable

    from .. import Member, Sample
    from .options import Options

    Tell = Callable[[str, str | None], None]
    """Prints an error message: the name of the program, and the text."""

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has none

# Seconds from SIGTERM until SIGKILL, and from then on until the rest is given up.
GRACE, PATIENCE = 5.0, 5.0
STEP = 0.05


class Sampling:
    """Samples a program and its descendants from its start on, and kills them if that is asked for.

    Nothing that fails here ends the command: the program runs, and is waited for.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (private)
        self, pid: int, began: float, options: Options, name: str, tell: Tell, others: list[int] | None = None
    ) -> None:
        """*began*: when the program was started. *name*: of the program in an error message, which *tell* prints.

        *others*: what is left from earlier runs.
        """
        self._pid, self._others = pid, others or []
        self._last: Sample | None = None
        self._limit = options.limits.get("tree_rss")
        self._name, self._tell = name, tell
        self._killer = Killer(self._limit, name, tell) if options.kill and self._limit is not None else None
        self._delay, self._recording = 0.0, None
        self.unsampled = ""
        """Why the tree could not be sampled until its end."""
        try:
            recording = record(pid, interval=options.interval, on_sample=self._killer)
            if self._killer is not None:
                self._killer.recording = recording
            recording.start()
            orphans.adopt(recording.tree, self._others)
        except Exception as error:  # noqa: BLE001 (such as EMFILE, or no thread can be started)
            self._fail("the tree cannot be sampled", error)
            return
        if self._others:
            tell(name, "processes of earlier runs are left: what they start may be counted")
        self._recording = recording
        self._delay = recording.tree._opened - began  # noqa: SLF001 (of the same package)

    def reap(self) -> None:
        """Wait for the orphans that have ended, until the program has."""
        if self._recording is not None:
            with contextlib.suppress(OSError, ValueError):  # stop() reports it
                self._last = orphans.reap(self._recording.tree, self._pid, self._others)

    def _fail(self, what: str, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) else None
        self.unsampled = f"{what}: {reason or error or type(error).__name__}"
        self._tell(self._name, self.unsampled)

    def finish(self) -> tuple[TreePeak | None, str]:
        """End the samples; return the largest one, if one is known, and why the tree could not be sampled."""
        recording, killed = self._recording, self._killer is not None and self._killer.finish()
        if recording is None:
            return None, self.unsampled
        try:
            recording.stop()
        except Exception as error:  # noqa: BLE001 (as above)
            self._fail("the tree could no longer be sampled", error)
        # If samples are missing at the end, the largest one may only show that a limit was exceeded.
        is_over = self._limit is not None and recording.largest.rss > self._limit
        # The first sample finds a program that has not done anything yet.
        if len(recording.samples) < 2 or (self.unsampled and not is_over):
            return None, self.unsampled
        recorded = recording.samples
        if self._last is not None and self._last.elapsed > recorded[-1].elapsed:
            recorded.append(self._last)
        largest, *samples = (
            sample._replace(elapsed=sample.elapsed + self._delay) for sample in (recording.largest, *recorded)
        )
        member = max(recording.members, key=lambda member: member.rss, default=None)
        return TreePeak(largest, member, recording.interval, recording.missed, samples, killed), self.unsampled


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
            return f"process {member.pid} ({without_controls(file.read().strip(), keep='')})"
    except OSError:
        return f"process {member.pid}"
