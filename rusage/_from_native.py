"""``from_native``: convert a usage from the system's units to the uniform ones."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from ._backends import BACKEND
from ._backends._base import RUSAGE_SELF
from ._fields import FIELDS, RUsage
from ._getrusage import measured, new_call, usage_of
from ._rusage import ffi, lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

_COUNTERS = tuple(FIELDS)[2:]

# A counter is a C long. A 32-bit counter wraps, and appears negative when it is read as a signed number.
_LONG_BITS = 8 * ffi.sizeof("long")
_LONG_MAX = 2 ** (_LONG_BITS - 1) - 1
_LONG_LEAST = -(2**31) if _LONG_BITS == 32 else 0

_MICROSECONDS_LIMIT = 2**63  # the C code converts times to an int64_t of microseconds


def from_native(usage: Sequence[float], /) -> RUsage:
    """Convert a result of ``resource.getrusage``, ``os.wait3`` or ``os.wait4`` from this system's units.

    Accepts any sequence of the sixteen numbers; the two times are in seconds. Raises ``TypeError`` for any other
    object, and for an ``RUsage``, which already has uniform units. Raises ``ValueError`` for another length and for a
    number out of the kernel's range.
    """
    if isinstance(usage, RUsage):
        raise TypeError("an RUsage already has uniform units")
    if not isinstance(usage, Sequence) or isinstance(usage, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"a sequence of {len(FIELDS)} numbers is required, not {type(usage).__name__}")
    values: tuple[Any, ...] = tuple(usage)
    if len(values) != len(FIELDS):
        raise ValueError(f"expected {len(FIELDS)} numbers, not {len(values)}")
    native = ffi.new("struct rusage *")
    _set_time(native.ru_utime, "ru_utime", values[0])
    _set_time(native.ru_stime, "ru_stime", values[1])
    for name, value in zip(_COUNTERS, values[2:], strict=True):
        number = index(value)
        if not _LONG_LEAST <= number <= _LONG_MAX:
            raise ValueError(f"{name} is out of range: {number}")
        setattr(native, name, number)
    call = new_call(BACKEND, RUSAGE_SELF, measured(RUSAGE_SELF))
    lib.rusage_convert(native, call)
    return usage_of(call)


def _set_time(timeval: Any, name: str, seconds: float) -> None:
    """Set a ``struct timeval`` to the microseconds from which the kernel's float was computed."""
    if isinstance(seconds, (str, bytes)) or not hasattr(seconds, "__float__"):
        raise TypeError(f"{name} must be a number, not {type(seconds).__name__}")
    try:
        microseconds = round(float(seconds) * 1_000_000)
        timeval.tv_sec, timeval.tv_usec = divmod(microseconds, 1_000_000)
    except (ValueError, OverflowError):  # not finite, or more than a time_t holds
        microseconds = -1
    if not 0 <= microseconds < _MICROSECONDS_LIMIT:
        raise ValueError(f"{name} is out of range: {seconds}")
