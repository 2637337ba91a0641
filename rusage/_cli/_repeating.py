"""Run programs again and again, and report the statistics: ``rusage -n RUNS`` and ``rusage --compare COMMAND...``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ._reporting import complain, describe_failure, is_colored, readable, write
from ._rounds import make_rounds
from ._running import exit_status
from ._statistics import Comparison, series

if TYPE_CHECKING:
    from typing import TextIO

    from ._reporting import Options
    from ._rounds import Rounds


def run_series(command: list[str], options: Options, file: TextIO | None) -> int:
    """Run a program again and again, report the statistics, and return the exit status to exit with.

    A run that fails ends the series with its exit status, unless failures are ignored. A signal that ends programs also
    ends the series; the exit status is then the current run's if it failed, and otherwise the signal's.
    """
    made = make_rounds([command], options)
    (warmup,), (runs,) = made.warmup, made.runs
    if made.code and warmup and not warmup[-1].counted:
        failure = describe_failure(f"warm-up run {len(warmup)}", made.code)
        complain(command[0], f"the series has ended: {failure}")
    found = series(command, len(warmup), runs, made.stopped_by)
    _report(made, Comparison([found], [{}], {}), [readable(shlex.join(command))], options, file)
    return _final_status(made, command[:1], options)


def run_comparison(commands: list[str], options: Options, file: TextIO | None) -> int:
    """Run the commands in turn, report their statistics, and return the exit status to exit with.

    The series ends as a series of one program does; only complete rounds are in the statistics.
    """
    from ._comparison import compare, split  # noqa: PLC0415 (only needed here)

    words = [split(command) for command in commands]
    commands = [readable(command) for command in commands]
    made = make_rounds(words, options)
    names = [[word] if isinstance(word, str) else word for word in words]
    warmups = [len(runs) for runs in made.warmup]
    at = made.ended_by
    if at is not None and (made.runs[at] or made.warmup[at]):
        number = len(made.runs[at])
        what = f"run {number}" if number else f"warm-up run {warmups[at]}"
        complain(commands[at], f"the series has ended: {describe_failure(what, made.code)}")
    found = [
        series(name, warmup, runs, made.stopped_by)
        for name, warmup, runs in zip(names, warmups, made.runs, strict=True)
    ]
    _report(made, compare(found), commands, options, file)
    return _final_status(made, commands, options)


def _report(made: Rounds, found: Comparison, commands: list[str], options: Options, file: TextIO | None) -> None:
    """Write the report of the runs, if there was one. A series is a comparison of one command."""
    if not any(made.warmup) and not any(made.runs) and made.stopped_by is None:
        return
    if options.json:
        from . import _json  # noqa: PLC0415 (slow, and only needed here)

        if options.compare:
            text = _json.comparison(found, options.limits)
        else:
            text = _json.series(found.series[0], options.limits)
    elif options.table is not None:
        from ._export import as_table  # noqa: PLC0415 (only needed here)

        text = as_table(found, commands, options, file)
    elif options.compare:
        from ._comparison import as_text as compared  # noqa: PLC0415 (only needed here)

        text = compared(found, commands, options, colored=is_colored(file))
    else:
        from ._series import as_text  # noqa: PLC0415 (only needed here)

        text = as_text(found.series[0], options, colored=is_colored(file))
    write(text, file)


def _final_status(made: Rounds, names: list[str], options: Options) -> int:
    """Compare the runs with the limits, and return the exit status to exit with. *names*: of the commands.

    The status comes from the run that ended the series, or else from the signal, or else from the limits.
    """
    code = made.code
    if made.stopped_by is not None:
        code = code or -made.stopped_by
    if options.limits is not None:
        from ._limits import check  # noqa: PLC0415 (only needed here)

        statuses = [
            check(options.limits, [(run.usage, run.peak_bound) for run in runs], name)
            for name, runs in zip(names, made.runs, strict=True)
        ]
        code = code or max(statuses)
    return exit_status(code)
