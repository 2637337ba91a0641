"""``pss``: the proportional set size of this process."""

from __future__ import annotations

import os

from ._backends import BACKEND
from ._rusage import lib


def pss() -> int:
    """Return the proportional set size of this process now, in bytes; only on Linux.

    A page that n processes share counts as an nth of its size. Reading it takes longer than ``rss()``: the kernel
    visits each page of the process. Raises ``OSError`` if it cannot be read: without ``/proc``, and in a kernel without
    ``/proc/PID/smaps_rollup``.
    """
    size = lib.rusage_pss()
    if size < 0:
        raise OSError(-size, f"{os.strerror(-size)} ({BACKEND.pss})")
    return size


pss.__module__ = "rusage"
