"""Choose the action of the command.

A plain ``rusage COMMAND`` on Linux needs this module, ``_single``, ``_running`` and ``_reporting``. Imports are slow
compared with starting a program, so options import their modules on demand.
"""

from __future__ import annotations

import sys

from ._reporting import CANCELED, Options, complain, discard, show

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command that follows the options, or print this process's usage; return the exit status."""
    try:
        try:
            return _main(sys.argv[1:] if arguments is None else arguments)
        finally:  # also after a SystemExit of an option
            if sys.stdout is not None:
                sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head(1), has closed its end
        discard(sys.stdout)
        from ._running import die_of_broken_pipe  # noqa: PLC0415 (only needed here)

        return die_of_broken_pipe()
    except OSError as error:
        complain("standard output", error.strerror)
        discard(sys.stdout)
        return CANCELED


def _main(arguments: list[str]) -> int:
    options, command = Options(), arguments
    if arguments[:1] == ["--"]:
        command = arguments[1:]
    elif arguments and arguments[0].startswith("-"):
        from ._parse import parse  # noqa: PLC0415 (slow, and only needed if there are options)

        options, command = parse(arguments)
    if command:
        from ._single import run_command  # noqa: PLC0415 (only needed with a command)

        return run_command(command, options)
    if options.json:
        from . import _json  # noqa: PLC0415 (slow, and only needed here)

        show(_json.own_usage())
    else:
        from . import _own  # noqa: PLC0415 (only needed here)

        show(_own.as_text())
    return 0
