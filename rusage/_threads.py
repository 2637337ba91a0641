"""Starts a thread that no signal interrupts."""

from __future__ import annotations

import _thread
import signal
import sys
from collections.abc import Callable  # noqa: TC003 (for typing.get_type_hints)

_BLOCKED = signal.valid_signals() - {
    getattr(signal, name, None) for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL")
}


def start_without_signals(function: Callable[..., object], *arguments: object) -> None:
    """Call a function in a daemon thread in which all signals are blocked.

    Signals for errors such as SIGSEGV are not blocked. Otherwise the kernel could deliver a signal
    to this thread, and a sigwait() in the main thread would miss it. Not threading.Thread: its
    start() holds locks, and a signal handler that starts a thread meanwhile would wait for them
    forever.
    """
    if sys.platform == "win32":
        _thread.start_new_thread(function, arguments)
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:  # the call may also run a handler that raises
        signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
        _thread.start_new_thread(function, arguments)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
