"""Starts and signals: ``python start_signals.py CHECK``."""

import os
import signal
import time
from typing import Any

import checks
from checks import nothing_is_left, raises

import rusage
import rusage._launcher.start as launch


class Stop(Exception):  # noqa: N818 (not an error)
    """The exception of a signal handler."""


def stop(*_: object) -> None:
    """Raise, as a signal handler."""
    raise Stop


def ignored() -> None:
    """Ignore SIGCHLD: the kernel then keeps no status."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    done = rusage.run(["sh", "-c", "exit 5"])
    assert done.returncode == 0
    assert done.measured == frozenset()
    assert not any(done.rusage)
    process = rusage.Popen(["sh", "-c", "exit 5"])
    while process.poll() is None:
        pass
    assert process.measured == frozenset()
    assert process.rusage is not None
    assert not any(process.rusage)
    with raises(FileNotFoundError):
        rusage.run(["/no/such/program"])
    nothing_is_left()
    print("done")


def reaped_elsewhere() -> None:
    """Wait for every child in a SIGCHLD handler, launchers included."""

    def reap(*_: object) -> None:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    signal.signal(signal.SIGCHLD, reap)
    for _ in range(50):
        done = rusage.run(["sh", "-c", "exit 5"])
        assert done.returncode in (0, 5)
        assert done.measured or not any(done.rusage)
    nothing_is_left()


def interrupted() -> None:
    """Interrupt a start that cannot end, because a process that was forked meanwhile has the pipe's write end.

    The constructor opens the pipe. Nothing else comes between that and the launcher's start, when the fork must be.
    """
    signal.signal(signal.SIGALRM, stop)
    forked: list[int] = []
    real = launch.Launch.__init__

    def prepare(self: launch.Launch, *arguments: Any) -> None:
        real(self, *arguments)
        forked.append(os.fork())
        if not forked[0]:
            time.sleep(30)
            os._exit(0)
        signal.setitimer(signal.ITIMER_REAL, 0.5, 0.2)

    launch.Launch.__init__ = prepare  # type: ignore[assignment, method-assign]
    with raises(Stop):
        rusage.Popen(["sleep", "60"])
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert os.waitpid(-1, os.WNOHANG) == (0, 0)  # the forked process only: it still runs
    os.kill(forked[0], signal.SIGKILL)
    os.waitpid(forked[0], 0)
    nothing_is_left()


def handler_raises() -> None:
    """Raise in the handler that the launcher's exit calls."""
    signal.signal(signal.SIGCHLD, stop)
    for _ in range(20):
        with raises(Stop):
            rusage.Popen(["sleep", "60"])
        nothing_is_left()


checks.main(ignored, reaped_elsewhere, interrupted, handler_raises)
