"""Where the output of the runs of a series goes."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from typing import TYPE_CHECKING

from .report import readable

if TYPE_CHECKING:
    from typing import IO

LAST_LINES = 10
LAST_BYTES = 4096


class HiddenStreams:
    """Hides what the runs would write to a terminal, on which it would mix with the report.

    Standard output goes into a pipe. It does not go to the null device: grep(1) and tar(1), for example, recognise that
    and do less. Standard error goes to a file, for the case that a run fails.
    """

    def __init__(self, *, hide: bool) -> None:
        self._output = _pipe() if hide and os.isatty(1) else None
        self._errors = _file() if hide and os.isatty(2) else None

    @property
    def descriptors(self) -> tuple[int | None, int | None]:
        """The file descriptors of standard output and standard error for a run; None for a stream that is inherited."""
        return self._output, None if self._errors is None else self._errors.fileno()

    def clear(self) -> None:
        """Forget what earlier runs have written to standard error."""
        if self._errors is not None:
            self._errors.truncate(0)

    def after_failure(self) -> list[str]:
        """Return messages about what a run has written to hidden streams: the last lines of its standard error."""
        messages = []
        if self._output is not None:
            messages.append("its standard output was hidden; --show-output shows it")
        if self._errors is not None:
            end = self._errors.seek(0, os.SEEK_END)
            self._errors.seek(max(0, end - LAST_BYTES))
            lines = os.fsdecode(self._errors.read()).splitlines()
            if lines:
                shown = [readable(line) for line in lines[-LAST_LINES:]]
                messages.append("\n  ".join(["its standard error ends with:", *shown]))
        return messages


def _pipe() -> int:
    """Return the writing end of a pipe, from whose other end a thread reads."""
    ours, theirs = os.pipe()

    def discard() -> None:
        while os.read(ours, 2**16):
            pass

    thread = threading.Thread(target=discard, daemon=True)
    if sys.platform == "win32" or not hasattr(signal, "pthread_sigmask"):
        thread.start()
        return theirs
    # A signal that this thread received would not wake the main thread.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        thread.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return theirs


def _file() -> IO[bytes] | None:
    """Return a file without a name to which all write at its end; None if there is no directory for it."""
    try:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (is used until the end)
    except OSError:
        return None
    if sys.platform != "win32":
        import fcntl  # noqa: PLC0415 (not on Windows)

        fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file
