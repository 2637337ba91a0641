"""The result: sixteen fields, their names, their order and the one unit that each of them has on every system."""

from __future__ import annotations

from collections import namedtuple
from operator import add, sub

__all__ = ["FIELDS", "Field", "NamedTuple", "RUsage"]

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from typing import Any, ClassVar, NamedTuple, TypeVar, overload

    T = TypeVar("T")
else:

    class _NamedTupleMaker(type):
        """Make a ``collections.namedtuple`` of a class statement, as ``typing.NamedTuple`` does.

        To import typing takes longer than to import all of this package.
        """

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, object]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, body)
            types = body["__annotations__"]
            defaults = [body.pop(field) for field in types if field in body]
            made = namedtuple(name, types, defaults=defaults, module=body["__module__"])  # noqa: PYI024 (that is the point)
            for key, value in body.items():
                if key != "__qualname__":
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_NamedTupleMaker):
        """The base to name in a class statement."""


class _Fields(NamedTuple):
    """The fields of ``RUsage``; that class has the methods, which a checker does not allow beside ``zero`` here."""

    ru_utime: float
    """CPU time in user mode, seconds."""
    ru_stime: float
    """CPU time in the kernel, seconds."""
    ru_maxrss: int
    """Peak resident set size, bytes."""
    ru_ixrss: int
    """Size of the text over CPU time, byte-seconds."""
    ru_idrss: int
    """Size of the data over CPU time, byte-seconds."""
    ru_isrss: int
    """Size of the stack over CPU time, byte-seconds."""
    ru_minflt: int
    """Page faults served without I/O, a count."""
    ru_majflt: int
    """Page faults that needed I/O, a count."""
    ru_nswap: int
    """Times swapped out, a count."""
    ru_inblock: int
    """Input from block devices, in what the kernel counts: ``rusage.fields`` says which unit."""
    ru_oublock: int
    """Output to block devices, in what the kernel counts: ``rusage.fields`` says which unit."""
    ru_msgsnd: int
    """Messages sent, a count."""
    ru_msgrcv: int
    """Messages received, a count."""
    ru_nsignals: int
    """Signals delivered, a count."""
    ru_nvcsw: int
    """Voluntary context switches (waiting for something), a count."""
    ru_nivcsw: int
    """Involuntary context switches (time slice used up), a count."""


class RUsage(_Fields):
    """What a process, its children or a thread have used.

    The fields and their order are those of CPython's ``resource.struct_rusage``; the units are the same on every
    system. A field that the system does not measure is 0: ``rusage.measured(who)`` names those that it does measure,
    and ``rusage.fields`` says what each one means here.

    ``later - earlier`` is what happened between two of them: counters and times subtract, ``ru_maxrss`` is the later
    peak (a peak is no counter).

    ``usage + usage`` is the usage of two processes together, and ``sum(usages, RUsage.zero)`` that of several: counters
    and times add, ``ru_maxrss`` is the larger peak. A plain tuple on either side is appended, as to any tuple.
    """

    __slots__ = ()

    zero: ClassVar[RUsage]
    """Nothing used: all fields are 0. It is where a sum starts."""

    if TYPE_CHECKING:
        # An RUsage is such a tuple, but the checkers compare with tuple's own overloads one by one.
        @overload  # type: ignore[override]
        def __add__(self, other: RUsage, /) -> RUsage: ...
        @overload
        def __add__(self, other: tuple[T, ...], /) -> tuple[float | T, ...]: ...

    def __add__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, other: tuple[Any, ...], /
    ) -> tuple[Any, ...]:
        """Return the usage of both together; the peak is the larger one. With a plain tuple: a longer tuple."""
        if not isinstance(other, RUsage):
            return tuple.__add__(self, other) if isinstance(other, tuple) else NotImplemented
        total = list(map(add, self, other))
        total[_MAXRSS] = max(self.ru_maxrss, other.ru_maxrss)
        return RUsage._make(total)

    def __sub__(self, earlier: RUsage, /) -> RUsage:
        """Return what happened since an earlier usage; the peak is the later one's."""
        if not isinstance(earlier, RUsage):
            return NotImplemented
        between = list(map(sub, self, earlier))
        between[_MAXRSS] = self.ru_maxrss
        return RUsage._make(between)


_MAXRSS = RUsage._fields.index("ru_maxrss")

RUsage.zero = RUsage._make([0.0, 0.0, *[0] * 14])


class Field(NamedTuple):
    """A field of ``RUsage`` on this system, in words."""

    unit: str
    """What its number counts: ``seconds``, ``bytes``, ``byte-seconds``, or the thing counted."""
    meaning: str
    """What the number stands for on this system, or that it is not measured."""


# Where pickles and tracebacks find them: the module that holds them is nobody's business.
RUsage.__module__ = Field.__module__ = "rusage"

FIELDS = {
    "ru_utime": Field("seconds", "CPU time in user mode"),
    "ru_stime": Field("seconds", "CPU time in the kernel"),
    "ru_maxrss": Field("bytes", "peak resident set size"),
    "ru_ixrss": Field("byte-seconds", "size of the text over CPU time"),
    "ru_idrss": Field("byte-seconds", "size of the data over CPU time"),
    "ru_isrss": Field("byte-seconds", "size of the stack over CPU time"),
    "ru_minflt": Field("faults", "page faults served without I/O"),
    "ru_majflt": Field("faults", "page faults that needed I/O"),
    "ru_nswap": Field("swaps", "times swapped out"),
    "ru_inblock": Field("operations", "reads from block devices"),
    "ru_oublock": Field("operations", "writes to block devices"),
    "ru_msgsnd": Field("messages", "messages sent"),
    "ru_msgrcv": Field("messages", "messages received"),
    "ru_nsignals": Field("signals", "signals delivered"),
    "ru_nvcsw": Field("switches", "voluntary context switches"),
    "ru_nivcsw": Field("switches", "involuntary context switches"),
}
