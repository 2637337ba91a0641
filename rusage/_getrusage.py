"""The calls: ask the kernel through C, with the backend's units, and hand the answer out as an ``RUsage``."""

from __future__ import annotations

import errno
import os
import struct
import sys
from operator import index

from ._backends import BACKEND
from ._backends._base import INTEGRALS, NONE, RUSAGE_BOTH, RUSAGE_CHILDREN, RUSAGE_SELF, TIMES, WHO
from ._fields import FIELDS, RUsage

try:
    from ._rusage import ffi, lib
except ModuleNotFoundError as error:
    if error.name != f"{__package__}._rusage":
        raise
    raise ImportError(
        f"the extension module {error.name} is not built for this interpreter in {os.path.dirname(__file__)!r}: "
        "run 'python -m pip install -e .' in the source tree, or import an installed rusage from another directory",
        name=error.name,
    ) from None

if sys.implementation.name == "cpython":
    # The extension has imported it already; PyInstaller and the like see the imports of Python code only.
    import _cffi_backend  # noqa: F401 (as said)

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any, TypeVar

    from ._backends._base import Backend
    from ._fields import Field
    from ._rusage import Call

    T = TypeVar("T")

INT_MIN, INT_MAX = -(2**31), 2**31 - 1  # a C int, on every system that there is


def measured_for(backend: Backend, *, hz: int | None = None) -> dict[int, frozenset[str]]:
    """Return the measured fields for each ``who`` that a system has, the composed one among them.

    Ticks of a statistics clock whose rate is not known (``hz`` is 0) measure nothing.
    """
    unknown = _unknown(hz)
    measured = {WHO[name]: fields - unknown for name, fields in backend.measured.items()}
    if "RUSAGE_CHILDREN" in backend.measured:
        measured[RUSAGE_BOTH] = measured[RUSAGE_SELF] & measured[RUSAGE_CHILDREN]
    return measured


def measured_of_a_child(backend: Backend, *, hz: int | None = None) -> frozenset[str]:
    """Return the fields that a system tells of one child that has ended."""
    waited = backend.measured["RUSAGE_CHILDREN"] if backend.waited is None else backend.waited
    return waited - _unknown(hz)


def _unknown(hz: int | None) -> frozenset[str]:
    return INTEGRALS if _rate(hz) == 0 else NONE


def _rate(hz: int | None) -> int:
    return lib.rusage_statclock_hz() if hz is None else hz


def new_call(backend: Backend, who: int, measured: Collection[str], *, hz: int | None = None) -> Call:
    """Return room for an answer about ``who``, and beside it what the C must know of the backend to fill it."""
    call = ffi.new("rusage_call *")
    call.who = who
    call.measured = sum(1 << bit for bit, name in enumerate(FIELDS) if name in measured)
    call.maxrss_bytes = backend.maxrss_bytes
    call.integral_bytes = backend.integral_bytes
    call.integral_hz = _rate(hz)
    return call


def buffer_of(call: Call) -> memoryview:
    """Return the bytes that a call has its answer in."""
    return ffi.buffer(ffi.addressof(call, "record"))


def usage_in(record: memoryview) -> RUsage:
    """Return the answer in the bytes of a call."""
    return _new(RUsage, _unpack(record))


def usage_of(call: Call) -> RUsage:
    """Return the answer that a call holds."""
    return usage_in(buffer_of(call))


def error_of(code: int) -> Exception:
    """Return what CPython's ``resource`` raises for an errno; on Windows, what ``GetLastError``'s code means."""
    if sys.platform == "win32":
        return OSError(0, ffi.getwinerror(code)[1], None, code)
    if code == errno.EINVAL:
        return ValueError("invalid who parameter")
    return OSError(code, os.strerror(code))


# Looking a function up in lib takes a tenth of a call's time.
_get, _maxrss, _cputime = lib.rusage_get, lib.rusage_maxrss, lib.rusage_cputime
# RUsage's own __new__ takes sixteen arguments, one by one.
_new: Callable[[type[RUsage], tuple[Any, ...]], RUsage] = tuple.__new__
# A rusage_record: the times, which are the first fields, are doubles, and each other field is an int64_t. With counts,
# as one letter for each field takes longer to unpack.
_unpack = struct.Struct(f"{len(TIMES)}d{len(FIELDS) - len(TIMES)}q").unpack

_measured = measured_for(BACKEND)
WAITED = measured_of_a_child(BACKEND)
WAITED_BUT_PEAK = WAITED - {"ru_maxrss"}  # of a child whose peak may be this process's
_calls = {who: new_call(BACKEND, who, fields) for who, fields in _measured.items()}

# Room for answers, per who: taken and given back by list.pop and list.append, each of them atomic, so that threads,
# signal handlers and free-threaded builds never share one. A pool grows to the largest number of calls at once.
_pools: dict[int, list[tuple[Call, memoryview]]] = {who: [] for who in _measured}
_self_pool = _pools[RUSAGE_SELF]
_self_call = _calls[RUSAGE_SELF]


def _find(table: Mapping[int, T], who: int) -> T:
    """Look up what belongs to ``who``, or raise what CPython raises."""
    if type(who) is not int:  # a float that equals a key must not find it
        who = index(who)
    try:
        return table[who]
    except KeyError:
        if not INT_MIN <= who <= INT_MAX:
            raise OverflowError("Python int too large to convert to C int") from None
        raise ValueError("invalid who parameter") from None


def getrusage(who: int, /) -> RUsage:
    """Return what ``who`` has used so far, in the same units on every system (man page: getrusage, section 2).

    Raises ``ValueError`` for a ``who`` that this system does not have, ``TypeError`` and ``OverflowError`` where
    CPython's ``resource.getrusage`` does, and ``OSError`` if the system call fails for another reason.
    """
    # "is" is the quick test for the usual case; an equal int that is another object takes the long way to the same.
    pool = _self_pool if who is RUSAGE_SELF else _find(_pools, who)
    try:
        slot = pool.pop()
    except IndexError:
        who = index(who)
        call = new_call(BACKEND, who, _measured[who])
        slot = call, buffer_of(call)
    call, record = slot
    error = _get(call)
    if error:
        pool.append(slot)
        raise error_of(error)
    values = _unpack(record)
    pool.append(slot)
    return _new(RUsage, values)


def maxrss(who: int = RUSAGE_SELF, /) -> int:
    """Return ``getrusage(who).ru_maxrss``, the peak resident set size in bytes, by the shortest way.

    0 where ``measured(who)`` does not name it. Raises what ``getrusage`` raises.
    """
    value = _maxrss(_self_call if who is RUSAGE_SELF else _find(_calls, who))
    if value < 0:
        raise error_of(-value)
    return value


def cputime(who: int = RUSAGE_SELF, /) -> float:
    """Return user and system CPU time together, in seconds, by the shortest way. Raises what ``getrusage`` raises."""
    value = _cputime(_self_call if who is RUSAGE_SELF else _find(_calls, who))
    if value < 0:
        raise error_of(-int(value))
    return value


def measured(who: int = RUSAGE_SELF, /) -> frozenset[str]:
    """Return the names of the fields that this system really fills for ``who``; the others are 0.

    Raises what ``getrusage`` raises.
    """
    return _find(_measured, who)


# types.MappingProxyType, without the import of all that is in types.
fields: Mapping[str, Field] = type(vars(type))(BACKEND.fields())


def getpagesize() -> int:
    """Return the size of a memory page in bytes: sysconf(3), ``GetSystemInfo`` on Windows."""
    return lib.rusage_pagesize()
