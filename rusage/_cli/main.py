"""Choose what the command does, and run one program."""

from __future__ import annotations

import contextlib
import gc
import io
import sys
from functools import partial

from . import gnu
from .figures import TOO_SHORT, Series, code_of, figures_of, is_killed
from .options import Options, parse
from .output import CANCELED, OVER, Stream, complain
from .report import of_run
from .run import Signals, die_of, exit_status_or_die, run

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, TextIO

    from .files import Export, Output


def main(arguments: list[str] | None = None) -> int:
    """Run the command after the options, or print what they ask for; return the exit status."""
    if hasattr(gc, "freeze"):  # not in PyPy
        gc.freeze()  # the end of the interpreter then does not search the modules for garbage
    for stream in sys.stdout, sys.stderr:
        if isinstance(stream, io.TextIOWrapper):  # its encoding may lack characters
            stream.reconfigure(errors="backslashreplace")
    try:
        options, command = parse(sys.argv[1:] if arguments is None else arguments)
        if command and options.show is None:
            return run_command(command, options)
        if options.pid is not None:
            from . import pid

            return pid.print_process(options.pid, options)
        from . import info

        info.print_report(options)
    except BrokenPipeError:  # the reader of standard output, such as head(1), has closed its end
        die_of("SIGPIPE")  # which Python ignores
        return CANCELED
    except OSError as error:
        name = error.filename if isinstance(error.filename, str) else None
        complain(*filter(None, [name, error.strerror]))
        return CANCELED
    return 0


def run_command(command: list[str], options: Options) -> int:
    """Run a program, report its usage, and return the exit status that rusage(1) describes.

    The report goes to standard error or to a file.

    Must run in the main thread; leaves the environment, the signal mask and the signal handlers
    changed.
    """
    if options.against is not None:
        from . import stored

        if not stored.load(options.against, options, command):
            return CANCELED
    make_runs = _run_once
    if options.is_series:
        from . import series

        make_runs = series.run_series
        series.empty_standard_input()  # before a file is opened that could become it
    output: Stream | Output = Stream(sys.stderr)
    exports: list[Export] = []
    with contextlib.ExitStack() as closing:
        if options.output is not None or options.exports:
            from .files import open_reports

            output, exports = open_reports(options, closing)
        file = output.file
        if isinstance(file, io.TextIOWrapper) and options.format is not None:
            # %C: the bytes of the command, as from GNU time.
            encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
            file.reconfigure(encoding=encoding, errors=errors)
        _import_reports(options)
        found, code = make_runs(command, options)
        return _report_and_judge(found, code, options, output, exports)


def _import_reports(options: Options) -> None:
    """Import the modules of the reports now: the program may replace this package."""
    needed = {
        "formats": options.kind is not None or options.exports,
        "limits": options.limits,
        "table": options.is_series or options.stored is not None,
        "summary": options.is_series,
    }
    for name, is_needed in needed.items():
        if is_needed:
            from importlib import import_module  # a plain run does without

            import_module(f".{name}", __package__)


def _run_once(command: list[str], options: Options) -> tuple[list[Series], int]:
    ended = run(command, Signals(), options=options)
    if isinstance(ended, int):
        return [Series(command, [])], ended
    return [Series(command, [ended])], code_of(ended)


def _report_and_judge(
    found: list[Series],
    code: int,
    options: Options,
    output: Stream | Output,
    exports: list[Export],
) -> int:
    """Write the reports, and compare the runs with the limits; return the exit status.

    *code*: of a run that has failed or could not be started.
    """
    killed = limited = 0
    if options.limits:
        from .limits import judge_all

        for each in found:
            judge_all(each, options.limits, options.relative)
    stopped_by, is_written = found[0].stopped_by, True
    has_run = any(each.warmup or each.runs for each in found) or stopped_by is not None
    report = partial(_content, found=found, code=code, options=options)
    # GNU time reports a program that cannot be started too.
    if has_run or (options.format is not None and code != CANCELED):
        is_written = output.write(report(options.kind, file=output.file))
    for export in exports if has_run else []:
        is_written &= export.replace(report)
    if options.limits:
        from .limits import complain_of

        limited = max(map(complain_of, found))
        if any(is_killed(run) for each in found for run in each.warmup + each.runs):
            killed = OVER
    statuses = [killed, code, -(stopped_by or 0), limited, 0 if is_written else CANCELED]
    return exit_status_or_die(next(filter(None, statuses), 0))  # the first that is not 0 counts


def _content(
    kind: str | None,
    found: list[Series],
    code: int,
    options: Options,
    file: TextIO | None = None,
) -> Any:
    """Return a report: bytes for a picture, and otherwise text. *file*: of ``--output``."""
    if kind is None:
        return _for_people(found, code, options, file)
    from . import formats

    if kind == "json":
        return formats.json_of_runs(found, options)
    if kind == "markdown":
        return formats.markdown_of_runs(found, options, file)
    if kind == "csv":
        return formats.csv_of_runs(found)
    (made,) = found[0].runs
    reason = made["_unsampled"] or TOO_SHORT
    return formats.of_tree(kind, found[0].text, made.get("tree"), reason)


def _for_people(found: list[Series], code: int, options: Options, file: TextIO | None) -> str:
    """Return a report for people: GNU time's, a table, or the rows of a run."""
    first = found[0]
    if options.format is not None:
        figures = figures_of(first.runs[0]) if first.runs else {}
        return gnu.report(options.format, first.words, code, figures, first_line=options.first_line)
    if options.is_series or options.stored is not None:
        from . import table

        return table.of_runs(found, options, file)
    return of_run(first, options, file)
