"""The command under unusual conditions: ``python command_checks.py CHECK [ARGUMENT...]``.

Functions are replaced where a check needs a moment that nothing else reaches, such as a signal
between two system calls, or a system that is not this one.
"""

import errno
import os
import signal
import sys
from pathlib import Path
from typing import Any

import rusage
import rusage._getrusage
from rusage._children import popen
from rusage._cli import run
from rusage._cli.main import main

wait4: Any = rusage._getrusage  # noqa: SLF001 (is replaced)


def launcher(path: str | None = None) -> None:
    """Use the launcher at another path, which no option names."""
    from rusage._launcher import start  # exists on Linux only

    start.PATH = path or sys.argv.pop(1)


def overwritten() -> None:
    """Have the environment at exec overwritten, as by a title.

    The variables keep their values, in other memory.
    """
    content = bytes.fromhex(sys.argv.pop(1))
    for name in os.environb:
        os.environb[name] = os.environb[name]  # copies it
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    start, end = map(int, fields[47:49])  # proc_pid_stat(5)
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(content.ljust(end - start, b"\0"))
    assert Path("/proc/self/environ").read_bytes().startswith(content)


def lost_status() -> None:
    """Find that the program was waited for elsewhere."""

    def reap(_pid: int, _options: int) -> Any:
        raise ChildProcessError(errno.ECHILD, "")

    wait4.wait4 = reap


def early_signal() -> None:
    """Get a signal when the program is being started."""
    replaced: Any = popen.Popen
    start = replaced.__init__

    def interrupted(*arguments: Any, **keywords: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)  # a terminal sends it to the program itself
        os.kill(os.getpid(), signal.SIGTERM)
        return start(*arguments, **keywords)

    replaced.__init__ = interrupted


def late_signal() -> None:
    """Get a signal when the program has been waited for."""
    reap, kill = wait4.wait4, os.kill

    def reap_and_signal(pid: int, options: int) -> Any:
        result = reap(pid, options)
        if result[0]:
            kill(os.getpid(), signal.SIGTERM)
        return result

    def show(*arguments: object) -> None:
        print("kill", *arguments)

    wait4.wait4 = reap_and_signal
    os.kill = show


def interrupted_wait() -> None:
    """Have two waits for signals interrupted, one as NetBSD's sigtimedwait(2) is."""
    wait, errors = signal.sigwait, [errno.ECANCELED, errno.EINTR]

    def interrupted(numbers: Any) -> Any:
        if errors:
            raise OSError(errors.pop(), "")
        return wait(numbers)

    replaced: Any = signal
    replaced.sigwait = interrupted


def no_peak() -> None:
    """Measure no peak, and know nothing of it."""
    if sys.platform != "win32":
        from rusage._children import posix

        module: Any = posix
        module.peak_bound = lambda *_: None
    replaced: Any = run
    fields = replaced.measured_fields
    replaced.measured_fields = lambda usage, measured: fields(usage, measured - {"ru_maxrss"})


def sampled() -> None:
    """Follow the rule of a system that samples the peak; a child's inherited peak is unknown."""
    from rusage._backends import BACKEND
    from rusage._backends._base import PEAK_SAMPLED
    from rusage._children import posix

    BACKEND.child_peak = PEAK_SAMPLED
    module: Any = posix
    module.read_inherited = lambda _: None
    if sys.platform == "linux":
        launcher("/no/such/launcher")


globals()[sys.argv.pop(1)]()
sys.exit(main())
