"""``measure``: the resource usage of a block of code or of function calls."""

from __future__ import annotations

import time
from collections.abc import Callable

from ._backends._base import RUSAGE_SELF
from ._fields import RUsage
from ._getrusage import getrusage, measured

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])
else:
    F = Callable  # for typing.get_type_hints

Instant = tuple[float, RUsage]  # the clock and the usage at one time

_clock = time.perf_counter


class measure:  # noqa: N801 (used like a function)
    """Measure the usage of a block of code: ``with measure() as m: ...``, then ``m.usage`` and ``m.elapsed``.

    Both can also be read inside the block, for the usage so far. ``who`` is as in ``getrusage``: the whole process with
    all its threads (the default), ``RUSAGE_THREAD``, or ``RUSAGE_CHILDREN`` for the children waited for in the block.

    Blocks can be nested if each has its own object. Entering an object whose block has not ended, in the same or in
    another thread, raises ``RuntimeError``.

    As a decorator, ``@measure()``, it measures each call of a function or coroutine function separately; this includes
    objects whose ``__call__`` is such a function. The decorating object then holds the usage of the call that ended
    last. Unless ``who`` excludes them, other threads and tasks that run meanwhile are included.

    An invalid ``who`` raises the same exception as ``getrusage``, immediately.
    """

    __slots__ = ("_last", "_open", "_who", "measured")

    measured: frozenset[str]
    """The names of the fields that the system measures for ``who``; the others are 0."""

    def __init__(self, who: int = RUSAGE_SELF) -> None:
        try:
            self.measured = measured(who)
        except TypeError:
            if callable(who):
                raise TypeError("measure as a decorator needs parentheses: @measure()") from None
            raise
        self._who = who
        # The start of the open block, under the key None. dict.setdefault is atomic: of two threads only one enters.
        self._open: dict[None, Instant] = {}
        self._last: tuple[Instant, Instant] | None = None

    # Sample the clock outside getrusage(), so that the CPU time of one thread cannot exceed the elapsed time.

    def __enter__(self) -> measure:  # noqa: PYI034 (Self is not in Python 3.10's typing)
        start = _clock(), getrusage(self._who)
        if self._open.setdefault(None, start) is not start:
            raise RuntimeError(
                "this measure() object is open already: use a separate one for a nested block or another thread"
            )
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
        """The usage of the block so far, or in total after its end: the difference of two ``RUsage``."""
        (_, earlier), (_, later) = self._span()
        return later - earlier

    @property
    def elapsed(self) -> float:
        """The elapsed time of the block so far, or in total after its end, in seconds."""
        (start, _), (end, _) = self._span()
        return end - start

    def __call__(self, function: F) -> F:
        """Return a wrapper of *function* whose calls are measured.

        Raises ``TypeError`` for a generator function: its body runs only after the call has returned.
        """
        import functools  # noqa: PLC0415 (only needed for decorators)
        import inspect  # noqa: PLC0415 (as above)
        from typing import cast  # noqa: PLC0415 (as above)

        inner: Any = function
        while isinstance(inner, functools.partial):
            inner = inner.func
        # The last one is for objects with __call__.
        codes = function, inner, getattr(type(inner), "__call__", None)  # noqa: B004 (the method itself is needed)

        if any(inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code) for code in codes):
            raise TypeError("cannot measure a generator function: its body runs after the call has returned")

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
