"""The progress line of a series."""

from __future__ import annotations

import os
import sys

BAR = 20  # columns

_shown = 0


def show_progress(*texts: str) -> None:
    """Replace the progress line on a terminal by the first text that fits its width; without a text, remove it.

    The cursor stays at the start of the line: what the terminal echoes, such as ^C, is removed with it.
    """
    global _shown  # noqa: PLW0603 (the length of the line on the terminal)
    if sys.stderr is None or not sys.stderr.isatty() or not (texts or _shown):
        return
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or sys.maxsize  # 0: unknown
        line = next((text for text in texts if len(text) < columns), "")
        sys.stderr.write(f"\r{line:<{min(_shown, columns - 1)}}\r")
        sys.stderr.flush()
    except OSError:  # the terminal has hung up
        return
    _shown = len(line)


def progress(done: int, warmup: int, runs: int, elapsed: float) -> list[str]:
    """Return a line about the next run, and shorter ones for narrow terminals.

    *done* of *warmup* and *runs* have been made in *elapsed* seconds.
    """
    left = warmup + runs - done
    text = f"warm-up run {done + 1} of {warmup}" if done < warmup else f"run {done - warmup + 1} of {runs}"
    more = f"{text}, {left} left, about {_duration(elapsed / done * left)}" if done else text
    full = BAR * done // (warmup + runs)
    return [f"rusage: [{'#' * full:-<{BAR}}] {more}", f"rusage: {more}", f"rusage: {text}"]


def _duration(seconds: float) -> str:
    """Return an estimated time."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
