"""Choose what the command does, and run one program."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from . import gnu
from .options import Options, parse
from .report import CANCELED, as_text, complain, discard, is_colored, show, write, write_export
from .run import Signals, attempt, die_of_broken_pipe, exit_status

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from .files import Export
    from .options import Exports
    from .results import Ended


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
        return die_of_broken_pipe()
    except OSError as error:
        complain("standard output", error.strerror)
        discard(sys.stdout)
        return CANCELED


def _main(arguments: list[str]) -> int:
    options, command = parse(arguments)
    if command:
        return run_command(command, options)
    if options.pid is not None:
        from .tree import show_process  # noqa: PLC0415 (slow, and only needed here)

        return show_process(options.pid, options)
    from . import formats, info  # noqa: PLC0415 (slow, and not needed to run a program)

    show(formats.own_usage() if options.kind == "json" else info.own_usage())
    return 0


def run_command(command: list[str], options: Options) -> int:
    """Run a program, report its usage on standard error or to a file, and return the exit status to exit with.

    The status is the program's, or 128 + n if signal n killed it, 127 if it was not found, 126 if it could not be
    executed, 125 if the output file could not be opened or the program's status is not available. If the program has
    succeeded, it is 123 if a limit was exceeded, and 125 if that is unknown or if a report could not be written to a
    file. If SIGINT killed the program, SIGINT then kills this process too.

    Must run in the main thread; leaves the environment, the signal mask and the signal handlers changed.
    """
    run_and_report: Callable[[list[str], Options, TextIO | None, Exports], int] = _run_once
    if options.runs is not None or options.compare is not None:
        from . import series  # noqa: PLC0415 (slow, and not needed to run a program once)

        run_and_report = series.run_comparison if options.compare else series.run_series
        series.empty_standard_input()  # before a file is opened that could become it
    if options.output is None and not options.exports:
        return run_and_report(command, options, sys.stderr, [])
    return _with_files(run_and_report, command, options)


def _with_files(
    run_and_report: Callable[[list[str], Options, TextIO | None, Exports], int], command: list[str], options: Options
) -> int:
    """Open the files for the reports, and run a program."""
    from .files import Export, open_output  # noqa: PLC0415 (only needed here)

    exports: Exports = []
    path, file = options.output, None
    try:
        try:
            if path is not None:
                file = open_output(path, append=options.append)
            for kind, path in options.exports:
                exports.append((kind, Export(path)))
        except OSError as error:
            assert path is not None  # noqa: S101 (for the type checker)
            complain(path, error.strerror)
            return CANCELED
        return run_and_report(command, options, sys.stderr if options.output is None else file, exports)
    finally:
        if file is not None:
            file.close()
        for _, export in exports:
            export.close()


def _run_once(command: list[str], options: Options, file: TextIO | None, exports: Exports) -> int:
    ended = attempt(command, Signals(), options=options)
    if isinstance(ended, int):
        if options.format is not None and ended != CANCELED:  # GNU time reports a failed start too
            write(_gnu_report(command, options, ended, {}, None), file)
        return ended
    written = [write(report(command, options, ended, colored=is_colored(file)), file)]
    written += [_export(kind, export, command, ended, options) for kind, export in exports]
    code = ended.code
    if options.limits is not None:
        from . import limits  # noqa: PLC0415 (only needed here)

        status = limits.check(options.limits, [ended], command[0])
        code = limits.OVER if ended.tree is not None and ended.tree.killed else code or status
    return exit_status(code or (0 if all(written) else CANCELED))


def _export(kind: str, export: Export, command: list[str], ended: Ended, options: Options) -> bool:
    """Write a report of a single run to a file; return whether that was possible."""
    if kind == "plot":
        from . import plot  # noqa: PLC0415 (slow, and only needed here)

        return plot.draw(export, command, ended)
    if kind == "samples":
        from . import tree  # noqa: PLC0415 (slow, and only needed here)

        return write_export(tree.as_csv(ended.tree), export)
    from . import formats  # noqa: PLC0415 (slow, and only needed here)

    return write_export(formats.of_run(kind, command, ended, options), export)


def report(command: list[str], options: Options, ended: Ended, *, colored: bool = False) -> str:
    """Return the report of a run in the format of the options."""
    if options.format is not None:
        return _gnu_report(command, options, ended.code, ended.usage, ended.elapsed)
    if options.kind is not None:
        from . import formats  # noqa: PLC0415 (slow, and only needed here)

        return formats.of_run(options.kind, command, ended, options)
    text = ""
    if options.tree:
        from .tree import described  # noqa: PLC0415 (slow, and only needed here)

        text = described(ended.tree, ended.unsampled)
    return as_text(command if options.append else None, ended, tree=text, colored=colored)


def _gnu_report(command: list[str], options: Options, code: int, usage: dict[str, float], elapsed: float | None) -> str:
    assert options.format is not None  # noqa: S101 (for the type checker)
    first = gnu.first_line(code) if options.first_line else ""
    return first + gnu.report(options.format, command, code, usage, elapsed)
