"""The command ``rusage``: run a program and report its resource usage, as GNU ``time`` does."""

from __future__ import annotations

import errno
import os
import sys
import time

from ._backends import BACKEND
from ._backends._base import RUSAGE_SELF
from ._fields import FIELDS
from ._getrusage import WAITED, WAITED_BUT_PEAK, fields, getrusage, measured
from ._rusage import lib

TYPE_CHECKING = False

if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from typing import TextIO, TypeVar

    from ._fields import RUsage

    Ended = tuple[int, dict[str, float], float]  # exit code as in subprocess, measured fields, elapsed seconds
    T = TypeVar("T")
else:
    import _signal  # the C module: importing signal itself is slow

if sys.platform == "linux":
    from . import _wait
    from ._children import launcher

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
        finally:  # also after a SystemExit of argparse
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        _complain("standard output", error.strerror)
        _discard(sys.stdout)
        return CANCELED


def _main(arguments: list[str]) -> int:
    if not arguments or not arguments[0].startswith("-"):
        as_json, output, append, command = False, None, False, arguments
    elif arguments[0] == "--":
        as_json, output, append, command = False, None, False, arguments[1:]
    else:
        as_json, output, append, command = _parse(arguments)
    if command:
        return _run_command(command, as_json=as_json, output=output, append=append)
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    print(_own_usage_as_json() if as_json else _own_usage_as_text())
    return 0


def _parse(arguments: list[str]) -> tuple[bool, str | None, bool, list[str]]:
    """Return the values of the options, and the command that follows them."""
    import argparse  # noqa: PLC0415 (slow, and only needed if there are options)

    parser = argparse.ArgumentParser(
        prog="rusage",
        usage="%(prog)s [--json] [-o FILE [--append]] [--] [command ...]",
        description="Run a command and report its resource usage; without a command, report that of this process.",
        epilog="example: %(prog)s --json -o usage.json -- make -j4",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with exact numbers")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report to FILE instead of standard error")
    parser.add_argument(
        "--append", action="store_true", help="append to FILE; each text report begins with the command"
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.version:
        print(f"rusage {_version()}")
        parser.exit()
    command: list[str] = options.command
    if command[:1] == ["--"]:  # kept by argparse up to Python 3.12, removed by later versions
        del command[0]
    if options.output is not None and not command:
        parser.error("-o needs a command")
    if options.append and options.output is None:
        parser.error("--append needs -o")
    return options.json, options.output, options.append, command


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (slow, and only needed here)

    try:
        return version("rusage")
    except PackageNotFoundError:  # in a bundle without metadata
        return "(unknown version)"


def _own_usage_as_text() -> str:
    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    rows = [
        (name, _human(usage[name], fields[name].unit) if name in known else "-", fields[name].meaning)
        for name in fields
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{name:<{widths[0]}}  {value:>{widths[1]}}  {meaning}" for name, value, meaning in rows)


def _own_usage_as_json() -> str:
    import json  # noqa: PLC0415 (slow, and only needed here)

    usage, known = getrusage(RUSAGE_SELF)._asdict(), measured(RUSAGE_SELF)
    return json.dumps(
        {
            name: {"value": usage[name], "unit": field.unit, "measured": name in known, "meaning": field.meaning}
            for name, field in fields.items()
        },
        indent=2,
    )


def _human(value: float, unit: str) -> str:
    """Return a value with its unit; bytes also in KiB, MiB, GiB or TiB."""
    if unit == "seconds":
        return f"{value:.6f} s"
    if unit != "bytes" or value < 1024:
        return f"{value} {unit}"
    power = min((int(value).bit_length() - 1) // 10, 4)
    return f"{value} bytes ({value / 1024**power:.1f} {'KMGT'[power - 1]}iB)"


# --- The usage of a program -------------------------------------------------------------------------------------------


def _run_command(command: list[str], *, as_json: bool = False, output: str | None = None, append: bool = False) -> int:
    """Run a program, report its usage on standard error or to a file, and return the exit status to exit with.

    The status is the program's, or 128 + n if signal n killed it, 127 if it was not found, 126 if it could not be
    executed, 125 if the output file could not be opened or the program's status is not available. If SIGINT killed the
    program, SIGINT then kills this process too. A report that cannot be written does not change the status.

    Must run in the main thread; leaves the environment, the signal mask and the signal handlers changed.
    """
    if output is None:
        return _run_and_report(command, sys.stderr, as_json=as_json, append=append)
    try:  # text may hold the command's bytes, which need not be UTF-8
        file = open(output, "a" if append else "w", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115 (close() may raise)
    except OSError as error:
        _complain(output, error.strerror)
        return CANCELED
    try:
        return _run_and_report(command, file, as_json=as_json, append=append)
    finally:
        file.close()


def _run_and_report(command: list[str], file: TextIO | None, *, as_json: bool, append: bool) -> int:
    try:
        code, usage, elapsed = _run(command)
    except ChildProcessError:
        _complain(command[0], "the exit status is not available: it was waited for elsewhere")
        return CANCELED
    except OSError as error:
        _complain(command[0], error.strerror)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE
    if as_json:
        report = _as_json(command, code, usage, elapsed)
    else:
        report = _as_text(command if append else None, code, usage, elapsed)
    if file is not None:  # otherwise the caller closed standard error
        try:
            file.write(report + "\n")
            file.flush()
            if file is not sys.stderr:
                file.close()  # NFS may report write errors only here
        except OSError as error:
            _discard(file)
            if file is not sys.stderr:
                _complain(file.name, error.strerror)
    if code == -_signal.SIGINT and sys.platform != "win32":
        # A shell ends a loop only if SIGINT killed the command.
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        if hasattr(_signal, "pthread_sigmask"):
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, [_signal.SIGINT])
        os.kill(os.getpid(), _signal.SIGINT)
    return code if code >= 0 else KILLED - code


def _complain(name: str, text: str | None) -> None:
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


def _run(command: list[str]) -> Ended:
    """Run a program and return how it ended. Raises ``OSError`` if it cannot be started.

    The program inherits all file descriptors, and the signals that the caller ignores or blocks. SIGPIPE and SIGXFSZ
    get their defaults: Python ignores both at its start, so the caller's disposition is unknown.
    """
    if not command[0]:  # a search in PATH would find the directories themselves
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    _restore_environment()
    keyboard = [number for number in KEYBOARD if not _is_ignored(number)]
    forwarded = [number for number in FORWARDED if not _is_ignored(number)]
    return _by_launcher(command, keyboard, forwarded) or _by_subprocess(command, keyboard, forwarded)


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

    def _forward(pid: int, numbers: list[int], poll: Callable[[], T | None], early: list[int]) -> T:
        """Forward signals to a child until it has ended, and return what *poll* then returns.

        The caller has blocked the signals and SIGCHLD. Only *poll* waits for the child, so no signal can reach another
        process that reuses its PID. *early*: signals received before the start.
        """
        take = getattr(_signal, "sigwaitinfo", None)  # not on macOS, OpenBSD and PyPy
        expected = [*numbers, _signal.SIGCHLD]
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
            # The kernel sends a hangup to the whole foreground group, or only to the session leader.
            hangup = number == _signal.SIGHUP and code is not None and code == SI_KERNEL
            if number != _signal.SIGCHLD and not (hangup and os.getsid(0) != os.getpid()):
                try:  # noqa: SIM105 (importing contextlib is slow)
                    os.kill(pid, number)
                except PermissionError:  # the program runs as another user now
                    pass
        return ended


if sys.platform == "linux":

    def _by_launcher(command: list[str], keyboard: list[int], forwarded: list[int]) -> Ended | None:
        """Run a program through the launcher and return how it ended, or None if that is not possible.

        Imports neither subprocess nor signal: importing them takes longer than many programs run.
        """
        if not hasattr(os, "posix_spawn"):  # PyPy
            return None
        for number in keyboard:
            _signal.signal(number, _signal.SIG_IGN)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)  # while it is ignored, there is no exit status
        mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, [*forwarded, _signal.SIGCHLD])
        began = time.perf_counter()
        started = launcher.spawn(command, [_signal.SIGPIPE, _signal.SIGXFSZ, *keyboard], mask)
        if not started.pid:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
            return None
        if started.outcome is launcher.KILLED:
            return os.waitstatus_to_exitcode(started.status), {}, time.perf_counter() - began

        def poll() -> tuple[int, RUsage] | None:
            pid, status, usage = _wait.reap(started.pid, os.WNOHANG)
            return (status, usage) if pid else None

        status, usage = _forward(started.pid, forwarded, poll, [])
        elapsed = time.perf_counter() - began
        peak_is_own = started.outcome is launcher.ISOLATED and usage.ru_maxrss > 0
        known = WAITED if peak_is_own else WAITED_BUT_PEAK
        return os.waitstatus_to_exitcode(status), _known(usage, known), elapsed

else:

    def _by_launcher(command: list[str], keyboard: list[int], forwarded: list[int]) -> Ended | None:  # noqa: ARG001 (the signature of Linux's)
        """Return None: the launcher exists only on Linux."""
        return None


def _by_subprocess(command: list[str], keyboard: list[int], forwarded: list[int]) -> Ended:
    """Run a program and return how it ended."""
    from ._children.popen import Popen  # noqa: PLC0415 (imports subprocess, which is slow)

    early: list[int] = []
    # Install handlers: the program would inherit ignored and blocked signals.
    for number in keyboard:
        _signal.signal(number, lambda *_: None)
    for number in forwarded:
        _signal.signal(number, lambda received, _: early.append(received))
    if sys.platform != "win32":
        # The BSDs discard a blocked signal whose default action is to ignore it.
        _signal.signal(_signal.SIGCHLD, lambda *_: None)
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
        _signal.pthread_sigmask(_signal.SIG_BLOCK, [*forwarded, _signal.SIGCHLD])
        code = _forward(process.pid, forwarded, process.poll, early)
    else:
        code = process.wait()
    elapsed = time.perf_counter() - began
    assert process.rusage is not None  # noqa: S101 (for the type checker: the child has been waited for)
    if type(process) is Popen and code == 0 and not process.measured and "wait4" not in BACKEND.absent:
        raise ChildProcessError(errno.ECHILD, os.strerror(errno.ECHILD))  # subprocess reports 0 then
    return code, _known(process.rusage, process.measured), elapsed


def _known(usage: RUsage, known: frozenset[str]) -> dict[str, float]:
    """Return the measured fields only."""
    return {name: value for name, value in usage._asdict().items() if name in known}


def _as_json(command: list[str], code: int, usage: dict[str, float], elapsed: float) -> str:
    import json  # noqa: PLC0415 (slow, and only needed here)

    return json.dumps(
        {
            "version": 1,
            # Bytes that are not UTF-8 as \\xNN: strict parsers reject the lone surrogates that Python uses for them.
            "command": [os.fsencode(word).decode("utf-8", "backslashreplace") for word in command],
            "exit_status": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "elapsed": elapsed,
            "usage": usage,
            "units": {"elapsed": "seconds", **{name: fields[name].unit for name in usage}},
        }
    )


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
    rows["exit status" if code >= 0 else "killed by"] = f"{code}" if code >= 0 else _signal_name(-code)
    width = max(map(len, rows))
    return "\n".join(f"{label:<{width}}  {text}" for label, text in rows.items())


def _signal_name(number: int) -> str:
    import signal  # noqa: PLC0415 (slow, and rarely needed)

    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal
        return f"signal {number}"
