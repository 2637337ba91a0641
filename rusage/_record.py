"""``record``: the readings of a ``Tree`` over time."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
import warnings
from _operator import index
from collections.abc import Callable  # noqa: TC003 (for typing.get_type_hints)

from ._backends import BACKEND
from ._text import mebibytes
from ._tree import NO_PSS, Member, Sample, Tree, members_of

_clock = time.perf_counter


class record:  # noqa: N801 (used like a function)
    """Record a process and its descendants: ``with record() as r: ...``, then ``r.largest`` and ``r.samples``.

    Without ``pid``, this process. A sample is taken at the start, every ``interval`` seconds, and at the end of the
    block. ``on_sample`` is called with each sample: in the recording's thread from the first interval on, and
    with the last sample in the thread that calls ``stop()``. An exception of ``on_sample`` ends the recording, and
    ``stop()`` raises it. A recording also ends when no member of the tree lives any more.

    ``largest`` may be below the true peak, which may fall between two samples, or above it, if memory moved between
    members during one reading. ``missed`` is the number of intervals without a sample: a Python thread cannot run while
    C code holds the GIL, which is often when memory grows. Record from another process where this matters.

    The interval never changes. When there are ``max_samples``, neighbours are joined: each entry of ``samples`` is then
    the largest one of 2, 4, 8, ... successive samples. ``largest`` and ``on_sample`` see every sample.

    One daemon thread takes the samples of all recordings, and ends with the last one. A slow ``on_sample`` delays the
    samples of the other recordings too. All signals are blocked in the thread, except for errors such as SIGSEGV; a
    child that ``on_sample`` starts inherits this. After a fork the child has no thread: it keeps what was recorded
    until then. Under gevent's monkey patch the thread is a greenlet, which takes samples only while other greenlets
    wait.

    ``start()`` and ``stop()`` do the same as entering and leaving the block. The start raises the same exceptions as
    ``Tree``. The thread keeps a recording that is in progress; one that has ended by itself and was never stopped gives
    a ``ResourceWarning``.
    """

    _is_started = False

    interval: float
    """Seconds between two samples."""

    missed: int
    """The number of intervals without a sample so far."""

    tree: Tree
    """The tree that is recorded, until the recording is stopped."""

    def __init__(
        self,
        pid: int | None = None,
        *,
        interval: float = 0.05,
        pss: bool = False,
        on_sample: Callable[[Sample], object] | None = None,
        max_samples: int = 10_000,
    ) -> None:
        if not 0 < interval < math.inf:
            raise ValueError(f"interval must be a positive number of seconds: {interval!r}")
        if index(max_samples) < 2:  # neighbours are joined
            raise ValueError(f"max_samples must be at least 2: {max_samples!r}")
        if on_sample is not None and not callable(on_sample):
            raise TypeError(f"on_sample must be callable: {on_sample!r}")
        if pss and NO_PSS is not None:
            raise NotImplementedError(f"{BACKEND.name} has no pss: {NO_PSS}")
        self._pid, self._pss, self._on_sample, self._max_samples = pid, pss, on_sample, max_samples
        self.interval, self.missed = interval, 0
        self.thread: threading.Thread | None = None
        self._samples: list[Sample] = []
        self._largest: tuple[Sample, bytes] | None = None

    # --- What was recorded ---

    @property
    def samples(self) -> list[Sample]:
        """The samples so far, from the oldest to the newest."""
        return list(self._samples)

    @property
    def largest(self) -> Sample:
        """The sample with the largest ``rss``. Raises ``RuntimeError`` before the start."""
        return self._found()[0]

    @property
    def members(self) -> list[Member]:
        """The members in the largest sample, by the same reading. Raises ``RuntimeError`` before the start."""
        return members_of(self._found()[1])

    def _found(self) -> tuple[Sample, bytes]:
        if self._largest is None:
            raise RuntimeError("nothing has been recorded yet")
        return self._largest

    # --- Start and stop ---

    def start(self) -> None:
        """Begin a recording, with a first sample. Raises ``RuntimeError`` if one is in progress."""
        if self._is_started:
            raise RuntimeError("this recording is in progress: use another object for a nested block")
        self.tree = Tree(self._pid)
        try:
            self.missed, self._samples, self._largest = 0, [], None
            self._error: BaseException | None = None
            self._next = 0  # the number of the interval whose sample is due
            self._count, self._span = 0, 1  # of samples; how many of them an entry (the last one: or fewer) stands for
            # on_sample gets the first sample together with the second one: it may use the name that the with statement
            # binds after this method.
            self._unreported: list[Sample] = []
            self._read()
            self._is_started = True
            _begin(self)
        except BaseException:
            self._is_started = False
            self.tree.close()
            raise

    def stop(self) -> None:
        """End the recording with a last sample. Does nothing if there is none in progress.

        Raises what ``on_sample`` has raised, and the ``OSError`` of a sample that could not be taken.
        """
        if not self._is_started:
            return
        self._is_started = False
        try:
            if _end(self):
                self.take()
        finally:
            self.tree.close()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def __enter__(self) -> record:  # noqa: PYI034 (Self is not in Python 3.10's typing)
        try:
            self.start()
        except BaseException:  # a signal handler may have raised it after the start
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __del__(self) -> None:
        if self._is_started:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.tree.close()

    def __repr__(self) -> str:
        count = f"{len(self._samples)} samples"
        if self._largest is not None:
            count += f", largest={mebibytes(self.largest.rss)}, missed={self.missed}"
        return f"<rusage.record: {count}>"

    # --- Samples ---

    @property
    def due(self) -> float:
        """When the next sample is due, on the clock of this module; for the thread."""
        return self.tree._opened + self._next * self.interval  # noqa: SLF001 (of the same package)

    def take(self) -> bool:
        """Take a sample, and report it; return whether the recording goes on. For the thread, and for ``stop()``."""
        try:
            lives = self._read()
            while self._unreported:
                sample = self._unreported.pop(0)
                if self._on_sample is not None:
                    self._on_sample(sample)
        except BaseException as error:  # noqa: BLE001 (stop() raises it)
            self._error = error
            return False
        return lives

    def _read(self) -> bool:
        """Take a sample; return whether a member lives."""
        largest = -1 if self._largest is None else self._largest[0].rss
        tree = self.tree
        sample, figures = tree._use(lambda handle: tree._read_if_larger(handle, self._pss, largest))  # noqa: SLF001
        interval = max(int(sample.elapsed / self.interval), self._next)
        self.missed += interval - self._next
        self._next = interval + 1
        if not sample.processes and self._samples:
            return False
        if figures is not None:
            self._largest = sample, figures
        self._unreported.append(sample)
        self._keep(sample)
        return sample.processes > 0

    def _keep(self, sample: Sample) -> None:
        """Enter a sample into the list. When the list is full, join each entry with its neighbour."""
        if len(self._samples) == self._max_samples and self._count % self._span == 0:
            entries = self._samples
            self._samples = [max(entries[at : at + 2], key=_rss) for at in range(0, len(entries), 2)]
            self._span *= 2
        if self._count % self._span:
            self._samples[-1] = max(self._samples[-1], sample, key=_rss)
        else:
            self._samples.append(sample)
        self._count += 1


record.__module__ = "rusage"


def _rss(sample: Sample) -> int:
    return sample.rss


# --- The thread -------------------------------------------------------------------------------------------------------

# Re-entrant: a signal handler may start a recording. A handler may also raise an exception, which could leave the lock
# held in the Python code of Condition: only the thread of the recordings, which runs no handlers, waits there.
_lock = threading.RLock()
_changed = threading.Condition(_lock)
_PAUSE = 0.0005  # seconds
_LONGEST_WAIT = 100.0  # seconds; a wait of 900 s ended at once on OpenBSD 7.9
_recordings: list[record] = []
_current: record | None = None  # whose sample the thread takes
_thread: threading.Thread | None = None


def _begin(recording: record) -> None:
    """Let the thread take the samples of a recording; start it if it does not run."""
    global _thread  # noqa: PLW0603 (there is one thread)
    with _lock:
        if _thread is None:
            thread = threading.Thread(target=_run, name="rusage.record", daemon=True)
            _start_without_signals(thread)
            _thread = thread
        recording.thread = _thread
        _recordings.append(recording)
        _changed.notify_all()


def _start_without_signals(thread: threading.Thread) -> None:
    """Start a thread in which signals are blocked: a signal that it received would wake no other thread's sigwait()."""
    if sys.platform == "win32":
        thread.start()
        return
    errors = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:  # the call may also run a handler that raises
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - errors)
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(recording: record) -> bool:
    """End the samples of a recording; return whether a last one is to be taken. The last recording ends the thread."""
    with _lock:
        goes_on = recording in _recordings
        if goes_on:
            _recordings.remove(recording)
        _changed.notify_all()
        thread = recording.thread
        if threading.current_thread() is thread:  # called by on_sample
            return goes_on and recording is not _current
    if thread is None:  # after a fork
        return False
    while recording is _current or (_thread is thread and not _recordings):
        time.sleep(_PAUSE)
    if _thread is not thread:  # the last recording has ended, perhaps by itself
        thread.join()
    return goes_on


def _run() -> None:
    """Take samples until there is no recording."""
    global _current  # noqa: PLW0603 (as above)
    while (recording := _wait()) is not None:
        goes_on = recording.take()
        with _lock:
            _current = None
            if not goes_on and recording in _recordings:
                _recordings.remove(recording)
        del recording


def _wait() -> record | None:
    """Wait until the sample of a recording is due; return the recording, or None if there is none left."""
    global _current, _thread  # noqa: PLW0603 (as above)
    with _lock:
        while _recordings:
            recording = min(_recordings, key=lambda one: one.due)
            delay = recording.due - _clock()
            if delay <= 0:
                _current = recording
                return recording
            _changed.wait(min(delay, _LONGEST_WAIT))
        _thread = None
        return None


def _after_fork() -> None:
    """In a child: there is no thread, and the lock may be held."""
    global _changed, _current, _lock, _thread  # noqa: PLW0603 (as above)
    _lock = threading.RLock()
    _changed = threading.Condition(_lock)
    for recording in _recordings:
        recording.thread = None
    _recordings.clear()
    _current = _thread = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
