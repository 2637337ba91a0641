"""Run programs again and again, and report the statistics: ``rusage -n RUNS`` and ``rusage --compare COMMAND...``."""

from __future__ import annotations

import os
import shlex
import signal
import time
from typing import TYPE_CHECKING, NamedTuple

from . import formats, limits, tables
from .command_line import split
from .progress import progress, show_progress
from .report import CANCELED, complain, describe_failure, is_colored, readable, write, write_export
from .run import KEYBOARD, Signals, attempt, exit_status
from .statistics import Comparison, Run, compare, series
from .streams import HiddenStreams

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from .options import Exports, Options
    from .results import Command


def run_series(command: list[str], options: Options, file: TextIO | None, exports: Exports) -> int:
    """Run a program again and again, report the statistics, and return the exit status to exit with.

    A run that fails ends the series with its exit status, unless failures are ignored. A signal that ends programs also
    ends the series; the exit status is then the current run's if it failed, and otherwise the signal's.
    """
    made = make_rounds([command], options)
    (warmup,), (runs,) = made.warmup, made.runs
    if made.ended_by is not None and warmup and not warmup[-1].counted:
        failure = describe_failure(f"warm-up run {len(warmup)}", made.code)
        complain(command[0], f"the series has ended: {failure}")
    _show_hidden(made, command[:1])
    found = series(command, len(warmup), runs, made.stopped_by)
    names = [readable(shlex.join(command))]
    is_written = _report(made, Comparison([found], [{}], {}), names, options, file, exports)
    return _final_status(made, command[:1], options, is_written=is_written)


def run_comparison(commands: list[str], options: Options, file: TextIO | None, exports: Exports) -> int:
    """Run the commands in turn, report their statistics, and return the exit status to exit with.

    The series ends as a series of one program does; only complete rounds are in the statistics.
    """
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
    _show_hidden(made, commands)
    found = [
        series(name, warmup, runs, made.stopped_by)
        for name, warmup, runs in zip(names, warmups, made.runs, strict=True)
    ]
    is_written = _report(made, compare(found), commands, options, file, exports)
    return _final_status(made, commands, options, is_written=is_written)


def _show_hidden(made: Rounds, names: list[str]) -> None:
    """Print messages about the hidden output of the run that ended the series. *names*: of the commands."""
    if made.ended_by is not None:
        for message in made.hidden:
            complain(names[made.ended_by], message)


def _report(  # noqa: PLR0913, PLR0917 (private)
    made: Rounds, found: Comparison, commands: list[str], options: Options, file: TextIO | None, exports: Exports
) -> bool:
    """Write the reports of the runs, if there was one; return whether all files have one.

    A series is a comparison of one command.
    """
    if not any(made.warmup) and not any(made.runs) and made.stopped_by is None:
        return True
    if options.kind is not None:
        text = formats.of_runs(options.kind, found, commands, options, file)
    elif options.compare:
        text = tables.of_comparison(found, commands, options, colored=is_colored(file), sign=tables.sign(file))
    else:
        text = tables.of_series(found.series[0], options, colored=is_colored(file))
    written = [write(text, file)]
    for kind, export in exports:
        written.append(write_export(formats.of_runs(kind, found, commands, options, None), export))
    return all(written)


def _final_status(made: Rounds, names: list[str], options: Options, *, is_written: bool) -> int:
    """Compare the runs with the limits, and return the exit status to exit with. *names*: of the commands.

    The status comes from the run that ended the series, or else from the signal, or else from the limits, or else from
    a report that could not be written.
    """
    code = made.code
    if made.stopped_by is not None:
        code = code or -made.stopped_by
    if options.limits is not None:
        statuses = [
            limits.check(options.limits, [run.ended for run in runs], name)
            for name, runs in zip(names, made.runs, strict=True)
        ]
        code = code or max(statuses)
        trees = [run.ended.tree for runs in [*made.runs, *made.warmup] for run in runs]
        if any(tree is not None and tree.killed for tree in trees):
            code = limits.OVER
    return exit_status(code or (0 if is_written else CANCELED))


# --- The runs --------------------------------------------------------------------------------------------------------

# The signals that end the series after the current run.
ENDING = {*KEYBOARD, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}

# A comparison without -n makes as many rounds as fit into these seconds for each command, and at least this number.
SECONDS, LEAST_ROUNDS = 3.0, 10


class Rounds(NamedTuple):
    """The runs that were made; ``warmup`` and ``runs`` have a list for each command."""

    warmup: list[list[Run]]
    runs: list[list[Run]]
    code: int
    """The exit code of the run that ended the series, as in subprocess, or the status if it could not be started."""
    ended_by: int | None
    """The position of the command whose failure ended the series."""
    stopped_by: int | None
    """The signal that ended the series."""
    hidden: list[str]
    """Messages about the hidden output of the run that ended the series."""


def make_rounds(commands: list[Command], options: Options) -> Rounds:
    """Run each command once in each round, in reverse order in every second one.

    A run that fails ends the series, unless failures are ignored, and so does a signal that ends programs. The runs of
    a round that is not complete do not count.
    """
    signals = Signals()
    streams = HiddenStreams(hide=not options.show_output)
    warmup: list[list[Run]] = [[] for _ in commands]
    runs: list[list[Run]] = [[] for _ in commands]
    code, ended_by, hidden = 0, None, []
    began = time.monotonic()
    schedule = _schedule(len(commands), options.warmup, options.runs)
    for done, (number, at, rounds) in enumerate(schedule):
        if not options.show_output:
            numbers = options.warmup * len(commands), rounds * len(commands)
            show_progress(*progress(done, *numbers, time.monotonic() - began))
        code = _prepare(options, signals, streams)
        if code or _ending_signal(signals) is not None:  # the terminal's may arrive between two runs
            break
        streams.clear()
        name = options.compare[at] if options.compare else None
        ended = attempt(commands[at], signals, streams.descriptors, name=name, options=options, tell=_complain)
        if isinstance(ended, int):
            code, ended_by = ended, at
            break
        failure = 0 if options.ignore_failure else ended.code
        counted = not failure and _ending_signal(signals) is None
        (runs if number > 0 else warmup)[at].append(Run(ended, counted=counted))
        if not counted:
            code, ended_by = failure, at if failure else None
            hidden = streams.after_failure() if failure and _ending_signal(signals) is None else []
            break
    show_progress()
    complete = min(sum(run.counted for run in made) for made in runs)
    runs = [[run._replace(counted=run.counted and at < complete) for at, run in enumerate(made)] for made in runs]
    return Rounds(warmup, runs, code, ended_by, _ending_signal(signals), hidden)


def _prepare(options: Options, signals: Signals, streams: HiddenStreams) -> int:
    """Run the command that prepares a run; if it fails, print an error message. Return its exit code."""
    if options.prepare is None:
        return 0
    streams.clear()
    command = readable(options.prepare)
    ended = attempt(split(options.prepare), signals, streams.descriptors, name=command, tell=_complain)
    if isinstance(ended, int):
        return ended
    if ended.code and _ending_signal(signals) is None:
        failure = describe_failure("the preparation failed", ended.code)
        for message in [f"the series has ended: {failure}", *streams.after_failure()]:
            _complain(command, message)
    return ended.code


def _complain(name: str, text: str | None) -> None:
    """Print an error message in the place of the progress line."""
    show_progress()
    complain(name, text)


def _schedule(commands: int, warmup: int, rounds: int | None) -> Iterator[tuple[int, int, int]]:
    """Return the number of the round, the position of the command, and the number of all rounds, for each run.

    The numbers of the rounds are 1 and more after the warm-up. Without a number of *rounds*, it is estimated from the
    first rounds, and does not change after them.
    """
    began, number, wanted = 0.0, 1 - warmup, rounds or LEAST_ROUNDS
    while True:
        if number == 1:
            began = time.monotonic()
        elif rounds is None and 1 < number <= LEAST_ROUNDS + 1:
            wanted = rounds_that_fit(number - 1, time.monotonic() - began, commands)
        if number > wanted:
            return
        order = range(commands)
        yield from ((number, at, wanted) for at in (order if number % 2 else reversed(order)))
        number += 1


def rounds_that_fit(done: int, elapsed: float, commands: int) -> int:
    """Return how many rounds fit into the time for a comparison, if *done* rounds have taken *elapsed* seconds."""
    if not elapsed:  # by a clock with long ticks, as on Windows before Python 3.13
        return LEAST_ROUNDS
    return max(LEAST_ROUNDS, int(SECONDS * commands * done / elapsed))


def _ending_signal(signals: Signals) -> int | None:
    return next((number for number in signals.received if number in ENDING), None)


def empty_standard_input() -> None:
    """Make the null device the standard input of this process, and so of each run."""
    null = os.open(os.devnull, os.O_RDONLY)
    if null == 0:  # the caller closed it
        os.set_inheritable(null, True)  # noqa: FBT003 (takes no keyword)
    else:
        os.dup2(null, 0)
        os.close(null)
