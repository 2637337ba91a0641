"""Run a program without the launcher: on other systems than Linux, and where the launcher cannot be used."""

from __future__ import annotations

import errno
import os
import sys
import time

from .._backends import BACKEND
from .._children.popen import Popen
from . import FORWARDED, known_fields

TYPE_CHECKING = False

if TYPE_CHECKING:
    import signal as _signal

    from . import Ended, Signals
else:
    import _signal  # the C module, as in the package

if sys.platform != "win32":
    from . import forward


def by_subprocess(command: list[str], signals: Signals) -> Ended:
    """Run a program and return how it ended."""
    early: list[int] = []
    # Install handlers: the program would inherit ignored and blocked signals.
    for number in signals.keyboard:
        _signal.signal(number, signals.note)
    for number in signals.forwarded:
        _signal.signal(number, lambda received, _: early.append(received))
    if sys.platform != "win32":
        # The BSDs discard a blocked signal whose default action is to ignore it.
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
        signals.restore()
    began = time.perf_counter()
    try:
        process = Popen(command, close_fds=False)
    except OSError as error:
        from shutil import which  # noqa: PLC0415 (rarely needed)

        path = which(command[0])
        if error.errno != errno.ENOEXEC or path is None or sys.platform == "win32":
            raise
        began = time.perf_counter()
        process = Popen(["/bin/sh", path, *command[1:]], close_fds=False)  # a script without a shebang: execvp(3)
    if sys.platform != "win32" and FORWARDED:
        signals.block()
        code = forward(process.pid, signals, process.poll, early)
    else:
        code = process.wait()
    elapsed = time.perf_counter() - began
    assert process.rusage is not None  # noqa: S101 (for the type checker: the child has been waited for)
    if type(process) is Popen and code == 0 and not process.measured and "wait4" not in BACKEND.absent:
        raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))  # subprocess reports 0 then
    return code, known_fields(process.rusage, process.measured), elapsed
