"""``measure``: the usage of a block of code, or of each call of a function."""

from __future__ import annotations

import time
from collections.abc import Callable

from ._backends._base import RUSAGE_SELF
from ._fields import RUsage
from ._getrusage import getrusage, measured

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])
else:
    F = Callable  # for typing.get_type_hints

Instant = tuple[float, RUsage]  # the clock, and what was used until then

_clock = time.perf_counter


class measure:  # noqa: N801 (used as a function is)
    """Measure what a block of code uses: ``with measure() as m: ...``, then ``m.usage`` and ``m.elapsed``.

    Both can be read inside the block too, and tell what has been so far. ``who`` is that of ``getrusage``: the whole
    process with all its threads, or ``RUSAGE_THREAD``, or ``RUSAGE_CHILDREN`` for the children waited for in the block.

    Blocks nest, each with an object of its own. To enter an object whose block has not ended, in the same thread or in
    another, raises ``RuntimeError``.

    As a decorator, ``@measure()``, it measures each call of a function or of a coroutine function by itself, and of an
    object whose ``__call__`` is one; the object that decorates then has the figures of the call that ended last. What
    the process's other threads and tasks have done meanwhile is in the figures too, unless ``who`` says otherwise.

    Raises what ``getrusage`` raises for a bad ``who``, at once.
    """

    __slots__ = ("_last", "_open", "_who", "measured")

    measured: frozenset[str]
    """The names of the fields that this system measures for ``who``; the others are 0."""

    def __init__(self, who: int = RUSAGE_SELF) -> None:
        try:
            self.measured = measured(who)
        except TypeError:
            if callable(who):
                raise TypeError("measure as a decorator needs parentheses: @measure()") from None
            raise
        self._who = who
        # The start of the block that is open, under the key None: dict.setdefault is atomic, so that of two threads
        # only one enters.
        self._open: dict[None, Instant] = {}
        self._last: tuple[Instant, Instant] | None = None

    # Each usage is taken between two looks at the clock: no thread can have used more CPU time than has elapsed.

    def __enter__(self) -> measure:  # noqa: PYI034 (Self is not in Python 3.10's typing)
        start = _clock(), getrusage(self._who)
        if self._open.setdefault(None, start) is not start:
            raise RuntimeError("this measure() is open already: a nested block or another thread needs one of its own")
        return self

    def __exit__(self, *error: object) -> None:
        usage = getrusage(self._who)
        self._last = self._open[None], (_clock(), usage)
        del self._open[None]

    def _span(self) -> tuple[Instant, Instant]:
        start = self._open.get(None)
        if start is not None:
            usage = getrusage(self._who)
            return start, (_clock(), usage)
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

        inner: Any = function
        while isinstance(inner, functools.partial):
            inner = inner.func
        # The last is for an object that is called like a function.
        codes = function, inner, getattr(type(inner), "__call__", None)  # noqa: B004 (not whether it has one)

        if any(inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code) for code in codes):
            raise TypeError("the body of a generator function runs when the generator is used, not when it is called")

        if any(inspect.iscoroutinefunction(code) for code in codes):

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
