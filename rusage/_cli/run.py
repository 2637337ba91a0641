"""Run a program by ``Popen``, and handle the signals that arrive meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from functools import cache, partial

from .._backends import BACKEND
from .._children.popen import Popen
from .._rusage import lib
from .figures import measured_fields, run_record
from .output import CANCELED, complain

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .figures import Run
    from .options import Command, Options
    from .orphans import Orphans
    from .sampling import Sampling

    Streams = tuple[int | None, int | None]
    """File descriptors of a program's standard output and error; None for an inherited stream."""

_signal: Any = signal  # type checkers define only the names of one system

# Whether orphans become this process's children, and so stay in the tree. PyPy has no waitid, and
# NetBSD's with WNOHANG also returns a living child.
CAN_ADOPT = BACKEND.adopts_orphans and hasattr(os, "waitid")

# Exit statuses, as CANCELED is.
CANNOT_EXECUTE = 126
NOT_FOUND = 127
KILLED = 128  # plus the signal

# The terminal sends these signals to the program too, so rusage only has to survive them.
KEYBOARD: tuple[int, ...] = (signal.SIGINT,)
# A supervisor sends these signals to rusage alone, so rusage forwards them to the program.
FORWARDED: tuple[int, ...] = ()
if sys.platform != "win32":
    KEYBOARD = signal.SIGINT, signal.SIGQUIT
    FORWARDED = signal.SIGALRM, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2


class Signals:
    """The signals of this process while programs run, for one run or a series of them."""

    def __init__(self) -> None:
        self.keyboard = [number for number in KEYBOARD if not _is_ignored(number)]
        self.forwarded = [number for number in FORWARDED if not _is_ignored(number)]
        self.received: list[int] = []
        """The signals that have arrived while programs ran."""
        self.early: list[int] = []
        """Signals that arrived while the program was being started, and are yet to be forwarded."""
        self.mask: set[int] | None = None
        """The caller's signal mask, once this process has blocked signals."""

    def catch(self) -> None:
        """Handle the signals until ``block``, with the caller's signal mask.

        Handlers are not inherited; ignored and blocked signals would be.
        """
        self.early.clear()
        for number in self.keyboard + self.forwarded:
            signal.signal(number, self._note)
        if sys.platform != "win32":
            # While SIGCHLD is ignored, there is no exit status. The BSDs discard a blocked signal
            # whose default action is to ignore it.
            signal.signal(signal.SIGCHLD, lambda *_: None)
            if self.mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)

    def _note(self, number: int, _: object) -> None:
        self.received.append(number)
        if number in self.forwarded:
            self.early.append(number)

    if sys.platform != "win32":

        def block(self) -> None:
            """Block SIGCHLD and the signals that are forwarded."""
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, [*self.forwarded, signal.SIGCHLD])
            if self.mask is None:
                self.mask = mask

    def wait_for_child(self, seconds: float) -> bool:
        """Wait for the end of a child, at most some seconds; return whether no other signal came.

        A signal is not forwarded: another process may have got the program's ID.
        """
        expected = {*self.keyboard, *self.forwarded, _signal.SIGCHLD}
        _signal.pthread_sigmask(_signal.SIG_BLOCK, expected)
        found = _signal.sigtimedwait(expected, seconds)
        if found is None or found.si_signo == _signal.SIGCHLD:
            return True
        self.received.append(found.si_signo)
        return False

    def arrived(self) -> list[int]:
        """Return the signals that have arrived, also those that are blocked until the next run."""
        if sys.platform == "win32" or self.mask is None:
            return self.received
        return [*self.received, *signal.sigpending() - self.mask]


def _is_ignored(number: int) -> bool:
    if sys.platform == "linux":
        return bool(lib.rusage_is_ignored(number))
    return signal.getsignal(number) == signal.SIG_IGN


@cache
def _complain_once(name: str, what: str) -> None:
    """Print a message once, not again in each run of a series."""
    complain(name, what)


def run(
    command: Command,
    signals: Signals,
    streams: Streams = (None, None),
    *,
    name: str | None = None,
    options: Options | None = None,
) -> Run | int:
    """Run a program; if it cannot be started, print an error message and return the exit status.

    *name*: the name of the program in the message; its first word by default. The options say
    whether the tree is sampled, and whether orphans are counted.

    Except for given streams, the program inherits all file descriptors, and the signals that the
    caller ignores or blocks. SIGPIPE and SIGXFSZ get their defaults: Python ignores both at its
    start, so the caller's disposition is unknown.
    """
    name = name or command[0] or "''"
    sampling = orphans = None
    if CAN_ADOPT and options is not None and (options.tree or options.adopts):
        from .orphans import Orphans, become_reaper

        found = become_reaper(is_counted=options.adopts)
        if isinstance(found, Orphans):
            orphans = found
        else:
            _complain_once(name, f"processes that it leaves are not counted: {found}")
    if options is not None and options.tree:
        from .sampling import Sampling

        sampling = Sampling(options, name, orphans)
    try:
        return _run(partial(_start, command, streams), signals, name, sampling, orphans)
    except ChildProcessError:
        complain(
            name,
            "the exit status is not available: another caller has already waited for the program",
        )
        return CANCELED
    except OSError as error:  # of wait4(2), in a sandbox: the program may run on
        complain(name, f"cannot wait for the program: {error.strerror}")
        return CANCELED


def _run(
    start: Callable[[], Popen[bytes]],
    signals: Signals,
    name: str,
    sampling: Sampling | None,
    orphans: Orphans | None,
) -> Run | int:
    _restore_environment()
    signals.catch()
    counter, kills = "", None
    if sys.platform == "linux":
        from . import oom

        counter = oom.counter()
        kills = oom.kills(counter)
    started = time.time()
    try:
        process = start()
    except OSError as error:
        complain(name, error.strerror)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE
    if orphans is not None:
        orphans.program = process.pid  # before the thread of the samples can reap
    if sampling is not None:
        sampling.start(process.pid, process._began)  # noqa: SLF001 (of the same package)
    code = _wait_and_forward(process, signals, orphans)
    tree = None if sampling is None else sampling.finish()
    of_orphans = None
    if tree is not None and orphans is not None and orphans.doubt and orphans.has_adopted():
        what = f"processes that it may have left were not sampled: {orphans.doubt}"
        _complain_once(name, what)
    if orphans is not None and orphans.is_counted:
        of_orphans = orphans.finish(signals.wait_for_child, at_once=bool(signals.early))
    usage, elapsed = process.rusage, process.elapsed
    assert usage is not None  # noqa: S101 (the exit has been seen)
    assert elapsed is not None  # noqa: S101 (as above)
    is_unmeasured = not process.measured and "wait4" not in BACKEND.absent
    if type(process) is Popen and code == 0 and is_unmeasured:
        # subprocess reports 0 then.
        raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))
    # Not on Windows, nor if another library has replaced Popen.
    bound = getattr(process, "_peak_bound", None)
    oom_killed = None
    if sys.platform == "linux" and code and kills is not None:
        now = oom.kills(counter)
        oom_killed = None if now is None else now > kills
    return run_record(
        code,
        measured_fields(usage, process.measured),
        elapsed,
        bound,
        tree,
        orphans=of_orphans,
        started=started,
        oom_killed=oom_killed,
        unsampled="" if sampling is None else sampling.unsampled,
    )


def _restore_environment() -> None:
    """Undo Python's locale coercion (PEP 538), which sets LC_CTYPE in the environment.

    /proc/self/environ is the environment at exec. It is not trusted if it lacks another variable
    that is set: it may be overwritten, as some programs do to set their title.
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
    parts = (entry.partition(b"=") for entry in reversed(entries))
    original = {key: value for key, _, value in parts}
    if environment.keys() - original.keys() <= {name}:
        if name in original:
            environment[name] = original[name]
        else:
            del environment[name]


def _start(command: Command, streams: Streams) -> Popen[bytes]:
    """Start a program; a script without a shebang by the shell, as execvp(3) does."""
    if not command[0]:  # a search in PATH would find the directories themselves
        raise FileNotFoundError(errno.ENOENT, "the name of the program is empty")
    # posix_spawn takes a mapping, which cannot hold all environments; the other way passes on the
    # environment as it is.
    subprocess._USE_POSIX_SPAWN = False  # type: ignore[misc]  # noqa: SLF001 (subprocess documents this)
    try:
        output, errors = streams
        return Popen(command, close_fds=False, stdout=output, stderr=errors)
    except OSError as error:
        from shutil import which

        # To which(), an empty PATH is none; to execvp(3), it is the current folder.
        path = which(command[0], path=os.environ.get("PATH", os.defpath) or os.curdir)
        if error.errno != errno.ENOEXEC or path is None or sys.platform == "win32":
            raise
        return _start(["/bin/sh", path, *command[1:]], streams)


def _wait_and_forward(process: Popen[bytes], signals: Signals, reaper: Orphans | None) -> int:
    """Forward signals to a child until it has ended, and return its exit code.

    Only ``poll`` reaps the child, so no signal can reach another process that reuses its PID.
    """
    if sys.platform == "win32":
        return process.wait()
    signals.block()
    # It raises an error of wait4(2), which poll() hides. Another library's Popen has only that.
    poll = getattr(process, "_poll", process.poll)
    expected = [*signals.forwarded, signal.SIGCHLD]
    while True:
        for _ in () if reaper is None else reaper.reap():
            if signals.early or not signal.sigpending().isdisjoint(expected):
                break  # the next signal is here: more may end all the time
        if (code := poll()) is not None:
            return code
        number: int = signal.SIGCHLD
        if signals.early:
            number = signals.early.pop(0)
        else:
            try:
                number = signal.sigwait(expected)
            except OSError as error:
                # NetBSD's sigtimedwait(2) makes ECANCELED of EINTR.
                if error.errno not in {errno.EINTR, errno.ECANCELED}:
                    raise
        if number != signal.SIGCHLD:
            signals.received.append(number)
            with contextlib.suppress(PermissionError):  # the program runs as another user now
                os.kill(process.pid, number)


def exit_status_or_die(code: int) -> int:
    """Return the exit status for an exit code as in subprocess.

    If the code is SIGINT, kill this process with SIGINT.
    """
    if code == -signal.SIGINT:
        die_of("SIGINT")  # a shell ends a loop only if SIGINT killed the command
    return code if code >= 0 else KILLED - code


def die_of(name: str) -> None:
    """Kill this process with a signal, unless the system has no such signals."""
    if sys.platform != "win32":
        number = signal.Signals[name]
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        os.kill(os.getpid(), number)
