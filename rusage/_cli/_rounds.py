"""Run programs in rounds, for a series or a comparison."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from ._reporting import complain
from ._running import KEYBOARD, Signals, attempt
from ._statistics import Run

if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Iterator

    from ._reporting import Options
    from ._running import Command
else:
    import _signal

# The signals that end the series after the current run.
ENDING = {*KEYBOARD, _signal.SIGTERM, getattr(_signal, "SIGHUP", _signal.SIGTERM)}


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
    signals = Signals(note_keyboard=True)
    warmup: list[list[Run]] = [[] for _ in commands]
    runs: list[list[Run]] = [[] for _ in commands]
    code, ended_by = 0, None
    began = time.monotonic()
    for done, (number, at) in enumerate(_schedule(len(commands), options.warmup, options.runs)):
        _show_progress(_progress(done, len(commands), options, time.monotonic() - began))
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


def _progress(done: int, commands: int, options: Options, elapsed: float) -> str:
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
