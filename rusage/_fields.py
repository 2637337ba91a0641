"""``RUsage``, the result: its sixteen fields, their order, units and meanings."""

from __future__ import annotations

from collections import namedtuple
from operator import add, sub

# True to type checkers. Not imported from typing: that takes longer than importing all of this
# package.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import ClassVar, NamedTuple, TypeVar, overload

    T = TypeVar("T")

    class _Field(NamedTuple):
        """The fields of ``Field``, for type checkers."""

        unit: str
        meaning: str

else:
    _Field = namedtuple("Field", ["unit", "meaning"])  # noqa: PYI024 (typing is slow to import)


class Field(_Field):
    """The unit and the meaning of a field of ``RUsage`` on this system.

    >>> rusage.fields["ru_majflt"].meaning
    'page faults (hard page faults)'

    Two fields are equal if their ``unit`` and ``meaning`` are equal. Copies and pickles keep the
    ``error``.
    """

    # Set by the backend: the error, or a function that computes the error.
    if TYPE_CHECKING:  # typing.get_type_hints would not find the names in the package
        _error: int | Callable[[], int | None] | None
    _error = None

    @property
    def error(self) -> int | None:
        """The largest error of the kernel's counters on this machine, in ``unit``; None if unknown.

        Known for ``ru_maxrss`` on Linux since 6.2, where it depends on the number of CPUs; it is no
        bound, since the kernel may lower the peak itself. Computed when first read.
        """
        error = self._error
        if callable(error):
            self._error = error = error()
        return error

    def __getstate__(self) -> dict[str, int | None]:
        return {"_error": self.error}


_Field.unit.__doc__ = (
    "What the number counts: ``seconds``, ``bytes``, ``byte-seconds``, or the thing counted."
)
_Field.meaning.__doc__ = "What the number stands for on this system, or that it is not measured."

# In the order and mostly in the words of getrusage(2).
FIELDS = {
    "ru_utime": Field("seconds", "user CPU time used"),
    "ru_stime": Field("seconds", "system CPU time used"),
    "ru_maxrss": Field("bytes", "maximum resident set size"),
    "ru_ixrss": Field("byte-seconds", "integral shared memory size"),
    "ru_idrss": Field("byte-seconds", "integral unshared data size"),
    "ru_isrss": Field("byte-seconds", "integral unshared stack size"),
    "ru_minflt": Field("faults", "page reclaims (soft page faults)"),
    "ru_majflt": Field("faults", "page faults (hard page faults)"),
    "ru_nswap": Field("swaps", "swaps"),
    "ru_inblock": Field("operations", "block input operations"),
    "ru_oublock": Field("operations", "block output operations"),
    "ru_msgsnd": Field("messages", "IPC messages sent"),
    "ru_msgrcv": Field("messages", "IPC messages received"),
    "ru_nsignals": Field("signals", "signals received"),
    "ru_nvcsw": Field("switches", "voluntary context switches"),
    "ru_nivcsw": Field("switches", "involuntary context switches"),
}

if TYPE_CHECKING:

    class _RUsage(NamedTuple):
        """The fields of ``RUsage``, for type checkers."""

        ru_utime: float
        ru_stime: float
        ru_maxrss: int
        ru_ixrss: int
        ru_idrss: int
        ru_isrss: int
        ru_minflt: int
        ru_majflt: int
        ru_nswap: int
        ru_inblock: int
        ru_oublock: int
        ru_msgsnd: int
        ru_msgrcv: int
        ru_nsignals: int
        ru_nvcsw: int
        ru_nivcsw: int

else:
    _RUsage = namedtuple("RUsage", FIELDS)  # noqa: PYI024 (as above)
    _RUsage.__annotations__ = {
        name: float if field.unit == "seconds" else int for name, field in FIELDS.items()
    }
    for _name, _field in FIELDS.items():
        _doc = f"{_field.meaning[0].upper()}{_field.meaning[1:]}, in {_field.unit}."
        getattr(_RUsage, _name).__doc__ = _doc
    for _name in ("ru_inblock", "ru_oublock"):
        _doc = (
            f"{FIELDS[_name].meaning.capitalize()}: 512-byte units on Linux, operations on the "
            "BSDs and illumos; not measured on macOS and Windows."
        )
        getattr(_RUsage, _name).__doc__ = _doc


class RUsage(_RUsage):
    """The resource usage of a process, of its children or of a thread.

    >>> rusage.getrusage(rusage.RUSAGE_SELF).ru_utime
    0.021348

    A named tuple, whose fields have the names and the order of CPython's
    ``resource.struct_rusage``; it is no instance of that class. A field that the system does not
    measure is 0: ``rusage.measured(who)`` names the measured fields, and ``rusage.fields``
    describes each field on this system, with its unit; ``docs/accuracy.md`` says what the counts
    mean.

    It can be copied and pickled, and ``usage._asdict()`` is a dict. The constructor takes all
    sixteen values. For a test or a mock that needs a few of them:
    ``RUsage.zero._replace(ru_utime=1.0)``.

    ``later - earlier`` is the usage between the two: counters and times are subtracted,
    ``ru_maxrss`` is the later peak (a peak is not a counter). A number of it is negative if the
    later one is smaller: in a child forked in between, whose counters begin at 0, or after a
    counter of the kernel has wrapped.

    ``usage + usage`` is the usage of two processes together, and ``sum(usages, RUsage.zero)`` is
    the usage of several: counters and times are added, ``ru_maxrss`` is the larger peak. ``+`` with
    a plain tuple concatenates.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        zero: ClassVar[RUsage]

    @property
    def cputime(self) -> float:
        """User plus system CPU time, in seconds: ``ru_utime + ru_stime``, not a field."""
        return self.ru_utime + self.ru_stime

    if TYPE_CHECKING:
        # An RUsage is a tuple of floats, but type checkers compare each overload with each of
        # tuple's own.
        @overload  # type: ignore[override]
        def __add__(self, other: RUsage, /) -> RUsage: ...
        @overload
        def __add__(self, other: tuple[T, ...], /) -> tuple[float | T, ...]: ...

    def __add__(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, other: tuple[object, ...], /
    ) -> tuple[object, ...]:
        if not isinstance(other, RUsage):
            return tuple.__add__(self, other) if isinstance(other, tuple) else NotImplemented
        total = list(map(add, self, other))
        total[_MAXRSS] = max(self.ru_maxrss, other.ru_maxrss)
        return RUsage._make(total)

    def __sub__(self, earlier: RUsage, /) -> RUsage:
        if not isinstance(earlier, RUsage):
            return NotImplemented
        between = list(map(sub, self, earlier))
        between[_MAXRSS] = self.ru_maxrss
        return RUsage._make(between)


_MAXRSS = RUsage._fields.index("ru_maxrss")

RUsage.zero = RUsage._make([0.0, 0.0, *[0] * (len(FIELDS) - 2)])

# Pickles and tracebacks must not expose the private module name.
RUsage.__module__ = Field.__module__ = "rusage"
