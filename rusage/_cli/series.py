"""Run programs again and again: ``rusage -n RUNS`` and ``rusage --compare COMMAND...``."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import threading
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .._threads import start_without_signals
from .comparison import compare
from .figures import Series, code_of, is_killed, outcome
from .options import split
from .output import OVER, complain, show_progress
from .run import KEYBOARD, Signals, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .options import Options
    from .run import Streams

    T = TypeVar("T")


def run_series(command: list[str], options: Options) -> tuple[list[Series], int]:
    """Run the program, or the command lines to compare in turn; return the series and a code."""
    if options.compare:
        found = [Series(split(line), [], line) for line in command]
    else:
        found = [Series(command, [])]
    code = make_rounds(found, options)
    if options.compare:
        compare(found)
    return found, code


# --- The runs ---

# The signals that end the series after the current run.
ENDING = {*KEYBOARD, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}

# A comparison without -n makes as many rounds as fit into these seconds for each command, and at
# least this number.
SECONDS, LEAST_ROUNDS = 3.0, 10


class Turn(NamedTuple):
    """A run that is to be made."""

    series: Series
    """The runs of its command so far."""
    position: int
    """In its round, from 1 on."""
    number: int
    """The round: 1 and more after the warm-up."""
    rounds: int
    """How many rounds there will be after the warm-up."""


def make_rounds(found: list[Series], options: Options) -> int:
    """Run each command once in each round, in a random order.

    A run that fails ends the series, unless failures are ignored, and so does a signal that ends
    programs. The runs of a round that is not complete do not count. Return the exit code of the run
    that has ended the series, or the status if it could not be started.
    """
    signals = Signals()
    hidden = HiddenOutput(options)
    code = 0
    began = time.monotonic()
    for done, turn in enumerate(_schedule(found, options.warmup, options.runs)):
        if not options.show_output:
            warmup, runs = options.warmup * len(found), turn.rounds * len(found)
            show_progress(progress(done, warmup, runs, time.monotonic() - began))
        code = _prepare(options, signals, hidden)
        if not code and ending_signal(signals) is None:
            code = _make_run(turn, options, signals, hidden)
        # The terminal's may arrive between two runs.
        if code or ending_signal(signals) is not None:
            break
    show_progress()
    complete = min(len(each.counted) for each in found)
    for each in found:
        each.stopped_by = ending_signal(signals)
        for made in each.runs[complete:]:
            made["_counted"] = False
    return code


def _make_run(turn: Turn, options: Options, signals: Signals, hidden: HiddenOutput) -> int:
    """Make a run; return the code that ends the series, or 0."""
    series, is_warmup = turn.series, turn.number < 1
    ended = run(series.command, signals, hidden.for_next(), name=series.name, options=options)
    if isinstance(ended, int):
        return ended
    made = series.warmup if is_warmup else series.runs
    made.append(ended)
    ended["_position"] = turn.position
    stopped_by = ending_signal(signals)
    code = 0
    if not options.ignore_failure:
        code = code_of(ended) or (OVER if is_killed(ended) else 0)
    ended["_stopped"] = stopped_by is not None
    ended["_counted"] = not code and stopped_by is None
    if code and stopped_by is None:
        what = f"{'warm-up ' if is_warmup else ''}run {len(made)}"
        how = "--kill" if is_killed(ended) else outcome(code)
        _explain_end(series.name, f"{what} ({how}); see --ignore-failure", hidden)
    return code


def _prepare(options: Options, signals: Signals, hidden: HiddenOutput) -> int:
    """Run the command that prepares a run, and return its exit code.

    If it fails, print an error message.
    """
    if options.prepare is None:
        return 0
    name = options.prepare if isinstance(options.prepare, str) else shlex.join(options.prepare)
    ended = run(options.prepare, signals, hidden.for_next(), name=name)
    if isinstance(ended, int):
        return ended
    code = code_of(ended)
    if code and ending_signal(signals) is None:
        _explain_end(name, f"the preparation failed ({outcome(code)})", hidden)
    return code


def _explain_end(name: str, what: str, hidden: HiddenOutput) -> None:
    complain(name, f"the series has ended: {what}")
    for line in hidden.last_lines():
        complain(f"| {line}", alarming=False)


def _schedule(found: list[Series], warmup: int, rounds: int | None) -> Iterator[Turn]:
    """Return the runs of the warm-up and of all rounds.

    Without a number of *rounds*, it is estimated from the first rounds, and does not change after
    them.
    """
    began, number, wanted = 0.0, 1 - warmup, rounds or LEAST_ROUNDS
    while number <= wanted:
        if number == 1:
            began = time.monotonic()
        for position, series in enumerate(shuffled(found), 1):
            yield Turn(series, position, number, wanted)
        if rounds is None and 1 <= number <= LEAST_ROUNDS:
            # 0 by a clock with long ticks, as on Windows before Python 3.13.
            elapsed = time.monotonic() - began
            estimate = int(SECONDS * len(found) * number / elapsed) if elapsed else 0
            wanted = max(LEAST_ROUNDS, estimate)
        number += 1


def shuffled(found: list[T]) -> list[T]:
    """Return the commands in a random order.

    In any fixed order, what slows down each n-th run may always meet the same command.
    """
    if len(found) == 1:
        return found
    import random  # takes milliseconds

    return random.sample(found, len(found))


def ending_signal(signals: Signals) -> int | None:
    """Return the first signal that has arrived of those that end programs."""
    return next((number for number in signals.arrived() if number in ENDING), None)


# --- The streams of the runs ---


def empty_standard_input() -> None:
    """Make the null device the standard input of this process, and so of each run."""
    with contextlib.suppress(OSError):  # the caller closed it
        os.close(0)
    os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)  # noqa: FBT003 (takes no keyword)


class HiddenOutput:
    """A pipe for what the runs would write to a terminal: there it would mix with the report.

    It is not the null device: grep(1) and tar(1), for example, recognise that and do less.
    """

    def __init__(self, options: Options) -> None:
        streams = () if options.show_output else (1, 2)
        self._hidden = {stream for stream in streams if os.isatty(stream)}
        self._mark, self._tail = os.urandom(16), b""
        self.is_read = threading.Event()
        if self._hidden:
            ours, self._theirs = os.pipe()
            try:
                start_without_signals(self._read, ours)
            except RuntimeError as error:
                complain("the output is not hidden", str(error))
                self._hidden.clear()

    def _read(self, descriptor: int) -> None:
        while more := os.read(descriptor, 2**16):
            # Twice what last_lines() shows: no part of a mark.
            self._tail = (self._tail + more)[-(2**13) :]
        self.is_read.set()

    def for_next(self) -> Streams:
        """Return the streams for the next program, whose output follows a mark."""
        if self._hidden:
            os.write(self._theirs, self._mark)
        output, errors = (self._theirs if stream in self._hidden else None for stream in (1, 2))
        return output, errors

    def last_lines(self) -> list[str]:
        """Return the last lines of the last program's output."""
        if self._hidden:
            os.close(self._theirs)
            self.is_read.wait(2)  # a process that runs on keeps the pipe open
        written = self._tail.rpartition(self._mark)[2][-(2**12) :]
        return written.decode("utf-8", "backslashreplace").splitlines()[-10:]


# --- The progress line ---


def progress(done: int, warmup: int, runs: int, elapsed: float) -> str:
    """Return a line about the next run.

    *done* of *warmup* and *runs* have been made in *elapsed* seconds.
    """
    if done < warmup:
        text = f"warm-up run {done + 1} of {warmup}"
    else:
        text = f"run {done - warmup + 1} of {runs}"
    about = (
        f", about {max(1, round(elapsed / done * (warmup + runs - done)))} s left" if done else ""
    )
    return f"rusage: {text}{about}"
