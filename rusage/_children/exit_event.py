"""Wait for the exit of a child, with a timeout: by pidfd_open(2) on Linux, by kqueue(2) on macOS and the BSDs.

Before Python 3.15, subprocess polls the child at intervals of up to 50 ms instead.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import sys
from collections.abc import Callable, Iterator
from typing import Any

HasExited = Callable[[float], Any]

# Type checkers define only the names of one system.
_os: Any = os
_select: Any = select


@contextlib.contextmanager
def by_pidfd(pid: int) -> Iterator[HasExited]:
    """Yield a function that waits for some seconds, and returns whether the child has exited.

    Raises ``OSError`` if that is not possible: on an old kernel, in a sandbox, if too many files are open.
    """
    fd = _os.pidfd_open(pid)
    try:
        poll = _select.poll()
        poll.register(fd, _select.POLLIN)
        yield lambda seconds: poll.poll(math.ceil(seconds * 1000))  # milliseconds
    finally:
        os.close(fd)


@contextlib.contextmanager
def by_kqueue(pid: int) -> Iterator[HasExited]:
    """Do the same by kqueue. Some systems also raise ``OSError`` (ESRCH) if the child has already exited."""
    with contextlib.closing(_select.kqueue()) as queue:
        # If asked for events, control() would return an error as an event instead of raising it.
        queue.control([_select.kevent(pid, _select.KQ_FILTER_PROC, _select.KQ_EV_ADD, _select.KQ_NOTE_EXIT)], 0)
        yield lambda seconds: queue.control(None, 1, seconds)


exit_event = by_pidfd if hasattr(os, "pidfd_open") else by_kqueue
# PyPy lacks some of these names, and gevent removes kqueue.
WAIT_BY_EVENT = sys.version_info < (3, 15) and (
    (hasattr(os, "pidfd_open") and hasattr(select, "poll"))
    or (hasattr(select, "kqueue") and hasattr(select, "KQ_NOTE_EXIT"))
)
