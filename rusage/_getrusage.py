"""``getrusage``, ``wait4`` and so on: call the kernel through C, with the backend's units."""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Sequence
from operator import index

from ._backends import BACKEND
from ._backends._base import INTEGRALS, NONE, RUSAGE_BOTH, RUSAGE_CHILDREN, RUSAGE_SELF, TIMES, WHO
from ._fields import FIELDS, RUsage

try:
    from ._rusage import ffi, lib
except ModuleNotFoundError as error:
    if error.name != f"{__package__}._rusage":
        raise
    where = os.path.dirname(__file__)
    raise ImportError(
        f"the extension module {error.name} cannot be imported from a zip file, such as {where!r}: "
        "unpack it, or install rusage"
        if type(__loader__).__name__ == "zipimporter"
        else f"the extension module {error.name} is not built for this interpreter "
        f"in {where!r}: run 'python -m pip install -e .' in the source tree, "
        "or import an installed rusage from another directory",
        name=error.name,
    ) from None

if sys.implementation.name == "cpython":
    # The extension has imported this module, but PyInstaller and similar tools see only imports in
    # Python code.
    import _cffi_backend  # noqa: F401 (for these tools)

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from types import MappingProxyType
    from typing import Any, TypeVar

    from ._backends._base import Backend
    from ._fields import Field
    from ._rusage import Buffer, Call, Pointer

    T = TypeVar("T")
else:
    # Importing types takes longer than importing most modules here.
    MappingProxyType = type(vars(type))

INT_MIN, INT_MAX = -(2**31), 2**31 - 1  # a C int, on every supported system

# The rate of the statistics clock, which the integrals count; 0 if it is unknown or not needed.
HZ: int = lib.rusage_statclock_hz() if hasattr(lib, "rusage_statclock_hz") else 0


def c_int(value: int) -> int:
    """Return an argument that has to fit in a C int, or raise the exception that CPython raises."""
    value = index(value)
    if not INT_MIN <= value <= INT_MAX:
        raise OverflowError("Python int too large to convert to C int") from None
    return value


def measured_for(backend: Backend, *, hz: int = HZ) -> dict[int, frozenset[str]]:
    """Return the measured fields for each ``who`` of a system, including RUSAGE_BOTH."""
    unknown = NONE if hz else INTEGRALS
    measured = {WHO[name]: fields - unknown for name, fields in backend.measured.items()}
    if "RUSAGE_CHILDREN" in backend.measured:
        measured[RUSAGE_BOTH] = measured[RUSAGE_SELF] & measured[RUSAGE_CHILDREN]
    return measured


def measured_of_a_child(backend: Backend, *, hz: int = HZ) -> frozenset[str]:
    """Return the fields that a system reports of one child that has ended."""
    return backend.waited if hz else backend.waited - INTEGRALS


def new_call(backend: Backend, who: int, measured: Collection[str], *, hz: int = HZ) -> Call:
    """Allocate a call structure for ``who``, initialised with the backend's units."""
    call = ffi.new("rusage_call *")
    call.who = who
    call.measured = sum(1 << bit for bit, name in enumerate(FIELDS) if name in measured)
    call.maxrss_bytes = backend.maxrss_bytes
    call.integral_bytes = backend.integral_bytes
    call.integral_hz = hz
    return call


def buffer_of(call: Call) -> Buffer:
    """Return the bytes of a call's result."""
    return ffi.buffer(ffi.addressof(call, "record"))


def usage_in(buffer: Buffer) -> RUsage:
    """Return the result in the bytes of a call."""
    return _new(RUsage, _unpack(buffer))


def usage_of(call: Call) -> RUsage:
    """Return the result of a call."""
    return usage_in(buffer_of(call))


def error_of(code: int) -> Exception:
    """Return the exception that CPython's ``resource`` raises for an errno.

    On Windows, the code is ``GetLastError``'s.
    """
    if sys.platform == "win32":
        return OSError(0, ffi.getwinerror(code)[1], None, code)
    if code == errno.EINVAL:
        return ValueError("invalid who parameter")
    return OSError(code, os.strerror(code))


# Looking up a function in lib takes a tenth of the time of a call.
_get, _maxrss, _cputime = lib.rusage_get, lib.rusage_maxrss, lib.rusage_cputime
# RUsage.__new__ takes sixteen arguments, which is slower.
_new: Callable[[type[RUsage], tuple[Any, ...]], RUsage] = tuple.__new__
# A rusage_record: the times, which are the first fields, are doubles, and each other field is an
# int64_t. The format has counts, since a letter for each field would take longer to unpack.
_unpack = struct.Struct(f"{len(TIMES)}d{len(FIELDS) - len(TIMES)}q").unpack

_measured = measured_for(BACKEND)
WAITED = measured_of_a_child(BACKEND)
_calls = {who: new_call(BACKEND, who, fields) for who, fields in _measured.items()}

# A free list of buffers. list.pop() and list.append() are atomic, so that threads and signal
# handlers never share a buffer. A list grows to the largest number of simultaneous calls.
if TYPE_CHECKING or getattr(sys, "_is_gil_enabled", lambda: True)():
    FreeList = list
else:
    from _thread import _local

    class FreeList(_local):
        """A list for each thread: without a GIL, threads would wait for a shared one's lock."""

        # For a signal handler that runs during __init__: the list is empty, and a returned buffer
        # is dropped.
        pop: Callable[[], Any] = [].pop
        append: Callable[[Any], object] = id

        def __init__(self) -> None:
            """Create the list of this thread; called once for each thread that uses the object."""
            buffers: list[Any] = []
            self.pop, self.append = buffers.pop, buffers.append


_pools: dict[int, list[tuple[Call, Buffer]]] = {who: FreeList() for who in _measured}
_self_pool = _pools[RUSAGE_SELF]
_self_call = _calls[RUSAGE_SELF]


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
    """Return the resource usage of ``who`` so far, in the same units on every system.

    See the man page getrusage(2). Times are in seconds, ``ru_maxrss`` in bytes, the
    integrals in byte-seconds, the rest are counts; ``fields`` has the details. Fields that
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
    values = _unpack(buffer)
    pool.append(slot)
    return _new(RUsage, values)


def maxrss(who: int = RUSAGE_SELF, /) -> int:
    """Return ``getrusage(who).ru_maxrss``, the maximum resident set size in bytes.

    It does not build an ``RUsage``. The result is 0 if ``measured(who)`` does not name
    ``ru_maxrss``. Raises the same exceptions as ``getrusage``.
    """
    value: int = _maxrss(_self_call if who is RUSAGE_SELF else _find(_calls, who))
    if value < 0:
        raise error_of(-value)
    return value


def cputime(who: int = RUSAGE_SELF, /) -> float:
    """Return user plus system CPU time in seconds, without building an ``RUsage``.

    Raises the same exceptions as ``getrusage``.
    """
    value: float = _cputime(_self_call if who is RUSAGE_SELF else _find(_calls, who))
    if value < 0:
        raise error_of(-int(value))
    return value


def measured(who: int = RUSAGE_SELF, /) -> frozenset[str]:
    """Return the names of the fields that this system measures for ``who``; the others are 0.

    Raises the same exceptions as ``getrusage`` for a bad ``who``.
    """
    return _find(_measured, who)


fields: Mapping[str, Field] = MappingProxyType(BACKEND.fields())


def getpagesize() -> int:
    """Return the size of a memory page in bytes: sysconf(3), ``GetSystemInfo`` on Windows."""
    if sys.platform == "win32":
        import mmap  # noqa: PLC0415 (other systems do not need it)

        return mmap.PAGESIZE
    return os.sysconf("SC_PAGESIZE")


# --- Children ---

_wait_pool: list[tuple[Call, Buffer, Pointer[int]]] = FreeList()


def wait4(pid: int, options: int) -> tuple[int, int, RUsage]:
    """Do the same as ``os.wait4``, with an ``RUsage``.

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
        call = new_call(BACKEND, 0, WAITED)
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
            raise OSError(-child, os.strerror(-child))


def wait3(options: int) -> tuple[int, int, RUsage]:
    """Wait for any child as ``os.wait3`` does; result and exceptions are as for ``wait4``."""
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
