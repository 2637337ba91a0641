"""``rusage command args…``: run a command, and tell what it has used. GNU ``time`` is the model."""

from __future__ import annotations

import errno
import os
import sys
import time

from ._calls import WAITED, WAITED_BUT_PEAK, fields
from ._rusage import lib
from ._usage import FIELDS

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from typing import TextIO

    from ._usage import RUsage

    Ended = tuple[int, dict[str, float], float]  # the exit code, what was measured, and the seconds it took

if sys.platform == "linux":
    from . import _launch, _native

# Exit statuses, as of env(1), nohup(1) and GNU time.
CANCELED = 125
CANNOT_EXECUTE = 126
NOT_FOUND = 127
KILLED = 128  # plus the signal


def run_command(command: list[str], *, as_json: bool = False, output: str | None = None, append: bool = False) -> int:
    """Run a command, print its usage on standard error or to a file, and return the exit status to pass on.

    That is the command's, or 128 + n if signal n has killed it, 127 if it was not found, 126 if it could not be
    executed, 125 if the file could not be opened.
    """
    try:
        if output is None:
            return _run(command, sys.stderr, as_json=as_json)
        with open(output, "a" if append else "w", encoding="utf-8") as file:
            return _run(command, file, as_json=as_json)
    except OSError as error:  # the file's: those of the command do not come here
        _complain(output or "standard error", error)
        return CANCELED


def _run(command: list[str], file: TextIO | None, *, as_json: bool) -> int:
    try:
        code, usage, elapsed = _by_launcher(command) or _by_subprocess(command)
    except OSError as error:
        _complain(command[0], error)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE
    if file is not None:  # standard error may be closed
        file.write((_as_json(command, code, usage, elapsed) if as_json else _as_text(code, usage, elapsed)) + "\n")
        file.flush()
    return code if code >= 0 else KILLED - code


# Both ways: what the terminal sends for Ctrl-C and Ctrl-\\ is the command's to answer; the report comes after it. What
# is ignored already the command inherits, but not that we ignore the two. It has all of our file descriptors.


if sys.platform == "linux":

    def _by_launcher(command: list[str]) -> Ended | None:
        """Run the command and return how it ended; None if that does not work in this way.

        This way needs neither subprocess nor signal, to import which takes longer than many a command.
        """
        if not hasattr(os, "posix_spawn"):  # PyPy
            return None
        heeded = [number for number in (lib.SIGINT, lib.SIGQUIT) if not lib.rusage_ignore(number)]
        began = time.perf_counter()
        started = _launch.spawn(command, [lib.SIGPIPE, lib.SIGXFSZ, *heeded], [])  # two that Python ignores
        if not started.pid:
            return None
        status, usage = started.status, None
        if started.outcome is not _launch.KILLED:
            try:  # noqa: SIM105 (contextlib takes long to import)
                _, status, usage = _native.reap(started.pid, 0)
            except ChildProcessError:  # nobody can wait: SIGCHLD is ignored
                pass
        elapsed = time.perf_counter() - began
        peak_is_own = started.outcome is _launch.ISOLATED and usage is not None and usage.ru_maxrss > 0
        measured = WAITED if peak_is_own else WAITED_BUT_PEAK
        return os.waitstatus_to_exitcode(status), {} if usage is None else _known(usage, measured), elapsed

else:

    def _by_launcher(command: list[str]) -> Ended | None:  # noqa: ARG001 (of one kind with the other)
        """Return None: there is no launcher."""
        return None


def _by_subprocess(command: list[str]) -> Ended:
    """Run the command and return how it ended."""
    import signal  # noqa: PLC0415 (as above)

    from ._children import Popen  # noqa: PLC0415 (as above)

    for number in (signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT)):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # not SIG_IGN: the command would inherit that
    began = time.perf_counter()
    try:
        process = Popen(command, close_fds=False)
    except OSError as error:
        from shutil import which  # noqa: PLC0415 (almost never needed)

        path = which(command[0])
        if error.errno != errno.ENOEXEC or path is None or sys.platform == "win32":
            raise
        began = time.perf_counter()
        process = Popen(["/bin/sh", path, *command[1:]], close_fds=False)  # a script without a first line: execvp(3)
    code = process.wait()
    elapsed = time.perf_counter() - began
    assert process.rusage is not None  # noqa: S101 (for the type checker: it has been waited for)
    return code, _known(process.rusage, process.measured), elapsed


def _known(usage: RUsage, measured: frozenset[str]) -> dict[str, float]:
    """Return what was measured, and nothing of the rest."""
    return {name: value for name, value in usage._asdict().items() if name in measured}


def _complain(name: str, error: OSError) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"rusage: {name}: {error.strerror}\n")


def _as_json(command: list[str], code: int, usage: dict[str, float], elapsed: float) -> str:
    import json  # noqa: PLC0415 (only for those who ask for it)

    return json.dumps(
        {
            "command": command,
            "exit_status": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "elapsed": elapsed,
            "usage": usage,
            "units": {"elapsed": "seconds", **{name: fields[name].unit for name in usage}},
        }
    )


def _as_text(code: int, usage: dict[str, float], elapsed: float) -> str:
    usage = dict(usage)
    rows = {"wall time": f"{elapsed:.3f} s"}

    def row(label: str, text: str, *names: str, scale: float = 1) -> None:
        """Add a row if all that it tells was measured."""
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
    import signal  # noqa: PLC0415 (as above)

    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal
        return f"signal {number}"
