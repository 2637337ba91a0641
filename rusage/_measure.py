"""``measure``: the usage of a block of code, or of each call of a function."""

from __future__ import annotations

import time

from ._backends._base import RUSAGE_SELF
from ._calls import getrusage, measured

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ._usage import RUsage

    F = TypeVar("F", bound=Callable[..., Any])

    Instant = tuple[float, RUsage]  # the clock, and what was used until then

_clock = time.perf_counter


class measure:  # noqa: N801 (used as a function is)
    """Measure what a block of code uses: ``with measure() as m: ...``, then ``m.usage`` and ``m.elapsed``.

    Both can be read inside the block too, and tell what has been so far. ``who`` is that of ``getrusage``: the whole
    process with all its threads, or ``RUSAGE_THREAD``, or ``RUSAGE_CHILDREN`` for the children waited for in the block.

    As a decorator it measures each call of a function or of a coroutine function by itself; the object that decorates
    then has the figures of the call that ended last. What the process's other threads and tasks have done meanwhile is
    in the figures too, unless ``who`` says otherwise.

    Raises what ``getrusage`` raises for a bad ``who``, at once.
    """

    __slots__ = ("_last", "_open", "_who", "measured")

    measured: frozenset[str]
    """The names of the fields that this system measures for ``who``; the others are 0."""

    def __init__(self, who: int = RUSAGE_SELF) -> None:
        self.measured = measured(who)
        self._who = who
        self._open: list[Instant] = []  # blocks of one object may nest
        self._last: tuple[Instant, Instant] | None = None

    # Each usage is taken between two looks at the clock: no thread can have used more CPU time than has elapsed.

    def __enter__(self) -> measure:  # noqa: PYI034 (Self is not in Python 3.10's typing)
        self._open.append((_clock(), getrusage(self._who)))
        return self

    def __exit__(self, *error: object) -> None:
        usage = getrusage(self._who)
        self._last = self._open.pop(), (_clock(), usage)

    def _span(self) -> tuple[Instant, Instant]:
        if self._open:
            usage = getrusage(self._who)
            return self._open[-1], (_clock(), usage)
        if self._last is None:
            raise RuntimeError("nothing has been measured yet")
        return self._last

    @property
    def usage(self) -> RUsage:
        """What was used in the block, so far or in all: an ``RUsage`` that is a difference of two."""
        (_, earlier), (_, later) = self._span()
        return later - earlier

    @property
    def elapsed(self) -> float:
        """How long the block has taken by the clock, so far or in all, in seconds."""
        (start, _), (end, _) = self._span()
        return end - start

    def __call__(self, function: F) -> F:
        """Return a function that does the same and is measured.

        Raises ``TypeError`` for a generator function: its body runs later, and the figures would not be its own.
        """
        import functools  # noqa: PLC0415 (for decorators only)
        import inspect  # noqa: PLC0415 (as above)
        from typing import cast  # noqa: PLC0415 (as above)

        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError("the body of a generator function runs when the generator is used, not when it is called")

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def measured_coroutine(*args: Any, **kwargs: Any) -> Any:
                call = measure(self._who)
                try:
                    with call:
                        return await function(*args, **kwargs)
                finally:
                    self._last = call._last

            return cast("F", measured_coroutine)

        @functools.wraps(function)
        def measured_function(*args: Any, **kwargs: Any) -> Any:
            call = measure(self._who)
            try:
                with call:
                    return function(*args, **kwargs)
            finally:
                self._last = call._last

        return cast("F", measured_function)


measure.__module__ = "rusage"
