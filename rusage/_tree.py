"""``Tree``: a process and its descendants, and the resources that all of them use."""

from __future__ import annotations

import os
import struct
import time
from collections import namedtuple

from ._backends import BACKEND
from ._calls import c_int
from ._getrusage import fields
from ._process import Opened, error_of_process
from ._rusage import ffi, lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NamedTuple

    class _Sample(NamedTuple):
        """The fields of ``Sample``, for type checkers."""

        elapsed: float
        rss: int
        cputime: float
        processes: int
        unread: int
        pss: int | None

    class _Member(NamedTuple):
        """The fields of ``Member``, for type checkers."""

        pid: int
        rss: int
        cputime: float
        name: str = ""

else:
    _Sample = namedtuple("Sample", "elapsed rss cputime processes unread pss")  # noqa: PYI024 (typing takes longer)
    _Member = namedtuple("Member", "pid rss cputime name", defaults=[""])  # noqa: PYI024 (as above)
    for _class, _docs in {
        _Sample: [
            "Seconds since the opening.",
            (
                "The sum of the members' ``rss``, in bytes: "
                "a page that they share counts in each of them."
            ),
            (
                "User plus system CPU time since the opening, in seconds: "
                "a lower bound that never falls."
            ),
            "The number of living members.",
            "How many of them may not be read; they are in no sum.",
            "The sum of the proportional set sizes, in bytes; None unless it was asked for.",
        ],
        _Member: [
            "The process ID.",
            (
                "The resident set size, in bytes; "
                "0 for a process that still uses its parent's memory, before exec."
            ),
            "Its own user plus system CPU time since the opening, in seconds.",
            (
                "The name that the kernel keeps of the program, cut to 15 bytes on Linux, "
                "16 to 23 on the BSDs and macOS, and 63 of UTF-8 on Windows; "
                "decoded as file names are."
            ),
        ],
    }.items():
        for _name, _doc in zip(_class._fields, _docs, strict=True):
            getattr(_class, _name).__doc__ = _doc

NO_PSS = BACKEND.absent.get("pss")


def require_pss() -> None:
    """Raise ``NotImplementedError`` where the system has no ``rusage.pss()``."""
    if NO_PSS is not None:
        raise NotImplementedError(f"{BACKEND.name} has no pss: {NO_PSS}")


class Sample(_Sample):
    """One reading of a ``Tree``.

    >>> with rusage.Tree() as tree:
    ...     print(tree.sample().processes)
    1
    """

    __slots__ = ()

    def cpu_share(self, earlier: Sample, /) -> float:
        """Return the CPU time per elapsed time since an earlier sample of the same tree.

        1.0 is one CPU in full use. Raises ``ValueError`` if the other sample is not an earlier one.
        """
        elapsed = self.elapsed - earlier.elapsed
        if elapsed <= 0:
            raise ValueError("the other sample must be an earlier one")
        return (self.cputime - earlier.cputime) / elapsed


class Member(_Member):
    """A living member of a ``Tree``, in one reading.

    >>> with rusage.Tree() as tree:
    ...     print(tree.members()[0].pid)
    4711
    """

    __slots__ = ()


_PSS_READINGS, _PSS_SECONDS = 10, 0.1  # at most, for one sample, while members start or end
_FIGURES = struct.Struct("=qqqqd64s")  # a rusage_member_figures


class Tree(Opened):
    """A process and its descendants: ``with Tree(pid) as tree: ...``.

    >>> with rusage.Tree() as tree:
    ...     print(tree.rss())
    12390400

    Without ``pid``, the root is this process. Each reading looks for new descendants. One that it
    finds is a member until it ends, even if its parent ends before. One whose parent ends before a
    reading has found it is never a member: what a shell starts by ``( program & )`` is usually
    missed. Zombies are not counted.

    Members are known by process IDs, start times and parents, so that a later process with the same
    ID is no member. On Linux 6.9 and later, the inode of its pidfd tells a process from another one
    with the same start time.

    The resident set size of each member includes the pages that it shares with others: eight forked
    children of a process with 100 MiB have up to 900 MiB together, whose ``pss()`` is 100 MiB.
    Members are read one after another, so that memory that moves between them during a reading may
    count twice or not at all.

    A child between vfork(2) or posix_spawn(3) and exec uses its parent's memory, and has none of
    its own. Where Linux refuses kcmp(2), as in many containers, this memory counts twice.

    CPU time counts from the opening. It is a lower bound that never falls: what a member uses
    between its last reading and its end is only known if a member waits for it.

    A reading that raises an exception, for example since no file descriptor is free, changes
    nothing: the next one finds all members, and counts what they have used meanwhile.

    Close it by ``close()`` or ``with`` to avoid a ``ResourceWarning``. Threads can share a tree. A
    forked child can use its copy, which refers to the same processes; it raises ``RuntimeError`` if
    another thread was reading the tree at the fork. Raises the same exceptions as ``Process``,
    except that the tree of a process that has ended, and has not been waited for, is empty.
    """

    pid: int
    """The process ID of the root."""

    _hides_root = False  # the root is this process, and only its descendants count

    def __init__(self, pid: int | None = None) -> None:
        self._is_awaited = False
        self.pid = os.getpid() if pid is None else c_int(pid)
        if self.pid < 1:
            raise ValueError(f"not a process ID: {self.pid}")
        self._room = 64  # for the figures of members
        self._largest = 0  # resident set size of a member in any reading, in bytes
        self._largest_pss = self._zombies = 0  # of a member; members; in the last reading
        self._total = 0.0  # CPU time of the members, not only since the opening, and not only own
        # ffi.gc closes the descriptors when the pointer is freed, even if a signal handler raises
        # at any point.
        self._tree = ffi.gc(ffi.new("rusage_tree **"), lib.rusage_tree_free)
        error = lib.rusage_tree_open(self._tree, -self.pid if self._hides_root else self.pid)
        if error:
            raise error_of_process(error, self.pid)
        self._opened = time.perf_counter()  # when elapsed is 0
        self._closed = False

    def _run(self, function: Callable[..., int], *arguments: object) -> int:
        """Call a function of C, which no other thread disturbs; return its code.

        No lock of Python's: a signal handler that reads or forks would meet it.
        """
        if self._is_awaited:  # by a thread that looks each half a millisecond
            self._is_awaited = False
            time.sleep(0.001)
        while True:
            code = function(self._tree[0], *arguments)
            if code != lib.RUSAGE_TREE_IN_USE:
                return code
            self._is_awaited = True
            time.sleep(0.0005)

    def _call(self, function: Callable[..., int], *arguments: object, others: str = "") -> None:
        """Call a function of C; raise the exception for its code."""
        code = lib.RUSAGE_TREE_CLOSED if self._closed else self._run(function, *arguments)
        if code == lib.RUSAGE_TREE_CLOSED:
            raise ValueError("this Tree is closed")
        if code == lib.RUSAGE_TREE_INTERRUPTED:
            raise RuntimeError("another thread was reading this Tree when the process was forked")
        if code:
            raise error_of_process(code, self.pid, others)

    def _read_into(self, pss: bool, room: int) -> tuple[Sample, bytes, bool]:  # noqa: FBT001 (private)
        """Return a sample, the figures of the members that there is room for, and if these are all.

        One call of C: a signal handler may read the tree before it and after it.
        """
        read, figures = ffi.new("rusage_sample *"), ffi.new("rusage_member_figures[]", room)
        elapsed = time.perf_counter() - self._opened
        self._call(lib.rusage_tree_sample, pss, read, figures, room)
        sample = Sample(
            elapsed, read.rss, read.cputime, read.processes, read.unread, read.pss if pss else None
        )
        self._largest, self._total = max(self._largest, read.largest), read.total
        self._largest_pss, self._zombies = read.largest_pss, read.zombies
        copied = bytes(ffi.buffer(figures))[: read.figures * _FIGURES.size]
        return sample, copied, read.figures == read.processes - read.unread

    def sample(self, *, pss: bool = False) -> Sample:
        """Read all members once.

        With ``pss``, all are read again, at most ten times, if one starts, ends or becomes smaller
        meanwhile: then shares of pages move between members, and the sum may be too large or too
        small. It may be too small, too, if a child started and ended meanwhile for which no member
        waits. Members
        whose proportional set size may not be read are ``unread``. Raises
        ``NotImplementedError`` for ``pss`` where the system has no ``rusage.pss()``, ``OSError`` if
        the processes cannot be read, such as without a free file descriptor, and ``ValueError``
        after ``close()``.
        """
        if pss:
            require_pss()
            return self._sample_pss()[0]
        return self._read_into(False, 0)[0]  # noqa: FBT003 (private)

    def rss(self) -> int:
        """Return the sum of the resident set sizes now, in bytes: ``sample().rss``.

        Raises the same exceptions.
        """
        return self.sample().rss

    def cputime(self) -> float:
        """Return user plus system CPU time since the opening, in seconds: ``sample().cputime``.

        Raises the same exceptions.
        """
        return self.sample().cputime

    if TYPE_CHECKING or NO_PSS is None:

        def pss(self) -> int:
            """Return the sum of the proportional set sizes now, in bytes.

            A page that members share counts once. If members start, end or become smaller during
            each of ten readings, the sum may be too large or too small. Members that this process
            may not trace, such as other users', are not in the sum; ``sample(pss=True)`` counts
            them as ``unread``, and raises the same exceptions.
            """
            return self.sample(pss=True).pss or 0

    def members(self) -> list[Member]:
        """Return the living members that may be read, each one after its parent.

        The first is the root, while it lives. Raises the same exceptions as ``sample()``.
        """
        return members_of(self._sample_members()[1])

    def send_signal(self, number: int, /) -> None:
        """Send a signal to each living member; to this process, if it is one, last.

        Processes that members start meanwhile are not reached. On Windows and on Linux no other
        process can receive the signal; before Linux 6.9 another process can that has got the
        process ID within 10 ms of the member's start.
        Elsewhere a process ID is checked just before the signal is sent to it; for a moment another
        process may get it. On Windows the member is terminated with this exit status, as by
        ``os.kill``.

        Raises the last error, such as a ``PermissionError``, after all members have been tried. If
        the tree cannot be read now, these are the members that were found before. Raises
        ``ValueError`` after ``close()``.
        """
        number = c_int(number)
        try:
            self._read_into(False, 0)  # noqa: FBT003 (private)
        finally:  # also without a free file descriptor
            self._call(lib.rusage_tree_signal, number, os.getpid(), others=" or a descendant")

    def close(self) -> None:
        """Make all methods raise ``ValueError`` from now on.

        A reading in another thread is finished first.
        """
        self._closed = True
        self._run(lib.rusage_tree_close)

    # --- For record and the command, with _opened ---

    def _sample_pss(
        self, before: tuple[Sample, bytes] | None = None
    ) -> tuple[Sample, bytes, int, int]:
        """Return a sample with PSS, its members' figures, and bounds of the sum of PSS.

        *before*: the result of ``_sample_members``, if it was just called.

        When a member starts, ends, executes a program or unmaps memory, shares of pages move
        between members that were read and others that are read next. So the sum is known only if
        members and zombies were the same before and after, had waited for nothing, and no member
        had become smaller; those whose PSS may not be read have at most their RSS. Otherwise the
        sum is between the PSS of the largest member and the RSS of all.
        """
        before, end = before or self._sample_members(), time.perf_counter() + _PSS_SECONDS
        state, readings = self._state_of(*before), 0
        while True:
            sample, figures = self._sample_members(pss=True)
            at_least, sizes, count = self._largest_pss, sizes_of(figures), sample.processes
            after = self._sample_members()
            earlier, later = sizes_of(before[1]), sizes_of(after[1])
            most = {
                pid: max(found.get(pid, 0) for found in (earlier, sizes, later))
                for pid in sizes.keys() | earlier.keys() | later.keys()
            }
            state_before, state = state, self._state_of(*after)
            error = fields["ru_maxrss"].error or 0  # of sizes, too
            grows = all(size <= later.get(pid, 0) + error for pid, size in earlier.items())
            if state == state_before and count == after[0].processes and grows:
                at_least = sample.pss or 0
                unread = sum(size for pid, size in most.items() if pid not in sizes)
                return sample, figures, at_least, at_least + unread
            readings += 1
            if readings == _PSS_READINGS or time.perf_counter() > end:
                return sample, figures, at_least, sum(most.values())
            before = after

    def _state_of(self, sample: Sample, figures: bytes) -> tuple[int, int, dict[int, int]]:
        """Return what changes if a process of the tree starts or ends; of the last reading."""
        members = {pid: waited for pid, _, waited, *_ in _FIGURES.iter_unpack(figures)}
        return sample.processes, self._zombies, members

    def _sample_members(self, *, pss: bool = False) -> tuple[Sample, bytes]:
        """Return a sample, and the figures of its members for members_of()."""
        while True:
            sample, figures, are_all = self._read_into(pss, self._room)
            if are_all:
                return sample, figures
            self._room = sample.processes + sample.processes // 4


def sizes_of(figures: bytes) -> dict[int, int]:
    """Return the resident set sizes of the members, in bytes, by process ID."""
    return {pid: rss for pid, rss, *_ in _FIGURES.iter_unpack(figures)}


def have_waited(figures: bytes) -> bool:
    """Return whether one of the members has waited for children."""
    return any(waited for _, _, waited, *_ in _FIGURES.iter_unpack(figures))


def running(figures: bytes) -> set[int]:
    """Return the members that are running, or wait for a CPU or a disk; only on Linux."""
    return {pid for pid, _, _, is_running, *_ in _FIGURES.iter_unpack(figures) if is_running}


def members_of(figures: bytes) -> list[Member]:
    """Return the members whose figures were read."""
    return [
        Member(pid, rss, cputime, os.fsdecode(name.partition(b"\0")[0]))
        for pid, rss, _, _, cputime, name in _FIGURES.iter_unpack(figures)
    ]


Tree.__module__ = Sample.__module__ = Member.__module__ = "rusage"
