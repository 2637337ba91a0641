"""Run programs again and again, and report the statistics: ``rusage -n RUNS`` and ``rusage --compare COMMAND...``."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from . import formats, limits, tables
from .report import complain, describe_failure, is_colored, readable, write
from .run import KEYBOARD, Signals, attempt, exit_status, split
from .statistics import Comparison, Run, compare, series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from .options import Options
    from .run import Command


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
        if options.compare:
            text = formats.comparison(found, options.limits)
        else:
            text = formats.series(found.series[0], options.limits)
    elif options.table is not None:
        text = formats.table(found, commands, options, file)
    elif options.compare:
        text = tables.of_comparison(found, commands, options, colored=is_colored(file), sign=tables.sign(file))
    else:
        text = tables.of_series(found.series[0], options, colored=is_colored(file))
    write(text, file)


def _final_status(made: Rounds, names: list[str], options: Options) -> int:
    """Compare the runs with the limits, and return the exit status to exit with. *names*: of the commands.

    The status comes from the run that ended the series, or else from the signal, or else from the limits.
    """
    code = made.code
    if made.stopped_by is not None:
        code = code or -made.stopped_by
    if options.limits is not None:
        statuses = [
            limits.check(options.limits, [(run.usage, run.peak_bound) for run in runs], name)
            for name, runs in zip(names, made.runs, strict=True)
        ]
        code = code or max(statuses)
    return exit_status(code)


# --- The runs --------------------------------------------------------------------------------------------------------

# The signals that end the series after the current run.
ENDING = {*KEYBOARD, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}


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


def make_rounds(commands: list[Command], options: Options) -> Rounds:
    """Run each command once in each round, in reverse order in every second one.

    A run that fails ends the series, unless failures are ignored, and so does a signal that ends programs. The runs of
    a round that is not complete do not count.
    """
    assert options.runs is not None  # noqa: S101 (for the type checker)
    signals = Signals()
    warmup: list[list[Run]] = [[] for _ in commands]
    runs: list[list[Run]] = [[] for _ in commands]
    code, ended_by = 0, None
    began = time.monotonic()
    for done, (number, at) in enumerate(_schedule(len(commands), options.warmup, options.runs)):
        _show_progress(progress_text(done, len(commands), options, time.monotonic() - began))
        if _ending_signal(signals) is not None:  # the terminal's may arrive between two runs
            break
        ended = attempt(commands[at], signals, options.compare[at] if options.compare else None, _complain)
        if isinstance(ended, int):
            code, ended_by = ended, at
            break
        failure = 0 if options.ignore_failure else ended[0]
        counted = not failure and _ending_signal(signals) is None
        (runs if number > 0 else warmup)[at].append(Run(*ended, counted=counted))
        if not counted:
            code, ended_by = failure, at if failure else None
            break
    _show_progress("")
    complete = min(sum(run.counted for run in made) for made in runs)
    runs = [[run._replace(counted=run.counted and at < complete) for at, run in enumerate(made)] for made in runs]
    return Rounds(warmup, runs, code, ended_by, _ending_signal(signals))


def _schedule(commands: int, warmup: int, runs: int) -> Iterator[tuple[int, int]]:
    """Return the number of the round, from 1 on after the warm-up, and the position of the command for each run."""
    for number in range(1 - warmup, runs + 1):
        order = range(commands)
        yield from ((number, at) for at in (order if number % 2 else reversed(order)))


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


# --- Progress --------------------------------------------------------------------------------------------------------

_shown = 0


def _show_progress(text: str) -> None:
    """Replace the progress line on a terminal, without what does not fit its width; an empty text removes it."""
    global _shown  # noqa: PLW0603 (the length of the line on the terminal)
    if sys.stderr is None or not sys.stderr.isatty():
        return
    lines = [f"rusage: {each}: " for each in (text, text.partition(",")[0]) if each]  # the output of the run may follow
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or sys.maxsize  # 0: unknown
        line = next((each for each in lines if len(each) < columns), "")
        sys.stderr.write(f"\r{line:<{_shown}}" if line else f"\r{'':<{_shown}}\r")
        sys.stderr.flush()
    except OSError:  # the terminal has hung up
        return
    _shown = len(line)


def _complain(name: str, text: str | None) -> None:
    """Print an error message in the place of the progress line."""
    _show_progress("")
    complain(name, text)


def progress_text(done: int, commands: int, options: Options, elapsed: float) -> str:
    """Return the number of the next run, the number left, and their estimated time, from the runs so far."""
    assert options.runs is not None  # noqa: S101 (for the type checker)
    warmup, runs = options.warmup * commands, options.runs * commands
    left = warmup + runs - done
    text = f"warm-up run {done + 1} of {warmup}" if done < warmup else f"run {done - warmup + 1} of {runs}"
    return text + (f", {left} left, about {_duration(elapsed / done * left)}" if done else "")


def _duration(seconds: float) -> str:
    """Return an estimated time."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
