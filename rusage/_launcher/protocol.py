"""The protocol between this process and the launcher (Linux only): the command line, and the memory that comes back.

The first argument contains decimal numbers, the first of which is the version of this protocol. The launcher checks
each number, and starts nothing if one is invalid, for example because the package has been upgraded since this process
imported it. The launcher and its child write to a memfd. What they have written is final when the pipe has no write end
any more: then the child has executed its program, or has ended.
"""

from __future__ import annotations

import os
import struct
from operator import index
from typing import TYPE_CHECKING

from .._rusage import lib

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

VERSION = lib.LAUNCHER_VERSION
_MEMORY = struct.Struct("=iii")  # child, launcher, failed


def read_memory(fd: int) -> tuple[int, int, int]:
    """Return the ``launcher_memory`` of protocol.cdef; zeros if no launcher has written to it."""
    memory: tuple[int, int, int] = _MEMORY.unpack(os.pread(fd, _MEMORY.size, 0).ljust(_MEMORY.size, b"\0"))
    return memory


def _halves(limits: Iterable[int]) -> list[int]:
    """Return the higher and the lower 32 bits of limits, which may be negative: -1 is RLIM_INFINITY."""
    return [half for limit in limits for half in divmod(limit % 2**64, 2**32)]


def command_line(  # noqa: PLR0913 (what the child is started with)
    arguments: list[Any],
    path: bytes,
    memory: int,
    done: int,
    *,
    session: int = False,
    process_group: int = -1,
    limits: Sequence[tuple[int, int, int]] = (),
    keep: Iterable[int] | None = None,
) -> list[Any]:
    """Return the launcher's command line for the program at ``path`` with these arguments.

    ``memory``, ``done``: the descriptors of the memory and of the pipe. ``limits``: resources with their soft and hard
    limits. ``keep``: the descriptors above 2 that the child inherits; None: all inheritable ones. A negative process
    group means "unchanged", as in subprocess. Raises an exception for what the launcher would not understand.
    """
    flags, process_group, fds = 0, index(process_group), []
    if index(session):
        flags |= lib.LAUNCHER_SET_SESSION
    if process_group >= 0:
        flags |= lib.LAUNCHER_SET_PROCESS_GROUP
    if keep is not None:
        flags |= lib.LAUNCHER_CLOSE_OTHERS
        fds = sorted({done, *map(int, keep)})
    greatest = lib.LAUNCHER_MAX_INT
    out_of_range = not -greatest - 1 <= process_group <= greatest or not all(0 <= fd <= greatest for fd in fds)
    if out_of_range or len(limits) > lib.LAUNCHER_MAX_LIMITS:
        raise OverflowError
    limit_numbers = [number for resource, *pair in limits for number in (resource, *_halves(pair))]
    numbers = [VERSION, flags, memory, done, max(process_group, 0), len(limits), *limit_numbers, len(fds), *fds]
    return ["rusage", " ".join(map(str, numbers)), path, *arguments]
