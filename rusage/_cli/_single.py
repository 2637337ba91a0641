"""A single run of a program."""

from __future__ import annotations

import sys

from ._reporting import CANCELED, as_text, complain, is_colored, write
from ._running import Signals, attempt, exit_status

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import TextIO

    from ._reporting import Ended, Options


def run_command(command: list[str], options: Options) -> int:
    """Run a program, report its usage on standard error or to a file, and return the exit status to exit with.

    The status is the program's, or 128 + n if signal n killed it, 127 if it was not found, 126 if it could not be
    executed, 125 if the output file could not be opened or the program's status is not available. If the program has
    succeeded, it is 123 if a limit was exceeded and 125 if that is unknown. If SIGINT killed the program, SIGINT then
    kills this process too. A report that cannot be written does not change the status.

    Must run in the main thread; leaves the environment, the signal mask and the signal handlers changed.
    """
    if options.runs is not None:
        from ._rounds import empty_standard_input  # noqa: PLC0415 (only needed here)

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
    if options.compare:
        from ._repeating import run_comparison  # noqa: PLC0415 (only needed here)

        return run_comparison(command, options, file)
    if options.runs is not None:
        from ._repeating import run_series  # noqa: PLC0415 (only needed here)

        return run_series(command, options, file)
    ended = attempt(command, Signals())
    if isinstance(ended, int):
        if options.format is not None and ended != CANCELED:  # GNU time reports a failed start too
            write(_gnu_report(command, options, ended, {}, None), file)
        return ended
    write(report(command, options, ended, colored=is_colored(file)), file)
    code, usage, _, bound = ended
    if options.limits is not None:
        from ._limits import check  # noqa: PLC0415 (only needed here)

        status = check(options.limits, [(usage, bound)], command[0])
        code = code or status
    return exit_status(code)


def report(command: list[str], options: Options, ended: Ended, *, colored: bool = False) -> str:
    code, usage, elapsed, _ = ended
    if options.format is not None:
        return _gnu_report(command, options, code, usage, elapsed)
    if options.json:
        from . import _json  # noqa: PLC0415 (slow, and only needed here)

        return _json.ended(command, ended, options.limits)
    return as_text(command if options.append else None, code, usage, elapsed, colored=colored)


def _gnu_report(command: list[str], options: Options, code: int, usage: dict[str, float], elapsed: float | None) -> str:
    from . import _gnu  # noqa: PLC0415 (only needed here)

    assert options.format is not None  # noqa: S101 (for the type checker)
    first = _gnu.first_line(code) if options.first_line else ""
    return first + _gnu.report(options.format, command, code, usage, elapsed)
