"""Where the command writes: standard streams, messages; width and colours of terminals."""

from __future__ import annotations

import contextlib
import errno
import os
import sys

from .._calls import os_error

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import TextIO

# The exit status if rusage itself fails, as in env(1), nohup(1) and GNU time.
CANCELED = 125
OVER = 123  # of a limit; unused by env(1), nohup(1), timeout(1) and the shells

# The control characters C0 and C1, except for tabs and newlines.
CONTROLS = {
    number: f"\\x{number:02x}" for number in {*range(0x20), *range(0x7F, 0xA0)} - {*b"\t\n"}
}
IN_A_LINE = CONTROLS | {ord("\t"): "\\t", ord("\n"): "\\n"}


def utf8(text: str) -> str:
    r"""Return a text with each byte that is not UTF-8 as \xNN: JSON has no surrogates.

    For Python, such a byte is a lone surrogate.
    """
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def readable(text: str) -> str:
    r"""Return a text for a report, with control characters and bytes that are not UTF-8 as \xNN."""
    return utf8(text).translate(CONTROLS)


def in_a_line(text: str) -> str:
    """Return a readable text without line ends and tabs."""
    return utf8(text).translate(IN_A_LINE)


# --- Streams ---

STANDARD_OUTPUT = "standard output"


def show(text: str) -> None:
    """Print a text on standard output; an ``OSError`` names that as its file."""
    if sys.stdout is None:  # the caller closed it; print() would discard the text
        raise os_error(errno.EBADF, STANDARD_OUTPUT)
    try:
        print(text, flush=True)
    except OSError as error:
        discard(sys.stdout)
        raise os_error(error.errno or 0, STANDARD_OUTPUT) from None


def complain(*parts: str | None, alarming: bool = True) -> None:
    """Print a message on standard error, if possible; on a terminal in red, if about a failure."""
    if sys.stderr is None:
        return
    show_progress()
    text = f"rusage: {': '.join(in_a_line(part or '') for part in parts)}"
    try:
        sys.stderr.write(f"{paint(text, RED) if alarming and is_colored(sys.stderr) else text}\n")
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


_shown = 0  # the length of the progress line on the terminal


def show_progress(text: str = "") -> None:
    """Replace the progress line on a terminal by a text, cut to its width; without one, remove it.

    The cursor stays at the start of the line: what the terminal echoes, such as ^C, is removed with
    it.
    """
    global _shown  # noqa: PLW0603 (of this process)
    if sys.stderr is None or not sys.stderr.isatty() or not (text or _shown):
        return
    width = width_of(sys.stderr) - 1
    line = text[:width]
    with contextlib.suppress(OSError):  # the terminal has hung up
        sys.stderr.write(f"\r{line:<{min(_shown, width)}}\r")
        sys.stderr.flush()
    _shown = len(line)


def discard(stream: TextIO | None) -> None:
    """Redirect a stream that cannot be written to, so that flushing it at exit does not fail."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # it is closed
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # type: ignore[union-attr]


class Stream:
    """Standard output or standard error for a report; None if the caller closed it."""

    def __init__(self, file: TextIO | None) -> None:
        self.file = file

    def write(self, report: str) -> bool:
        """Write a report; print a message if that fails.

        Return whether standard output has it.
        """
        if self.file is None:
            return True
        try:
            self.file.write(report + "\n")
            self.file.flush()
        except OSError as error:
            discard(self.file)
            if self.file is not sys.stderr:
                complain(STANDARD_OUTPUT, error.strerror)
                return False
        return True


# --- Terminals ---

# Readable on light and dark backgrounds, unlike most colours.
RED, BOLD = "1;31", "1"


def width_of(file: TextIO | None) -> int:
    """Return the columns of a terminal, and 80 where there is none."""
    columns = 0
    # It may be closed, or no terminal, or no file.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        columns = os.get_terminal_size(file.fileno()).columns  # type: ignore[union-attr]
    return columns or 80


def is_colored(file: TextIO | None) -> bool:
    """Return whether a report is in colour: on terminals, except for Windows'.

    Those may not interpret the codes.
    """
    if file is None or not file.isatty() or sys.platform == "win32":
        return False
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str) -> str:
    """Return a text in a style: its parameters in the escape sequence."""
    return f"\x1b[{style}m{text}\x1b[0m"
