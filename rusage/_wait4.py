"""``wait3`` and ``wait4``: wait for a child and return its resource usage."""

from __future__ import annotations

import errno
import os

from ._backends import BACKEND
from ._fields import RUsage  # noqa: TC001 (for typing.get_type_hints)
from ._getrusage import WAITED, FreeList, buffer_of, c_int, new_call, usage_in
from ._rusage import ffi, lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._rusage import Call, Int


def wait4(pid: int, options: int) -> tuple[int, int, RUsage]:
    """Wait for a child as ``os.wait4`` does; return its process ID, its exit status indication and its usage.

    The usage includes the child's own children that it has waited for: counters and times are added, and ``ru_maxrss``
    is the largest peak. If ``options`` contains ``WNOHANG`` and no child is ready, all values are 0. Raises the same
    exceptions as ``os.wait4``: ``ChildProcessError`` if there is no child.

    This peak is the kernel's value, which may be inherited from the process that forked the child. On Linux and
    NetBSD it is never below that process's peak, on FreeBSD it may be that peak, and on OpenBSD and DragonFly BSD it
    includes the memory that the child touched before it executed its program. On FreeBSD and OpenBSD the integrals may
    include that process's. Grandchildren inherit from the child in the same way. ``run`` and ``Popen`` report only
    values that are the child's own.
    """
    return reap_child(c_int(pid), c_int(options))


_pool: list[tuple[Call, memoryview, Int]] = FreeList()


def reap_child(pid: int, options: int) -> tuple[int, int, RUsage]:
    """Do the same as ``wait4``, for arguments that fit in a C int."""
    try:
        slot = _pool.pop()
    except IndexError:
        call = new_call(BACKEND, 0, WAITED)
        slot = call, buffer_of(call), ffi.new("int *")
    call, record, status = slot
    while True:
        child = lib.rusage_wait4(pid, status, options, call)
        if child >= 0:
            result = child, status[0], usage_in(record)
            _pool.append(slot)
            return result
        # Python runs signal handlers here, between two bytecode instructions; unless a handler raises, retry (PEP 475).
        if child != -errno.EINTR:
            _pool.append(slot)
            raise OSError(-child, os.strerror(-child))


def wait3(options: int) -> tuple[int, int, RUsage]:
    """Wait for any child as ``os.wait3`` does; the result and the exceptions are the same as for ``wait4``."""
    return wait4(-1, options)
