"""Readings of this process for the modules for monitoring: None in the place of an error.

A value cannot be read without ``/proc``, after chroot(2), or if too many files are open. No metric is exported then.
"""

from __future__ import annotations

from ._backends import BACKEND
from ._getrusage import maxrss
from ._memory import peak, rss


def read_rss() -> int | None:
    """Return ``rss()``; None if it cannot be read."""
    try:
        return rss()
    except OSError:
        return None


def read_peak() -> int | None:
    """Return ``peak()``, or ``maxrss()`` on systems without it; None if it cannot be read, or is not sampled yet."""
    try:
        return (maxrss() if "peak" in BACKEND.absent else peak()) or None
    except OSError:
        return None


def read_uptime() -> float | None:
    """Return the seconds since the process was started; None if they cannot be read."""
    try:
        return BACKEND.uptime() if BACKEND.uptime else None
    except OSError:
        return None
