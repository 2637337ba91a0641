"""The protocol between this process and the launcher (Linux only): the command line, and the memory that comes back.

The first argument contains decimal numbers, the first of which is the version of this protocol. The launcher checks
each number, and starts nothing if one is invalid, for example because the package has been upgraded since this process
imported it. The launcher and its child write to a memfd. What they have written is final when the pipe has no write end
any more: then the child has executed its program, or has ended.
"""

from __future__ import annotations

import os
import struct
import sys
from operator import index
from typing import TYPE_CHECKING

from .._rusage import lib

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

assert sys.platform == "linux"  # noqa: S101 (for the type checkers)

VERSION = lib.LAUNCHER_VERSION
_MEMORY = struct.Struct("=iii")  # child, launcher, failed


def read_memory(fd: int) -> tuple[int, int, int]:
    """Return the ``launcher_memory`` of protocol.cdef; zeros if no launcher has written to it."""
    memory: tuple[int, int, int] = _MEMORY.unpack(os.pread(fd, _MEMORY.size, 0).ljust(_MEMORY.size, b"\0"))
    return memory


def command_line(  # noqa: PLR0913 (what the child is started with)
    arguments: list[Any],
    path: bytes,
    memory: int,
    done: int,
    *,
    session: int = False,
    process_group: int = -1,
    limits: Sequence[tuple[int, int, int]] = (),
    close_others: bool = False,
) -> list[Any]:
    """Return the launcher's command line for the program at ``path`` with these arguments.

    ``memory``, ``done``: the descriptors of the memory and of the pipe. ``limits``: resources with their soft and hard
    limits, which may be negative: -1 is RLIM_INFINITY. A negative process group means "unchanged", as in subprocess.
    ``close_others``: the child inherits only descriptors 0 to 2; otherwise all inheritable ones.
    Raises an exception for what the launcher would not understand.
    """
    process_group, greatest = index(process_group), lib.LAUNCHER_MAX_INT
    if not -greatest - 1 <= process_group <= greatest or len(limits) > lib.LAUNCHER_MAX_LIMITS:
        raise OverflowError
    flags = lib.LAUNCHER_SET_SESSION if index(session) else 0
    flags |= lib.LAUNCHER_SET_PROCESS_GROUP if process_group >= 0 else 0
    flags |= lib.LAUNCHER_CLOSE_OTHERS if close_others else 0
    limit_numbers = [number % 2**64 for limit in limits for number in limit]
    numbers = [VERSION, flags, memory, done, max(process_group, 0), len(limits), *limit_numbers]
    return ["rusage", " ".join(map(str, numbers)), path, *arguments]
