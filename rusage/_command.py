"""``rusage command args…``: run a command, and tell what it has used. GNU ``time`` is the model."""

from __future__ import annotations

import errno
import signal
import sys
import time
from typing import TYPE_CHECKING, TextIO

from ._calls import fields
from ._usage import FIELDS

if TYPE_CHECKING:
    from ._children import Popen

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
    # What the terminal sends for Ctrl-C and Ctrl-\\ is the command's to answer; the report comes after it. A handler,
    # not SIG_IGN: the command would inherit that one. What is ignored already it does inherit.
    for number in (signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT)):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    started = time.perf_counter()
    try:
        process = _start(command)
    except OSError as error:
        _complain(command[0], error)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE
    process.wait()
    elapsed = time.perf_counter() - started
    if file is not None:  # standard error may be closed
        file.write((_as_json(command, process, elapsed) if as_json else _as_text(process, elapsed)) + "\n")
        file.flush()
    return process.returncode if process.returncode >= 0 else KILLED - process.returncode


def _start(command: list[str]) -> Popen[bytes]:
    """Start the command with all of our file descriptors. A file that is no program is a script for sh: execvp(3)."""
    from ._children import Popen  # noqa: PLC0415 (who runs no program need not import subprocess)

    try:
        return Popen(command, close_fds=False)
    except OSError as error:
        from shutil import which  # noqa: PLC0415 (almost never needed)

        path = which(command[0])
        if error.errno != errno.ENOEXEC or path is None or sys.platform == "win32":
            raise
        return Popen(["/bin/sh", path, *command[1:]], close_fds=False)


def _complain(name: str, error: OSError) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"rusage: {name}: {error.strerror}\n")


def _as_json(command: list[str], process: Popen[bytes], elapsed: float) -> str:
    import json  # noqa: PLC0415 (only for those who ask for it)

    usage, code = _measured(process), process.returncode
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


def _as_text(process: Popen[bytes], elapsed: float) -> str:
    usage, code = _measured(process), process.returncode
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


def _measured(process: Popen[bytes]) -> dict[str, float]:
    """Return what was measured, and nothing of the rest."""
    usage = process.rusage
    assert usage is not None  # noqa: S101 (for the type checker: the process was waited for)
    return {name: value for name, value in usage._asdict().items() if name in process.measured}


def _signal_name(number: int) -> str:
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:  # a real-time signal
        return f"signal {number}"
