"""The command ``rusage``: run a program and report its resource usage, as GNU ``time`` does.

This module is what a plain ``rusage COMMAND`` needs on Linux: importing another one takes a part of the time that
starting the program does. What an option needs is imported with it.
"""

from __future__ import annotations

import errno
import os
import sys
import time

from .._fields import FIELDS
from .._getrusage import WAITED, WAITED_BUT_PEAK, fields
from .._rusage import lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import TextIO, TypeVar

    from .._fields import RUsage

    Ended = tuple[int, dict[str, float], float]  # exit code as in subprocess, measured fields, elapsed seconds
    T = TypeVar("T")
else:
    import _signal  # the C module: importing signal itself is slow

if sys.platform == "linux":
    from .. import _wait
    from .._children import launcher

# Exit statuses, as in env(1), nohup(1) and GNU time.
CANCELED = 125
CANNOT_EXECUTE = 126
NOT_FOUND = 127
KILLED = 128  # plus the signal

# The terminal sends these to the program too, so rusage must only survive them.
KEYBOARD: tuple[int, ...] = (_signal.SIGINT,)
# A supervisor sends these to rusage alone, so they are forwarded to the program.
FORWARDED: tuple[int, ...] = ()
if sys.platform != "win32":
    KEYBOARD = _signal.SIGINT, _signal.SIGQUIT
    if hasattr(_signal, "pthread_sigmask") and hasattr(_signal, "sigwait"):
        FORWARDED = _signal.SIGALRM, _signal.SIGHUP, _signal.SIGTERM, _signal.SIGUSR1, _signal.SIGUSR2

# si_code of a signal that the kernel has sent; the signal module has no name for it.
SI_KERNEL = {"linux": 0x80, "freebsd": 0x10006}.get(sys.platform.rstrip("0123456789"))


def main(arguments: list[str] | None = None) -> int:
    """Run the command that follows the options, or print this process's usage; return the exit status."""
    try:
        try:
            return _main(sys.argv[1:] if arguments is None else arguments)
        finally:  # also after a SystemExit of an option
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        complain("standard output", error.strerror)
        _discard(sys.stdout)
        return CANCELED


class Options:
    """The values of the options; these are the defaults."""

    output: str | None = None
    append = False
    json = False
    format: str | None = None
    """Of GNU time; None for our own report."""
    first_line = True
    """Whether a report in GNU time's format begins with a line about a program that fails."""
    limits: dict[str, float] | None = None
    """Of ``ru_maxrss`` in bytes, of ``cputime`` in seconds."""
    runs: int | None = None
    """How often to run the program; None for a single run."""
    warmup = 0
    """How many runs to make before those that count."""
    ignore_failure = False


def _main(arguments: list[str]) -> int:
    options, command = Options(), arguments
    if arguments[:1] == ["--"]:
        command = arguments[1:]
    elif arguments and arguments[0].startswith("-"):
        from ._options import parse  # noqa: PLC0415 (slow, and only needed if there are options)

        options, command = parse(arguments)
    if command:
        return _run_command(command, options)
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    if options.json:
        from ._json import own_usage  # noqa: PLC0415 (slow, and only needed here)
    else:
        from ._own import own_usage  # noqa: PLC0415 (only needed here)
    print(own_usage())
    return 0


def _run_command(command: list[str], options: Options) -> int:
    """Run a program, report its usage on standard error or to a file, and return the exit status to exit with.

    The status is the program's, or 128 + n if signal n killed it, 127 if it was not found, 126 if it could not be
    executed, 125 if the output file could not be opened or the program's status is not available. If the program has
    succeeded, it is 123 if a limit was exceeded and 125 if that is unknown. If SIGINT killed the program, SIGINT then
    kills this process too. A report that cannot be written does not change the status.

    Must run in the main thread; leaves the environment, the signal mask and the signal handlers changed.
    """
    if options.runs is not None:
        from ._series import empty_standard_input  # noqa: PLC0415 (only needed here)

        empty_standard_input()  # before a file is opened that could become it
    if options.output is None:
        return _run_and_report(command, options, sys.stderr)
    try:  # text may hold the command's bytes, which need not be UTF-8
        file = open(  # noqa: SIM115 (close() may raise)
            options.output, "a" if options.append else "w", encoding="utf-8", errors="surrogateescape"
        )
    except OSError as error:
        complain(options.output, error.strerror)
        return CANCELED
    try:
        return _run_and_report(command, options, file)
    finally:
        file.close()


def _run_and_report(command: list[str], options: Options, file: TextIO | None) -> int:
    if options.runs is not None:
        from ._series import run_series  # noqa: PLC0415 (only needed here)

        return run_series(command, options, file)
    ended = attempt(command, Signals())
    if isinstance(ended, int):
        if options.format is not None and ended != CANCELED:  # GNU time reports a failed start too
            write(_report(command, options, ended, {}, None), file)
        return ended
    code, usage, elapsed = ended
    write(_report(command, options, code, usage, elapsed), file)
    if options.limits is not None:
        from ._limits import check  # noqa: PLC0415 (only needed here)

        status = check(options.limits, [usage], command[0])
        code = code or status
    return exit_status(code)


def attempt(command: list[str], signals: Signals) -> Ended | int:
    """Run a program; if it cannot be started, print an error message and return the exit status for that."""
    try:
        return run(command, signals)
    except ChildProcessError:
        complain(command[0], "the exit status is not available: it was waited for elsewhere")
        return CANCELED
    except OSError as error:
        complain(command[0], error.strerror)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE


def exit_status(code: int) -> int:
    """Return the exit status for an exit code as in subprocess; if it is SIGINT, kill this process with SIGINT."""
    if code == -_signal.SIGINT and sys.platform != "win32":
        # A shell ends a loop only if SIGINT killed the command.
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        if hasattr(_signal, "pthread_sigmask"):
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [_signal.SIGINT])
        os.kill(os.getpid(), _signal.SIGINT)
    return code if code >= 0 else KILLED - code


def _report(command: list[str], options: Options, code: int, usage: dict[str, float], elapsed: float | None) -> str:
    if options.format is not None:
        from . import _gnu  # noqa: PLC0415 (only needed here)

        first = _gnu.first_line(code) if options.first_line else ""
        return first + _gnu.report(options.format, command, code, usage, elapsed)
    assert elapsed is not None  # noqa: S101 (for the type checker: only GNU time's formats report a failed start)
    if options.json:
        from ._json import ended  # noqa: PLC0415 (slow, and only needed here)

        return ended(command, code, usage, elapsed, options.limits)
    return _as_text(command if options.append else None, code, usage, elapsed)


def write(report: str, file: TextIO | None) -> None:
    """Write a report; print an error message if that fails."""
    if file is None:  # the caller closed standard error
        return
    try:
        file.write(report + "\n")
        file.flush()
        if file is not sys.stderr:
            file.close()  # NFS may report write errors only here
    except OSError as error:
        _discard(file)
        if file is not sys.stderr:
            complain(file.name, error.strerror)


def complain(name: str, text: str | None) -> None:
    """Print an error message on standard error, if that is possible."""
    if sys.stderr is not None:
        try:
            sys.stderr.write(f"rusage: {name}: {text}\n")
            sys.stderr.flush()
        except OSError:
            _discard(sys.stderr)


def _discard(stream: TextIO | None) -> None:
    """Redirect a stream that cannot be written to, so that the interpreter can flush it at exit without an error."""
    if stream is None:
        return
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
    except (OSError, ValueError):  # ValueError: it is closed
        pass


# --- Running a program ------------------------------------------------------------------------------------------------


class Signals:
    """The signals of this process while programs run, for one run or a series of them."""

    def __init__(self, *, note_keyboard: bool = False) -> None:
        """Record what the caller ignores. *note_keyboard*: ``received`` gets the terminal's signals too."""
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


def run(command: list[str], signals: Signals) -> Ended:
    """Run a program and return how it ended. Raises ``OSError`` if it cannot be started.

    The program inherits all file descriptors, and the signals that the caller ignores or blocks. SIGPIPE and SIGXFSZ
    get their defaults: Python ignores both at its start, so the caller's disposition is unknown.
    """
    if not command[0]:  # a search in PATH would find the directories themselves
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    _restore_environment()
    ended = _by_launcher(command, signals)
    if ended is None:
        from ._direct import by_subprocess  # noqa: PLC0415 (slow, and rarely needed on Linux)

        ended = by_subprocess(command, signals)
    return ended


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
            entries = file.read().split(b"\0")
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

    def _by_launcher(command: list[str], signals: Signals) -> Ended | None:
        """Run a program through the launcher and return how it ended, or None if that is not possible.

        Imports neither subprocess nor signal: importing them takes longer than many programs run.
        """
        if not hasattr(os, "posix_spawn"):  # PyPy
            return None
        for number in signals.keyboard:
            _signal.signal(number, signals.note if signals.note_keyboard else _signal.SIG_IGN)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # while it is ignored, there is no exit status
        mask = signals.block()
        started, began = launcher.spawn(command, [_signal.SIGPIPE, _signal.SIGXFSZ, *signals.keyboard], mask)
        if not started.pid:
            signals.restore()
            return None
        if started.outcome is launcher.KILLED:
            return os.waitstatus_to_exitcode(started.status), {}, time.perf_counter() - began

        def poll() -> tuple[int, RUsage] | None:
            pid, status, usage = _wait.reap(started.pid, os.WNOHANG)
            return (status, usage) if pid else None

        status, usage = forward(started.pid, signals, poll, [])
        elapsed = time.perf_counter() - began
        peak_is_own = started.outcome is launcher.ISOLATED and usage.ru_maxrss > 0
        known = WAITED if peak_is_own else WAITED_BUT_PEAK
        return os.waitstatus_to_exitcode(status), known_fields(usage, known), elapsed

else:

    def _by_launcher(command: list[str], signals: Signals) -> Ended | None:  # noqa: ARG001 (the signature of Linux's)
        """Return None: the launcher exists only on Linux."""
        return None


def known_fields(usage: RUsage, known: frozenset[str]) -> dict[str, float]:
    """Return the measured fields only."""
    return {name: value for name, value in usage._asdict().items() if name in known}


# --- The report -------------------------------------------------------------------------------------------------------


def _as_text(command: list[str] | None, code: int, usage: dict[str, float], elapsed: float) -> str:
    usage = dict(usage)
    rows = {}
    if command is not None:
        import shlex  # noqa: PLC0415 (slow, and only needed here)

        rows["command"] = shlex.join(command)
    rows["wall time"] = f"{elapsed:.3f} s"

    def row(label: str, text: str, *names: str, scale: float = 1) -> None:
        """Add a row if all its fields are measured."""
        if all(name in usage for name in names):
            rows[label] = text.format(*(usage.pop(name) / scale if scale != 1 else usage.pop(name) for name in names))

    if usage.keys() >= {"ru_utime", "ru_stime"} and elapsed > 0:
        share = (usage["ru_utime"] + usage["ru_stime"]) / elapsed
        row("user time", "{:.3f} s", "ru_utime")
        row("system time", "{:.3f} s", "ru_stime")
        rows["CPU share"] = f"{share:.0%}"
    row("peak memory", "{:.1f} MiB", "ru_maxrss", scale=2**20)
    row("page faults", "{} without I/O, {} with I/O", "ru_minflt", "ru_majflt")
    row("context switches", "{} voluntary, {} involuntary", "ru_nvcsw", "ru_nivcsw")
    row("block I/O", f"{{}} in, {{}} out ({fields['ru_inblock'].unit})", "ru_inblock", "ru_oublock")
    for name in [*usage]:
        row(FIELDS[name].meaning, f"{{}} {fields[name].unit}", name)
    rows["exit status" if code >= 0 else "killed by"] = f"{code}" if code >= 0 else signal_name(-code)
    return lines(rows)


def lines(rows: dict[str, str]) -> str:
    """Return one line for each label and its text."""
    width = max(map(len, rows))
    return "\n".join(f"{label:<{width}}  {text}" for label, text in rows.items())


def signal_name(number: int) -> str:
    """Return what a report calls a signal."""
    import signal  # noqa: PLC0415 (slow, and rarely needed)

    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal
        return f"signal {number}"
