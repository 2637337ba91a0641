"""The functions of CPython's ``resource``, ``wait3`` and ``wait4``, in uniform units."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from operator import index

from ._backends import BACKEND
from ._backends._base import RUSAGE_SELF
from ._calls import (
    CHILD_FIELDS,
    FreeList,
    buffer_of,
    c_int,
    error_of,
    measured_for,
    new_call,
    new_usage,
    os_error,
    unpack,
    usage_in,
    usage_of,
)
from ._fields import FIELDS, RUsage
from ._rusage import ffi, lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import MappingProxyType
    from typing import Any, TypeVar

    from ._fields import Field
    from ._rusage import Buffer, Call, Pointer

    T = TypeVar("T")
else:
    # Importing types takes longer than importing most modules here.
    MappingProxyType = type(vars(type))

# Looking up a function in lib takes a tenth of the time of a call.
_get, _maxrss, _cputime = lib.rusage_get, lib.rusage_maxrss, lib.rusage_cputime
_measured = measured_for(BACKEND)
_call_of = {who: new_call(BACKEND, who, fields) for who, fields in _measured.items()}

_pools: dict[int, list[tuple[Call, Buffer]]] = {who: FreeList() for who in _measured}
_self_pool = _pools[RUSAGE_SELF]
_self_call = _call_of[RUSAGE_SELF]


def _find(table: Mapping[int, T], who: int) -> T:
    """Return the entry for ``who``, or raise the exception that CPython raises."""
    if type(who) is not int:  # a float that equals a key must be refused
        who = index(who)
    try:
        return table[who]
    except KeyError:
        c_int(who)
        raise ValueError("invalid who parameter") from None


def getrusage(who: int, /) -> RUsage:
    """Return the resource usage of ``who`` so far.

    >>> rusage.getrusage(rusage.RUSAGE_SELF).ru_minflt
    1843

    See the man page getrusage(2). On every system times are in seconds, ``ru_maxrss`` is in bytes,
    and the integrals are in byte-seconds. The rest are counts: of block I/O, units of 512 bytes on
    Linux and operations on other systems; ``fields`` has the details. Fields that
    ``measured(who)`` does not name are 0. ``who`` has no default, as in ``resource``, so that the
    same call works with both modules.

    Raises ``ValueError`` if this system does not have ``who``, ``TypeError`` and ``OverflowError``
    where CPython's ``resource.getrusage`` does, and ``OSError`` if the system call fails for
    another reason.
    """
    # "is" is the fast test for the common case; an equal int that is another object takes the
    # slower path.
    pool = _self_pool if who is RUSAGE_SELF else _find(_pools, who)
    try:
        slot = pool.pop()
    except IndexError:
        who = index(who)
        call = new_call(BACKEND, who, _measured[who])
        slot = call, buffer_of(call)
    call, buffer = slot
    error = _get(call)
    if error:
        pool.append(slot)
        raise error_of(error)
    values = unpack(buffer)
    pool.append(slot)
    return new_usage(RUsage, values)


def maxrss(who: int = RUSAGE_SELF, /) -> int:
    """Return ``getrusage(who).ru_maxrss``, the maximum resident set size in bytes.

    >>> f"{rusage.maxrss() / 2**20:.1f} MiB"
    '11.8 MiB'

    It does not build an ``RUsage``. The result is 0 if ``measured(who)`` does not name
    ``ru_maxrss``. Raises the same exceptions as ``getrusage``.
    """
    value: int = _maxrss(_self_call if who is RUSAGE_SELF else _find(_call_of, who))
    if value < 0:
        raise error_of(-value)
    return value


def cputime(who: int = RUSAGE_SELF, /) -> float:
    """Return user plus system CPU time in seconds, without building an ``RUsage``.

    >>> rusage.cputime()
    0.030524

    Raises the same exceptions as ``getrusage``.
    """
    value: float = _cputime(_self_call if who is RUSAGE_SELF else _find(_call_of, who))
    if value < 0:
        raise error_of(-int(value))
    return value


def measured(who: int = RUSAGE_SELF, /) -> frozenset[str]:
    """Return the names of the fields that this system measures for ``who``; the others are 0.

    >>> "ru_majflt" in rusage.measured()
    True

    Raises the same exceptions as ``getrusage`` for a bad ``who``.
    """
    return _find(_measured, who)


fields: Mapping[str, Field] = MappingProxyType(BACKEND.fields())


def getpagesize() -> int:
    """Return the size of a memory page in bytes: sysconf(3), ``GetSystemInfo`` on Windows.

    >>> rusage.getpagesize()
    4096
    """
    if sys.platform == "win32":
        import mmap  # noqa: PLC0415 (other systems do not need it)

        return mmap.PAGESIZE
    return os.sysconf("SC_PAGESIZE")


# --- Children ---

_wait_pool: list[tuple[Call, Buffer, Pointer[int]]] = FreeList()


def wait4(pid: int, options: int) -> tuple[int, int, RUsage]:
    """Do the same as ``os.wait4``, with an ``RUsage``.

    >>> child = os.posix_spawnp("true", ["true"], os.environ)
    >>> rusage.wait4(child, 0)[2].cputime
    0.000683

    Wait for a child as ``os.wait4`` does; return its process ID, its exit status indication and its
    usage. The usage includes the child's own children that it has waited for: counters and times
    are added, and ``ru_maxrss`` is the largest peak. If ``options`` contains ``WNOHANG`` and no
    child is ready, all values are 0. Raises the same exceptions as ``os.wait4``:
    ``ChildProcessError`` if there is no child.

    The peak is the kernel's value. On Linux and the BSDs it may be inherited from the process that
    forked the child, as may the integrals; ``run`` and ``Popen`` report only values that are the
    child's own.
    """
    pid, options = c_int(pid), c_int(options)
    try:
        slot = _wait_pool.pop()
    except IndexError:
        call = new_call(BACKEND, 0, CHILD_FIELDS)
        slot = call, buffer_of(call), ffi.new("int *")
    call, buffer, status = slot
    while True:
        child = lib.rusage_wait4(pid, status, options, call)
        if child >= 0:
            result = child, status[0], usage_in(buffer)
            _wait_pool.append(slot)
            return result
        # Python runs signal handlers here, between two bytecode instructions; unless a handler
        # raises, retry (PEP 475).
        if child != -errno.EINTR:
            _wait_pool.append(slot)
            raise os_error(-child)


def wait3(options: int) -> tuple[int, int, RUsage]:
    """Wait for any child as ``os.wait3`` does; result and exceptions are as for ``wait4``.

    >>> child = os.posix_spawnp("true", ["true"], os.environ)
    >>> rusage.wait3(0)[0] == child
    True
    """
    return wait4(-1, options)


# --- Conversion of the results of others ---

_UTIME, _STIME, *_COUNTERS = FIELDS

# A counter is a C long. A 32-bit counter wraps, and appears negative when it is read as a signed
# number.
_LONG_BITS = 8 * ffi.sizeof("long")
_LONG_MAX = 2 ** (_LONG_BITS - 1) - 1
_LONG_LEAST = -(2**31) if _LONG_BITS == 32 else 0


def from_native(usage: Sequence[float], /) -> RUsage:
    """Convert a result of ``resource.getrusage``, ``os.wait3`` or ``os.wait4``.

    >>> rusage.from_native(resource.getrusage(resource.RUSAGE_SELF)).ru_maxrss
    12357632

    It is in this system's units. Accepts any sequence of the sixteen numbers; the two times
    are in seconds. Raises ``TypeError`` for any other object, and for an ``RUsage``, which already
    has uniform units. Raises ``ValueError`` for another length and for a number out of the kernel's
    range.
    """
    if isinstance(usage, RUsage):
        raise TypeError("an RUsage already has uniform units")
    if not isinstance(usage, Sequence) or isinstance(usage, (str, bytes, bytearray, memoryview)):
        raise TypeError(
            f"a sequence of {len(FIELDS)} numbers is required, not {type(usage).__name__}"
        )
    values: tuple[Any, ...] = tuple(usage)
    if len(values) != len(FIELDS):
        raise ValueError(f"expected {len(FIELDS)} numbers, not {len(values)}")
    utime, stime, *counters = values
    numbers = [_microseconds(_UTIME, utime), _microseconds(_STIME, stime)]
    for name, value in zip(_COUNTERS, counters, strict=True):
        number = index(value)
        if not _LONG_LEAST <= number <= _LONG_MAX:
            raise ValueError(f"{name} is out of range: {number}")
        numbers.append(number % 2**_LONG_BITS)
    call = new_call(BACKEND, RUSAGE_SELF, measured(RUSAGE_SELF))
    lib.rusage_convert_values(ffi.new("rusage_values *", numbers), 1_000_000, call)
    return usage_of(call)


def _microseconds(name: str, seconds: float) -> int:
    """Return the microseconds from which the kernel's float was computed."""
    if not 0 <= seconds < 2**63 / 1e6:  # an int64_t in C
        raise ValueError(f"{name} is out of range: {seconds}")
    return round(seconds * 1e6)
