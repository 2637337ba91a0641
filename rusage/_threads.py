"""Blocks signals, also in a new thread."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator  # noqa: TC003 (for typing.get_type_hints)

_BLOCKED = signal.valid_signals() - {
    getattr(signal, name, None) for name in ("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL")
}


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Block all signals in this thread, except for errors such as SIGSEGV; not on Windows."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:  # the call may also run a handler that raises
        signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_without_signals(function: Callable[..., object], *arguments: object) -> None:
    """Call a function in a daemon thread in which all signals are blocked.

    Otherwise the kernel could deliver a signal to this thread, and a sigwait() in the main thread
    would miss it. Not threading.Thread: its start() holds locks, and a signal handler that starts a
    thread meanwhile would wait for them forever.
    """
    with signals_blocked():
        _thread.start_new_thread(function, arguments)
