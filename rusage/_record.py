"""``record``: the readings of a ``Tree`` over time."""

from __future__ import annotations

import _thread
import sys
import time
import warnings
from collections.abc import Callable  # noqa: TC003 (for typing.get_type_hints)
from operator import attrgetter, index

from ._calls import forks
from ._threads import start_without_signals
from ._tree import Member, Sample, Tree, members_of, require_pss
from ._units import mebibytes

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Self

_Locks = tuple[_thread.LockType, _thread.LockType]
_clock = time.perf_counter
_SHORTEST = 0.0001  # seconds; a reading of one process takes a tenth of it
_LONGEST = sys.float_info.max  # seconds; an int may be larger, but cannot be added to a float
_LONGEST_WAIT = 100.0  # seconds; a wait of 900 s ended at once on OpenBSD 7.9
# Those that take samples: the number of forks until then, and the identifier.
_samplers: set[tuple[int, int]] = set()


class record:  # noqa: N801 (used like a function)
    """Record a process and its descendants: ``with record() as r: ...``.

    >>> with rusage.record() as r:
    ...     squares = [n * n for n in range(10**6)]
    >>> r.largest.rss
    52428800

    Then read ``r.largest`` and ``r.samples``. Without ``pid``, this process. A child that
    has ended, and has not been waited for, gives samples without members. A sample is taken at the
    start, every ``interval`` seconds, and at the end of the block. ``on_sample`` is called with
    each sample: in the recording's thread from the first interval on, and with the last sample in
    the thread that calls ``stop()``. It may be called before ``with record(...) as r`` has bound
    ``r``: create the object before the block if ``on_sample`` uses it. An exception of
    ``on_sample`` ends the recording, and ``stop()`` raises it. A recording also ends when no member
    of the tree lives any more. A last sample, without members, is added if a zombie shows more CPU
    time than the sample before.

    ``largest`` may be below the true peak, which may fall between two samples, or above it, if
    memory moved between members during one reading. ``missed`` is the number of intervals without a
    sample: a Python thread cannot run while C code holds the GIL, which is often when memory grows.
    Record from another process where this matters.

    The interval never changes. When there are ``max_samples``, neighbours are joined: each entry of
    ``samples`` is then the one with the largest ``rss``, or ``pss`` if it was asked for, of 2, 4,
    8, ... successive samples. ``largest`` and ``on_sample`` see every sample.

    A daemon thread takes the samples. All signals are blocked in it, except for errors such as
    SIGSEGV; a child that ``on_sample`` starts inherits this. After a fork the child has no thread:
    it keeps what was recorded until then. Under gevent's monkey patch the thread is a greenlet,
    which takes samples only while other greenlets wait.

    ``start()`` and ``stop()`` do the same as entering and leaving the block, also in signal
    handlers. The start raises the same exceptions as ``Tree``, and the call ``ValueError`` if
    ``interval`` is below 0.0001 or ``max_samples`` below 2. The thread keeps a recording that is
    in progress; one that has ended by itself and was never stopped gives a ``ResourceWarning``.
    """

    interval: float
    """Seconds between two samples."""

    missed: int
    """The number of intervals without a sample so far."""

    # While a recording is in progress: the locks that wake its thread, and that the thread releases
    # at its end. The stop() that takes them ends the recording.
    _running = list[_Locks]()  # noqa: RUF012 (stays empty: start() binds another list)

    def __init__(
        self,
        pid: int | None = None,
        *,
        interval: float = 0.05,
        pss: bool = False,
        on_sample: Callable[[Sample], object] | None = None,
        max_samples: int = 10_000,
    ) -> None:
        if not isinstance(interval, (int, float)):
            raise TypeError(f"interval must be a number of seconds, int or float: {interval!r}")
        if not _SHORTEST <= interval <= _LONGEST:
            raise ValueError(
                f"interval must be a finite number, at least {_SHORTEST} seconds: {interval!r}"
            )
        if index(max_samples) < 2:  # neighbours are joined
            raise ValueError(f"max_samples must be at least 2: {max_samples!r}")
        if on_sample is not None and not callable(on_sample):
            raise TypeError(f"on_sample must be callable: {on_sample!r}")
        if pss:
            require_pss()
        self._pid, self._pss, self._on_sample, self._max_samples = pid, pss, on_sample, max_samples
        self._size = attrgetter("pss" if pss else "rss")
        self.interval, self.missed = interval, 0
        self._tree: Tree | None = None
        self._starting: dict[int, object] = {}  # set by the one start() that is under way
        self._samples: list[Sample] = []
        self._largest: tuple[Sample, bytes] | None = None

    # --- What was recorded ---

    @property
    def samples(self) -> list[Sample]:
        """The samples so far, from the oldest to the newest."""
        return list(self._samples)

    @property
    def largest(self) -> Sample:
        """The largest sample, by ``rss`` or ``pss`` as in ``samples``.

        Raises ``RuntimeError`` before the start.
        """
        sample, _ = self._found()
        return sample

    @property
    def members(self) -> list[Member]:
        """The members in the largest sample, by the same reading.

        Raises ``RuntimeError`` before the start.
        """
        _, figures = self._found()
        return members_of(figures)

    def _found(self) -> tuple[Sample, bytes]:
        if self._largest is None:
            raise RuntimeError("nothing has been recorded yet")
        return self._largest

    @property
    def tree(self) -> Tree:
        """The tree that is recorded, until the recording is stopped.

        Raises ``RuntimeError`` before the start.
        """
        if self._tree is None:
            raise RuntimeError("nothing has been recorded yet")
        return self._tree

    @property
    def began(self) -> float:
        """When ``elapsed`` was 0, as by ``time.time()``.

        Raises ``RuntimeError`` before the start.
        """
        self._found()
        return self._began

    # --- Start and stop ---

    def start(self) -> None:
        """Begin a recording, with a first sample. Raises ``RuntimeError`` if one is in progress."""
        mine = object()
        try:
            if self._starting.setdefault(forks(), mine) is not mine or self._running:
                raise RuntimeError(
                    "this recording is in progress: use another object for a nested block"
                )
            self._start()
        finally:
            if self._starting.get(forks()) is mine:
                del self._starting[forks()]

    def _open_tree(self) -> Tree:
        return Tree(self._pid)

    def _start(self) -> None:
        self._tree = self._open_tree()
        self._began = time.time() - (_clock() - self._tree._opened)
        wake, done = _held_lock(), _held_lock()
        running = [(wake, done)]
        try:
            self.missed, self._samples, self._largest = 0, [], None
            self._error: BaseException | None = None  # of the thread
            self._next = 0  # the number of the interval whose sample is due
            self._count, self._span = 0, 1  # of samples; samples per entry
            self._unreported: list[Sample] = []
            self._add_sample()
            self._forks = forks()
            self._thread: tuple[int, int] | None = None
            start_without_signals(self._sample_until_end, running, wake, done)
            # Last: a handler that called stop() before would wait for a thread to come.
            self._running = running
        except BaseException:
            _end(running)
            self._tree.close()
            raise

    def stop(self) -> None:
        """End the recording with a last sample. Does nothing if there is none in progress.

        Raises what ``on_sample`` has raised, and the ``OSError`` of a sample that could not be
        taken. Called by ``on_sample``, it takes no last sample of its own recording.
        """
        done = _end(self._running)
        if done is None:
            return
        try:
            has_thread = self._forks == forks()  # a forked child has none
            has_ended = has_thread and done.acquire(timeout=self._seconds_for_thread())
            if has_ended and self._error is None:
                if self._lives:
                    self._add_sample()
                self._report()
        finally:
            self.tree.close()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _seconds_for_thread(self) -> float:
        """Return for how many seconds stop() waits for the thread; -1 for as long as it takes."""
        caller = forks(), _thread.get_ident()
        if caller == self._thread:
            return 0
        # Each on_sample of two recordings may stop the other one.
        return 1 if caller in _samplers else -1

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:  # a signal handler may have raised it after the start
            self.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __del__(self) -> None:
        if self._running:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
            self.tree.close()

    def __repr__(self) -> str:
        count = f"{len(self._samples)} samples"
        if self._largest is not None:
            count += f", largest={mebibytes(self.largest.rss)}, missed={self.missed}"
        return f"<rusage.record: {count}>"

    # --- Samples ---

    def _sample_until_end(
        self, running: list[_Locks], wake: _thread.LockType, done: _thread.LockType
    ) -> None:
        """Take samples until the recording ends; in the thread."""
        tree, thread = self.tree, (forks(), _thread.get_ident())
        self._thread = thread
        _samplers.add(thread)
        try:
            while running and self._lives and self._forks == forks():
                delay = tree._opened + self._next * self.interval - _clock()
                if delay > 0:
                    wake.acquire(timeout=min(delay, _LONGEST_WAIT))
                else:
                    # Samples taken during start() wait: stop() in on_sample would do nothing yet.
                    has_started = self._running is running
                    self._add_sample()
                    if has_started:
                        self._report()
        except BaseException as error:  # noqa: BLE001 (stop() raises it)
            self._error = error
        finally:
            _samplers.discard(thread)
            done.release()

    def _report(self) -> None:
        while self._unreported:
            sample = self._unreported.pop(0)
            if self._on_sample is not None:
                self._on_sample(sample)

    def _take(self) -> tuple[Sample, bytes]:
        """Return a sample, and the figures of its members."""
        if self._pss:
            return self.tree._sample_pss()[:2]
        return self.tree._sample_members()

    def _add_sample(self) -> None:
        sample, figures = self._take()
        self._lives = sample.processes > 0
        interval = max(int(sample.elapsed / self.interval), self._next)
        self.missed += interval - self._next
        self._next = interval + 1
        # A zombie may show more than the sample before.
        shows_more = not self._samples or sample.cputime > self._samples[-1].cputime
        if not self._lives and not shows_more:
            return
        if self._largest is None or self._size(sample) > self._size(self.largest):
            self._largest = sample, figures
        self._unreported.append(sample)
        self._keep(sample)

    def _keep(self, sample: Sample) -> None:
        """Enter a sample into the list. When that is full, join each entry with its neighbour."""
        if len(self._samples) == self._max_samples and self._count % self._span == 0:
            entries = self._samples
            self._samples = [
                max(entries[at : at + 2], key=self._size) for at in range(0, len(entries), 2)
            ]
            self._span *= 2
        if self._count % self._span:
            self._samples[-1] = max(self._samples[-1], sample, key=self._size)
        else:
            self._samples.append(sample)
        self._count += 1


record.__module__ = "rusage"


def _held_lock() -> _thread.LockType:
    lock = _thread.allocate_lock()
    lock.acquire()
    return lock


def _end(running: list[_Locks]) -> _thread.LockType | None:
    """Let the thread end; return the lock that it then releases, or None if done before."""
    # In one step, since another thread or a handler may call stop() at any point. A lock would be
    # two steps: an exception that a handler raises between them would leave it locked.
    try:
        wake, done = running.pop()
    except IndexError:
        return None
    wake.release()
    return done
