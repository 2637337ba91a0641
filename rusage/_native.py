"""Usages that come otherwise than by getrusage: from waiting for a child, or from a caller who asked the system."""

from __future__ import annotations

import errno
import os
from operator import index

from ._backends import BACKEND
from ._backends._base import RUSAGE_SELF
from ._calls import INT_MAX, INT_MIN, WAITED, buffer_of, measured, new_call, usage_in, usage_of
from ._rusage import ffi, lib
from ._usage import FIELDS, RUsage

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._rusage import Call, Int

_COUNTERS = tuple(FIELDS)[2:]

# A counter is a C long. Where that has 32 bits it wraps, and who reads it as signed sees a negative number.
_LONG_BITS = 8 * ffi.sizeof("long")
_LONG_MAX = 2 ** (_LONG_BITS - 1) - 1
_LONG_LEAST = -(2**31) if _LONG_BITS == 32 else 0

# The C converts a time as an int64_t of microseconds; a time_t may have 32 bits.
_MICROSECONDS_LIMIT = min(2**63, 2 ** (8 * ffi.sizeof("time_t") - 1) * 1_000_000)


def _c_int(value: int) -> int:
    value = index(value)
    if not INT_MIN <= value <= INT_MAX:
        raise OverflowError("Python int too large to convert to C int")
    return value


def wait4(pid: int, options: int) -> tuple[int, int, RUsage]:
    """Wait for a child as ``os.wait4`` does, and return its pid, its exit status indication and its usage.

    The usage is the child's and that of the children it has waited for itself. If ``options`` has ``WNOHANG`` and no
    child was ready, all is 0, the pid too. Raises what ``os.wait4`` raises: ``ChildProcessError`` if there is none.

    ``ru_maxrss`` is what the kernel reports, which may be inherited from the process that the child was forked from: on
    Linux and NetBSD it is never below that process's peak; on the other BSDs it may be that peak, and on FreeBSD and
    OpenBSD the integrals may contain that process's too. Grandchildren inherit from the child in the same way. ``run``
    and ``Popen`` report only what is the child's own.
    """
    return reap(_c_int(pid), _c_int(options))


# Room for answers, as for those of getrusage.
_pool: list[tuple[Call, memoryview, Int]] = []


def reap(pid: int, options: int) -> tuple[int, int, RUsage]:
    """Do what ``wait4`` does, with two numbers that are known to be C ints."""
    try:
        slot = _pool.pop()
    except IndexError:
        call = new_call(BACKEND, 0, WAITED)
        slot = call, buffer_of(call), ffi.new("int *")
    call, record, status = slot
    while True:
        child = lib.rusage_wait4(pid, status, options, call)
        if child >= 0:
            answer = child, status[0], usage_in(record)
            _pool.append(slot)
            return answer
        # A signal's Python handler runs here, between two instructions; if it does not raise, go on (PEP 475).
        if child != -errno.EINTR:
            _pool.append(slot)
            raise OSError(-child, os.strerror(-child))


def wait3(options: int) -> tuple[int, int, RUsage]:
    """Wait for any child as ``os.wait3`` does; the result and the errors are those of ``wait4``."""
    return wait4(-1, options)


def from_native(usage: Sequence[float], /) -> RUsage:
    """Return in uniform units what ``resource.getrusage``, ``os.wait3`` or ``os.wait4`` gave in this system's own.

    Takes any sequence of the sixteen numbers; the two times are in seconds. Raises ``TypeError`` for anything else and
    for an ``RUsage``, which has its uniform units already, and ``ValueError`` for another length or a number that no
    kernel gives.
    """
    from collections.abc import Sequence  # noqa: PLC0415 (only here)

    if isinstance(usage, RUsage):
        raise TypeError("an RUsage is normalised already")
    if not isinstance(usage, Sequence) or isinstance(usage, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"a sequence of {len(FIELDS)} numbers is needed, not {type(usage).__name__}")
    values: tuple[Any, ...] = tuple(usage)
    if len(values) != len(FIELDS):
        raise ValueError(f"a usage has {len(FIELDS)} numbers, not {len(values)}")
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
    """Set a ``struct timeval`` to the microseconds that a float was made from."""
    if isinstance(seconds, (str, bytes)) or not hasattr(seconds, "__float__"):
        raise TypeError(f"{name} must be a number, not {type(seconds).__name__}")
    try:
        microseconds = round(float(seconds) * 1_000_000)
    except (ValueError, OverflowError):  # not finite
        microseconds = -1
    if not 0 <= microseconds < _MICROSECONDS_LIMIT:
        raise ValueError(f"{name} is out of range: {seconds}")
    timeval.tv_sec, timeval.tv_usec = divmod(microseconds, 1_000_000)
