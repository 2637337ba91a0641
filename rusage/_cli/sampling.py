"""The memory of a program and its descendants: samples, orphans, and the signals of ``--kill``."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

from .. import Member, Sample, Tree, record
from .figures import FIGURES, excess
from .output import complain, utf8

if TYPE_CHECKING:
    from collections.abc import Callable

    from .figures import Run
    from .options import Options
    from .orphans import Orphans

    Reading = tuple[Sample, bytes, int | None, int | None]

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has none

KILL_GRACE = 5.0  # seconds from SIGTERM until SIGKILL
KILL_PATIENCE = 5.0  # seconds for which SIGKILL is sent
PAUSE = 0.05  # seconds between two looks at what is left
NEVER = float("inf")

NAMED = 5  # members in a report


class Recording(record):
    """A recording that also reads PSS in the samples whose sum of RSS is above a threshold."""

    def __init__(
        self,
        pid: int,
        interval: float,
        above: float,
        on_sample: Callable[[Sample], object] | None = None,
        *,
        adopts: bool = False,
    ) -> None:
        """*adopts*: this process is the parent of the program's orphans, and of nothing else."""
        super().__init__(pid, interval=interval, on_sample=on_sample)
        self._above, self._adopts = above, adopts
        self.pss_at_least: int | None = None
        self.pss_at_most: int | None = None if above == NEVER else 0

    def _open_tree(self) -> Tree:
        if not self._adopts:
            return super()._open_tree()
        from .orphans import Descendants

        return Descendants()

    def _take(self) -> tuple[Sample, bytes]:
        """Return a sample, and the figures of its members."""
        sample, figures, at_least, at_most = read(self.tree, self._above)
        if at_most is not None:
            self.pss_at_most = max(self.pss_at_most or 0, at_most)
        if at_least is not None:
            self.pss_at_least = max(self.pss_at_least or 0, at_least)
        return sample, figures


class Sampling:
    """Samples a program and its descendants, and kills them if asked to.

    Nothing that fails here ends the command: the program runs, and is waited for.
    """

    def __init__(self, options: Options, name: str, orphans: Orphans | None) -> None:
        """*name*: of the program in an error message."""
        self._options, self.name, self._orphans = options, name, orphans
        self.limits = {name: options.limits.get(name, NEVER) for name in ("tree_rss", "tree_pss")}
        self._delay = 0.0
        self._recording: Recording | None = None
        self._terminated_at = NEVER
        self._signaled = self._killed = self._finishing = False
        self.unsampled = ""
        """Why the tree could not be sampled until its end."""

    def start(self, pid: int, began: float) -> None:
        """Begin to sample a program that was started at a time by ``time.perf_counter()``."""
        self._pid = pid
        try:
            on_sample = self._enforce_limit if self._options.kill else None
            above = -1 if self._options.pss else self.limits["tree_pss"]
            adopts = self._orphans is not None and not self._orphans.doubt
            self._recording = Recording(
                pid, self._options.interval, above, on_sample, adopts=adopts
            )
            self._recording.start()
        except Exception as error:  # noqa: BLE001 (such as EMFILE, or no thread can be started)
            self._recording = None
            self._fail("the tree cannot be sampled", error)
            return
        self._delay = self._recording.tree._opened - began

    def _fail(self, what: str, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) else None
        self.unsampled = f"{what}: {reason or error or type(error).__name__}"
        complain(self.name, self.unsampled)

    def finish(self) -> Run | None:
        """End the samples; return the largest one, if one is known."""
        recording = self._recording
        if recording is None:
            return None
        if self._terminated_at < NEVER:
            with contextlib.suppress(OSError):  # stop() raises it too
                self._kill(recording.tree)
        self._finishing = True
        try:
            recording.stop()
        except Exception as error:  # noqa: BLE001 (as above)
            self._fail("the tree could no longer be sampled", error)
        if not self._signaled and not self._is_known(recording):
            return None
        tree = tree_record(recording, self._pid, self._delay, killed=self._signaled)
        if self._signaled:
            self._complain_of(tree)
        return tree

    def _complain_of(self, tree: Run) -> None:
        """Say for which limit the processes got signals."""
        sizes = {"tree_rss": tree["rss"], "tree_pss": tree.get("_pss_at_least") or 0}
        for limited, value in sizes.items():
            if value > self.limits[limited]:
                over = excess(FIGURES[limited].name, value, self.limits[limited], "bytes")
                complain(self.name, f"{over}: its processes got signals")

    def _exceeds_limit(self, sample: Sample, recording: Recording) -> bool:
        pss = recording.pss_at_least or 0
        return sample.rss > self.limits["tree_rss"] or pss > self.limits["tree_pss"]

    def _is_known(self, recording: Recording) -> bool:
        """Return whether the largest sample can be reported.

        The first sample finds a program that has not done anything yet, and the last one, by
        stop(), only orphans that run on. So there must be another one.
        """
        samples = recording.samples if self.unsampled else recording.samples[:-1]
        if sum(sample.processes > 0 for sample in samples) < 2:
            return False
        # Without samples at the end, the largest one may only show that a limit was exceeded.
        return not self.unsampled or self._exceeds_limit(recording.largest, recording)

    # --- The signals of --kill ---

    def _enforce_limit(self, sample: Sample) -> None:
        """Send SIGTERM if a sample exceeds the limit, and some seconds later SIGKILL."""
        assert self._recording is not None  # noqa: S101 (for the type checker: it calls)
        tree = self._recording.tree
        with contextlib.suppress(OSError):  # the tree can no longer be read
            if self._finishing:  # the program has ended: what remains of it now
                sample, _ = self._recording._take()  # noqa: SLF001 (of the same package)
            exceeds = self._exceeds_limit(sample, self._recording)
            if exceeds and self._terminated_at == NEVER:
                self._terminate(tree)
            # The last sample cannot leave SIGKILL to a later one.
            is_due = self._finishing or time.monotonic() >= self._terminated_at + KILL_GRACE
            if is_due and self._terminated_at < NEVER:
                self._kill(tree)

    def _terminate(self, tree: Tree) -> None:
        self._terminated_at, self._signaled = time.monotonic(), True
        with contextlib.suppress(OSError):  # the members that are known get the signal
            self._signaled = any(map(may_signal, tree.members()))
        with contextlib.suppress(PermissionError):
            tree.send_signal(signal.SIGTERM)

    def _kill(self, tree: Tree) -> None:
        """Give the members some seconds after SIGTERM; send SIGKILL until two readings find none.

        Without a pause: what forks and ends is seldom seen, except as an ended orphan.
        """
        while time.monotonic() < self._terminated_at + KILL_GRACE and tree.sample().processes:
            time.sleep(PAUSE)
        if self._killed:  # by the other thread
            return
        self._killed = True
        empty, end = 0, time.monotonic() + KILL_PATIENCE
        while empty < 2 and time.monotonic() < end:
            with contextlib.suppress(PermissionError):
                tree.send_signal(KILL)
            living = any(map(may_signal, tree.members()))
            orphans, moment = self._orphans, time.monotonic() + PAUSE
            ended = orphans is not None and orphans.reap_until(moment)
            empty = 0 if living or ended else empty + 1
        for member in tree.members():
            why = "still running after the kill" if may_signal(member) else "no permission to kill"
            complain(self.name, f"{why}: process {member.pid}")


def may_signal(member: Member) -> bool:
    """Return whether this process may send signals to a member; on Windows, that is unknown."""
    if sys.platform != "win32":
        try:
            os.kill(member.pid, 0)
        except OSError as error:
            return error.errno == errno.ESRCH  # it has ended
    return True


def read(tree: Tree, above: float) -> Reading:
    """Return a sample, the figures of its members, and a lower and an upper bound of its PSS.

    PSS is read if the sum of RSS is above a threshold; there are no bounds if that is NEVER.
    """
    sample, figures = tree._sample_members()
    if sample.rss <= above:
        return sample, figures, None, None if above == NEVER else sample.rss
    _, _, at_least, at_most = tree._sample_pss((sample, figures))
    return sample._replace(pss=known_pss(at_least, at_most)), figures, at_least, at_most


def known_pss(at_least: int | None, at_most: int | None) -> int | None:
    """Return a sum of PSS if its bounds are equal."""
    return at_least if at_least == at_most else None


def sample_record(sample: Sample) -> Run:
    """Return the part of a record about a tree at one time."""
    return {"rss": sample.rss, "processes": sample.processes, "unread": sample.unread}


def pss_record(at_least: int | None, at_most: int | None) -> Run:
    """Return the part of a record about a sum of PSS; empty if that was not asked for."""
    if at_most is None:
        return {}
    known = known_pss(at_least, at_most)
    return {"pss": known, "pss_at_most": at_most, "_pss_at_least": at_least}


def members_record(members: list[Member]) -> list[Run]:
    """Return the records of the members that reports name, from the largest on."""
    largest = sorted(members, key=lambda member: member.rss, reverse=True)[:NAMED]
    return [{"pid": one.pid, "rss": one.rss, "name": utf8(one.name)} for one in largest]


def tree_record(recording: Recording, pid: int, delay: float = 0, *, killed: bool = False) -> Run:
    """Return the record of a tree over time; its times count from the program's start.

    *pid*: the program's. *delay*: from its start to the recording. *killed*: whether members got
    signals, since a sample exceeded the limit.
    """
    samples = [each._replace(elapsed=each.elapsed + delay) for each in recording.samples]
    members = members_record(recording.members)
    return {
        **sample_record(recording.largest),
        "elapsed": recording.largest.elapsed + delay,
        **pss_record(recording.pss_at_least, recording.pss_at_most),
        "largest_member": {name: members[0][name] for name in ("pid", "rss")} if members else None,
        "largest_members": members,
        "member_peak": recording.tree._largest,  # noqa: SLF001 (of the same package)
        "interval": recording.interval,
        "missed": recording.missed,
        "killed": killed,
        "_pid": pid,
        "_samples": samples,
        "_is_partial": any(sample.unread for sample in [recording.largest, *samples]),
    }
