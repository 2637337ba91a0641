"""Run a program, by the launcher on Linux or else by ``Popen``, and handle the signals that arrive meanwhile."""

from __future__ import annotations

import errno
import os
import sys
import time

from .._rusage import lib
from ._reporting import CANCELED, complain

TYPE_CHECKING = False

if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import TypeVar

    from .._fields import RUsage
    from ._reporting import Ended

    Command = list[str] | str
    """The words of a command; on Windows also a command line."""
    T = TypeVar("T")
else:
    import _signal  # the C module: importing signal itself is slow

if sys.platform == "linux":
    from .. import _wait4
    from .._children import launcher
    from .._children.inherited import child_fields

# Exit statuses, as in env(1), nohup(1) and GNU time.
CANNOT_EXECUTE = 126
NOT_FOUND = 127
KILLED = 128  # plus the signal

# The terminal sends these signals to the program too, so rusage only has to survive them.
KEYBOARD: tuple[int, ...] = (_signal.SIGINT,)
# A supervisor sends these signals to rusage alone, so rusage forwards them to the program.
FORWARDED: tuple[int, ...] = ()
if sys.platform != "win32":
    KEYBOARD = _signal.SIGINT, _signal.SIGQUIT
    if hasattr(_signal, "pthread_sigmask") and hasattr(_signal, "sigwait"):
        FORWARDED = _signal.SIGALRM, _signal.SIGHUP, _signal.SIGTERM, _signal.SIGUSR1, _signal.SIGUSR2

# si_code of a signal that the kernel has sent; the signal module has no name for it.
SI_KERNEL = {"linux": 0x80, "freebsd": 0x10006}.get(sys.platform.rstrip("0123456789"))


class Signals:
    """The signals of this process while programs run, for one run or a series of them."""

    def __init__(self, *, note_keyboard: bool = False) -> None:
        """Record the signals that the caller ignores. *note_keyboard*: ``received`` gets the terminal's signals too."""
        self.keyboard = [number for number in KEYBOARD if not _is_ignored(number)]
        self.forwarded = [number for number in FORWARDED if not _is_ignored(number)]
        self.note_keyboard = note_keyboard
        self.received: list[int] = []
        self.mask: set[int] | None = None
        """The caller's signal mask, once this process has blocked signals."""

    def note(self, number: int, _: object) -> None:
        """Handle a signal."""
        self.received.append(number)

    if sys.platform != "win32":

        def block(self) -> set[int]:
            """Block SIGCHLD and the signals that are forwarded; return the caller's signal mask."""
            mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, [*self.forwarded, _signal.SIGCHLD])
            if self.mask is None:
                self.mask = mask
            return self.mask

        def restore(self) -> None:
            """Return to the caller's signal mask."""
            if self.mask is not None:
                _signal.pthread_sigmask(_signal.SIG_SETMASK, self.mask)


def run(command: Command, signals: Signals) -> Ended:
    """Run a program and return how it ended. Raises ``OSError`` if it cannot be started.

    The program inherits all file descriptors, and the signals that the caller ignores or blocks. SIGPIPE and SIGXFSZ
    get their defaults: Python ignores both at its start, so the caller's disposition is unknown.
    """
    if not command[0]:  # a search in PATH would find the directories themselves
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    _restore_environment()
    ended = _by_launcher(command, signals)
    return _by_subprocess(command, signals) if ended is None else ended


def _restore_environment() -> None:
    """Undo Python's locale coercion (PEP 538), which sets LC_CTYPE in the environment.

    /proc/self/environ is the environment at exec. It is not trusted if it lacks another variable that is set: it may
    be overwritten, as some programs do to set their title.
    """
    if sys.platform == "win32":
        return
    name, environment = b"LC_CTYPE", os.environb
    if environment.get(b"LC_ALL") or environment.get(name) not in {b"C.UTF-8", b"C.utf8", b"UTF-8"}:
        return  # not coerced
    try:
        with open("/proc/self/environ", "rb", buffering=0) as file:
            entries = [entry for entry in file.read().split(b"\0") if b"=" in entry]
    except OSError:
        return
    original = {key: value for key, _, value in (entry.partition(b"=") for entry in reversed(entries))}
    if environment.keys() - original.keys() <= {name}:
        if name in original:
            environment[name] = original[name]
        else:
            del environment[name]


if sys.platform == "linux":

    def _is_ignored(number: int) -> bool:
        return lib.rusage_is_ignored(number) != 0

else:

    def _is_ignored(number: int) -> bool:
        return _signal.getsignal(number) == _signal.SIG_IGN


if sys.platform != "win32":

    def forward(pid: int, signals: Signals, poll: Callable[[], T | None], early: list[int]) -> T:
        """Forward signals to a child until it has ended, and return what *poll* then returns.

        The caller has blocked the signals and SIGCHLD. Only *poll* waits for the child, so no signal can reach another
        process that reuses its PID. *early*: signals received before the start.
        """
        take = getattr(_signal, "sigwaitinfo", None)  # not on macOS, OpenBSD and PyPy
        expected = [*signals.forwarded, _signal.SIGCHLD]
        while (ended := poll()) is None:
            code = None
            if early:
                number = early.pop(0)
            elif take is not None:
                info = take(expected)
                number, code = info.si_signo, info.si_code
            else:
                try:
                    number = _signal.sigwait(expected)
                except InterruptedError:
                    continue
            if number == _signal.SIGCHLD:
                continue
            signals.received.append(number)
            # The kernel sends a hangup to the whole foreground group, or only to the session leader.
            hangup = number == _signal.SIGHUP and code is not None and code == SI_KERNEL
            if not (hangup and os.getsid(0) != os.getpid()):
                try:  # noqa: SIM105 (importing contextlib is slow)
                    os.kill(pid, number)
                except PermissionError:  # the program runs as another user now
                    pass
        return ended


if sys.platform == "linux":

    def _by_launcher(command: Command, signals: Signals) -> Ended | None:
        """Run a program through the launcher and return how it ended, or None if that is not possible.

        Imports neither subprocess nor signal: importing them takes longer than many programs run.
        """
        if not hasattr(os, "posix_spawn"):  # PyPy
            return None
        for number in signals.keyboard:
            _signal.signal(number, signals.note if signals.note_keyboard else _signal.SIG_IGN)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # while it is ignored, there is no exit status
        mask = signals.block()
        started, began = launcher.spawn([*command], [_signal.SIGPIPE, _signal.SIGXFSZ, *signals.keyboard], mask)
        if not started.pid:
            signals.restore()
            return None
        if started.outcome == launcher.Outcome.KILLED:
            return os.waitstatus_to_exitcode(started.status), {}, time.perf_counter() - began, None

        def poll() -> tuple[int, RUsage] | None:
            pid, status, usage = _wait4.reap_child(started.pid, os.WNOHANG)
            return (status, usage) if pid else None

        status, usage = forward(started.pid, signals, poll, [])
        elapsed = time.perf_counter() - began
        known = child_fields(usage, isolated=started.outcome == launcher.Outcome.ISOLATED)
        return os.waitstatus_to_exitcode(status), known_fields(usage, known), elapsed, None

else:

    def _by_launcher(command: Command, signals: Signals) -> Ended | None:  # noqa: ARG001 (the signature of Linux's)
        """Return None: the launcher exists only on Linux."""
        return None


def _by_subprocess(command: Command, signals: Signals) -> Ended:
    """Run a program without the launcher and return how it ended."""
    import subprocess  # noqa: PLC0415 (slow, and rarely needed on Linux)

    from .._backends import BACKEND  # noqa: PLC0415 (only needed here)
    from .._children.popen import Popen  # noqa: PLC0415 (slow, and rarely needed on Linux)

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
    # posix_spawn takes a mapping, which cannot hold all environments; the other way passes on the environment as it is.
    subprocess._USE_POSIX_SPAWN = False  # type: ignore[misc]  # noqa: SLF001 (subprocess documents this)
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
    bound = getattr(process, "_peak_bound", None)  # not on Windows, nor if another library has replaced Popen
    return code, known_fields(process.rusage, process.measured), elapsed, bound


def known_fields(usage: RUsage, known: frozenset[str]) -> dict[str, float]:
    """Return the measured fields only."""
    return {name: value for name, value in usage._asdict().items() if name in known}


def attempt(
    command: Command, signals: Signals, name: str | None = None, tell: Callable[[str, str | None], None] = complain
) -> Ended | int:
    """Run a program; if it cannot be started, print an error message and return the exit status for that.

    *name*: the name of the program in the message; its first word by default. *tell* prints the message.
    """
    try:
        return run(command, signals)
    except ChildProcessError:
        tell(name or command[0], "the exit status is not available: it was waited for elsewhere")
        return CANCELED
    except OSError as error:
        tell(name or command[0], error.strerror)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE


def exit_status(code: int) -> int:
    """Return the exit status for an exit code as in subprocess; if it is SIGINT, kill this process with SIGINT."""
    if code == -_signal.SIGINT and sys.platform != "win32":
        _die_of(_signal.SIGINT)  # a shell ends a loop only if SIGINT killed the command
    return code if code >= 0 else KILLED - code


def die_of_broken_pipe() -> int:
    """Die of SIGPIPE, as programs do whose standard output is closed by its reader; return a status if that fails.

    Python ignores the signal from its start.
    """
    if sys.platform != "win32":
        _die_of(_signal.SIGPIPE)
    return CANCELED


if sys.platform != "win32":

    def _die_of(number: int) -> None:
        """Kill this process with a signal."""
        _signal.signal(number, _signal.SIG_DFL)
        if hasattr(_signal, "pthread_sigmask"):
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [number])
        os.kill(os.getpid(), number)
