"""Choose what the command does, and run one program."""

from __future__ import annotations

import contextlib
import io
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from . import gnu
from .options import Options, parse
from .output import CANCELED, Export, complain, discard, open_output, write
from .report import of_run
from .run import Signals, die_of, exit_status, run

if TYPE_CHECKING:
    from typing import TextIO

    from .figures import Ended


def main(arguments: list[str] | None = None) -> int:
    """Run the command that follows the options, or print this process's usage; return the exit status."""
    try:
        try:
            options, command = parse(sys.argv[1:] if arguments is None else arguments)
            if command and options.show is None:
                return run_command(command, options)
            from . import info

            return info.print_report(options)
        finally:  # also after a SystemExit of an option
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        discard(sys.stdout)
        if isinstance(error, BrokenPipeError):  # the reader, such as head(1), has closed its end
            die_of("SIGPIPE")  # which Python ignores
        else:
            complain("standard output", error.strerror)
        return CANCELED


def run_command(command: list[str], options: Options) -> int:
    """Run a program, report its usage on standard error or to a file, and return the exit status, as rusage(1) has it.

    Must run in the main thread; leaves the environment, the signal mask and the signal handlers changed.
    """
    run_and_report = _run_once
    if options.runs is not None or options.compare:
        from . import series

        run_and_report = series.run_series
        series.empty_standard_input()  # before a file is opened that could become it
    file = sys.stderr
    with contextlib.ExitStack() as files:
        try:
            exports = [Export(*each, files) for each in options.exports]
            if options.output is not None:  # the last one, since it is emptied
                file = open_output(options.output, append=options.append)
            if file not in {sys.stdout, sys.stderr}:
                files.enter_context(file)
        except OSError as error:
            complain("standard output" if error.filename is None else error.filename or "''", error.strerror)
            return CANCELED
        if isinstance(file, io.TextIOWrapper):
            # %C: the bytes of the command, which need not be text. Of other reports, the encoding may lack characters.
            file.reconfigure(errors="backslashreplace" if options.format is None else "surrogateescape")
        return run_and_report(command, options, file, exports)


def _run_once(command: list[str], options: Options, file: TextIO | None, exports: list[Export]) -> int:
    ended = run(command, Signals(), options=options)
    if isinstance(ended, int):
        if options.format is not None and ended != CANCELED:  # GNU time reports a failed start too
            write(_gnu_report(options, command, ended, {}, None), file)
        return ended
    is_written = [write(_report(options.kind, command, ended, options, file), file)]
    make = partial(_report, command=command, ended=ended, options=options)
    is_written += [export.write(make) for export in exports]
    code = ended.code
    if options.limits:
        from . import limits

        status = limits.check(options.limits, [ended], command[0])
        code = limits.OVER if ended.killed else code or status
    return exit_status(code or (0 if all(is_written) else CANCELED))


def _report(kind: str | None, command: list[str], ended: Ended, options: Options, file: TextIO | None = None) -> Any:
    """Return a report of a run: bytes for a picture, and otherwise text."""
    if kind is not None:
        from . import formats

        return formats.of_run(kind, command, ended, options, file)
    if options.format is not None:
        return _gnu_report(options, command, ended.code, ended.usage, ended.elapsed)
    return of_run(command, ended, options, file)


def _gnu_report(options: Options, command: list[str], code: int, usage: dict[str, float], elapsed: float | None) -> str:
    first = gnu.first_line(code) if options.first_line else ""
    return first + gnu.report(options.format or "", command, code, usage, elapsed)
