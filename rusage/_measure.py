"""``measure``: the resource usage of a block of code or of function calls."""

from __future__ import annotations

import _thread
import time
from collections.abc import Callable

from ._backends._base import RUSAGE_SELF, RUSAGE_THREAD
from ._calls import check_root
from ._fields import RUsage  # noqa: TC001 (for typing.get_type_hints)
from ._getrusage import getrusage, measured
from ._memory import BlockPeak
from ._units import usage_text

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, Self, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])
    End = tuple[float, RUsage]  # the clock and the usage
else:
    F = Callable  # for typing.get_type_hints

_clock = time.perf_counter
# The identifiers of get_ident() are used again sooner, but every system has them.
_thread_id = getattr(_thread, "get_native_id", _thread.get_ident)


class Start:
    """The start of a block. Not a named tuple, which takes longer to define and to create."""

    __slots__ = ("clock", "peak", "thread", "usage")
    clock: float
    usage: RUsage
    peak: BlockPeak | None  # of the block, if it has one of its own
    thread: int | None  # that has entered the block, if the usage is a thread's


class measure:  # noqa: N801 (used like a function)
    """Measure the usage of a block of code: ``with measure() as m: ...``, then ``m.usage``.

    >>> with rusage.measure() as m:
    ...     squares = [n * n for n in range(10**6)]
    >>> m.usage.cputime
    0.051522

    ``m.elapsed`` is the elapsed time. Both can also be read inside the block, for the usage so far.
    ``who`` is as in ``getrusage``: the whole process with all its threads (the default),
    ``RUSAGE_THREAD``, or ``RUSAGE_CHILDREN`` for the children waited for in the block.

    The decorator ``@measure()`` measures each call separately: of a function, of a coroutine
    function, or of an object whose ``__call__`` is such a function. The decorating object, which is
    also the function's attribute ``measure``, holds the usage of the call that ended last.

    With ``reset_peak`` the block has a peak of its own, ``m.peak``, where the system can reset the
    process's high-water mark (Linux): ``ru_maxrss`` then falls for every reader in the process, but
    not ``rusage.peak()``. Blocks can be nested and run in several threads if each has its own
    object.

    Raises ``RuntimeError`` on entering an object whose block has not ended; on reading or leaving
    an ``RUSAGE_THREAD`` block in another thread; and on reading a ``reset_peak`` block that was
    open when this process was forked. Raises the same exceptions as ``getrusage`` for an invalid
    ``who``, and ``ValueError`` for ``reset_peak`` with another one than ``RUSAGE_SELF``.
    """

    __slots__ = ("_last", "_measured", "_new_peak", "_open", "_who")

    def __init__(self, who: int = RUSAGE_SELF, *, reset_peak: bool = False) -> None:
        if callable(who):  # @measure
            raise TypeError("measure() needs parentheses: m = rusage.measure(), then @m")
        if isinstance(who, bool):  # True would be RUSAGE_THREAD
            raise TypeError(f"measure(): who cannot be {who}; use reset_peak={who}")
        self._measured = measured(who)
        self._who = who
        self._new_peak: type[BlockPeak] | None = None
        if reset_peak:
            if who != RUSAGE_SELF:
                raise ValueError(
                    "reset_peak needs RUSAGE_SELF: the high-water mark belongs to the process"
                )
            self._new_peak = BlockPeak
        # The start of the open block, under the key None. dict.setdefault() tests and sets in one
        # step, so only one of two threads enters. A lock and an attribute would be two steps: if a
        # signal handler raised an exception between them, the object would stay locked.
        self._open: dict[None, Start] = {}
        self._last: tuple[Start, End | None] | None = None

    # Sample the clock outside getrusage(), so that the CPU time of one thread cannot exceed the
    # elapsed time. The peak is read and reset outside both, so that reading it does not count as
    # usage.

    def __enter__(self) -> Self:
        start = Start()
        start.peak = None if self._new_peak is None else self._new_peak()
        start.thread = self._thread()
        start.clock = _clock()
        start.usage = getrusage(self._who)
        if self._open.setdefault(None, start) is not start:
            raise RuntimeError(
                "this measure() object is open already: use a separate one for a nested block or "
                "another thread"
            )
        return self

    def __exit__(self, *error: object) -> None:
        start = self._open[None]
        end = self._read(start)
        if start.peak is not None:
            start.peak.update()
        self._last = start, end
        del self._open[None]  # the end, in one step

    def _thread(self) -> int | None:
        """Return the calling thread if the usage is the thread's."""
        return _thread_id() if self._who == RUSAGE_THREAD else None

    def _read(self, start: Start) -> End | None:
        """Return the figures now, or None if the peak is another process's.

        Raises ``RuntimeError`` for the difference between two threads.
        """
        usage = getrusage(self._who)
        end = _clock(), usage
        if start.thread != self._thread():
            raise RuntimeError("RUSAGE_THREAD: the block was entered in another thread")
        return end if start.peak is None or start.peak.is_ours() else None

    def start(self) -> None:
        """Enter a block, for frameworks whose hooks are two functions."""
        self.__enter__()

    def stop(self) -> None:
        """Leave the block that ``start()`` entered. Raises ``RuntimeError`` if there is none."""
        if None not in self._open:
            raise RuntimeError("there is no open block: call start() first")
        self.__exit__()

    def _span(self) -> tuple[Start, End]:
        start = self._open.get(None)
        if start is not None:
            end = self._read(start)
        elif self._last is not None:
            start, end = self._last
        else:
            raise RuntimeError("nothing has been measured yet")
        if end is None:
            raise RuntimeError(
                "this block was open across a fork: it is measured in the parent only"
            )
        return start, end

    @property
    def measured(self) -> frozenset[str]:
        """The names of the fields that the system measures for ``who``; the others are 0.

        With ``reset_peak``, they include ``"peak"`` if the peak of the block is measured; before
        the first block, if a peak can be expected.
        """
        if self._new_peak is None:
            return self._measured
        start = self._open.get(None) or (self._last and self._last[0])
        peak = start.peak if start else None
        known = self._new_peak.available() if peak is None else peak.measured
        return self._measured | {"peak"} if known else self._measured

    @property
    def usage(self) -> RUsage:
        """The usage so far, or in total after the block: the difference of two ``RUsage``.

        Raises ``RuntimeError`` before the first block, as ``elapsed`` does.
        """
        start, (_, usage) = self._span()
        return usage - start.usage

    @property
    def elapsed(self) -> float:
        """The elapsed time of the block so far, or in total after its end, in seconds.

        It is taken from ``time.perf_counter()``.
        """
        start, (clock, _) = self._span()
        return clock - start.clock

    @property
    def peak(self) -> int:
        """The maximum resident set size of the process in the block, in bytes.

        It is 0 if it is not ``measured``. Raises ``RuntimeError`` without ``reset_peak=True``.
        """
        return self._updated_peak().peak

    @property
    def peak_growth(self) -> int:
        """``peak`` minus the resident set size at the start of the block, in bytes.

        It is 0 if it is not ``measured``. Raises ``RuntimeError`` without ``reset_peak=True``.
        """
        return self._updated_peak().growth

    def _updated_peak(self) -> BlockPeak:
        start = None if self._new_peak is None else self._span()[0]
        if start is None or start.peak is None:
            raise RuntimeError("a block has a peak of its own with measure(reset_peak=True) only")
        if self._open.get(None) is start:
            start.peak.update()
        return start.peak

    def __repr__(self) -> str:
        try:
            start, (clock, usage) = self._span()
            sizes: dict[str, int | None] = {}
            if self._new_peak is not None:
                sizes["peak"] = self.peak or None
                # The peak alone could be taken for the block's own memory.
                if "peak" in self.measured:
                    sizes["peak_growth"] = self.peak_growth
        except RuntimeError as error:  # there are no figures
            return f"<rusage.measure: {error}>"
        used, elapsed = usage - start.usage, clock - start.clock
        return f"<rusage.measure: {usage_text(used, self._measured, sizes, elapsed)}>"

    def __call__(self, function: F) -> F:
        """Return a wrapper of *function* whose calls are measured.

        Raises ``TypeError`` for a generator function: its body runs only after the call has
        returned.
        """
        check_root("inspect", "import inspect")
        import functools  # noqa: PLC0415 (only needed for decorators, and by inspect)
        import inspect  # noqa: PLC0415 (as above)

        inner: Any = function
        while isinstance(inner, functools.partial):
            inner = inner.func
        # The third is for objects with __call__.
        codes = function, inner, getattr(type(inner), "__call__", None)  # noqa: B004 (the method itself is needed)

        if any(
            inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code) for code in codes
        ):
            raise TypeError(
                "cannot measure a generator function: its body runs after the call has returned"
            )

        wrapper: Any
        if any(inspect.iscoroutinefunction(code) for code in codes):

            @functools.wraps(function)
            async def measured_coroutine(*args: Any, **kwargs: Any) -> Any:
                call = measure(self._who, reset_peak=self._new_peak is not None)
                try:
                    with call:
                        return await function(*args, **kwargs)
                finally:
                    self._last = call._last

            wrapper = measured_coroutine
        else:

            @functools.wraps(function)
            def measured_function(*args: Any, **kwargs: Any) -> Any:
                call = measure(self._who, reset_peak=self._new_peak is not None)
                try:
                    with call:
                        return function(*args, **kwargs)
                finally:
                    self._last = call._last

            wrapper = measured_function
        wrapper.measure = self
        decorated: F = wrapper  # it is called as the function is
        return decorated


measure.__module__ = "rusage"
