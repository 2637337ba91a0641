"""The border to C: a call's structure with the backend's units, its result, and its errors."""

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
    where = os.path.dirname(__file__)
    raise ImportError(
        f"the extension module {error.name} cannot be imported from a zip file, such as {where!r}: "
        "unpack it, or install rusage"
        if type(globals().get("__loader__")).__name__ == "zipimporter"
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
    from collections.abc import Callable, Collection
    from typing import Any

    from ._backends._base import Backend
    from ._rusage import Buffer, Call

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


CHILD_FIELDS = measured_of_a_child(BACKEND)

# RUsage.__new__ takes sixteen arguments, which is slower.
new_usage: Callable[[type[RUsage], tuple[Any, ...]], RUsage] = tuple.__new__
# A rusage_record: the times, which are the first fields, are doubles, and each other field is an
# int64_t. The format has counts, since a letter for each field would take longer to unpack.
unpack = struct.Struct(f"{len(TIMES)}d{len(FIELDS) - len(TIMES)}q").unpack


def usage_in(buffer: Buffer) -> RUsage:
    """Return the result in the bytes of a call."""
    return new_usage(RUsage, unpack(buffer))


def usage_of(call: Call) -> RUsage:
    """Return the result of a call."""
    return usage_in(buffer_of(call))


# --- Forks and other root directories ---

if TYPE_CHECKING or not hasattr(os, "register_at_fork"):

    def forks() -> int:
        """Return the number of forks of this process and its ancestors since the import."""
        return 0

else:
    os.register_at_fork(after_in_child=lib.rusage_after_fork)
    forks = lib.rusage_forks

# Windows processes cannot change their root directory.
_root_changed = getattr(lib, "rusage_root_changed", lambda: False)


def check_root(module: str, statement: str) -> None:
    """Raise ``ImportError`` if a module would be read from another root directory.

    The owner of that directory could put another module there, which would run with the rights of
    this process. ``statement`` imports the module before.
    """
    if module not in sys.modules and _root_changed():
        raise ImportError(
            f"{module} is not imported in another root directory or mount namespace: "
            f"before the change, for example by chroot(), use {statement!r}"
        )


# --- Errors ---


def os_error(code: int, file: str | None = None, *, source: str = "") -> OSError:
    """Return the exception for an errno, of a file or with the source of a value in its message."""
    return OSError(code, f"{os.strerror(code)} ({source})" if source else os.strerror(code), file)


def error_of(code: int) -> Exception:
    """Return the exception that CPython's ``resource`` raises for an errno.

    On Windows, the code is ``GetLastError``'s.
    """
    if sys.platform == "win32":
        return OSError(0, ffi.getwinerror(code)[1], None, code)
    if code == errno.EINVAL:
        return ValueError("invalid who parameter")
    return os_error(code)


# --- Buffers that are used again ---

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
