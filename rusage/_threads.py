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

    Signals for errors such as SIGSEGV are not blocked. A signal that the thread received would wake
    no other thread's sigwait(). Not a threading.Thread: its start waits for the thread with locks
    that a signal handler which starts one too could meet.
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
