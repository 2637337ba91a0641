"""Where the command writes: standard streams, files, messages; width and colours of terminals."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

# The exit status if rusage itself fails, as in env(1), nohup(1) and GNU time.
CANCELED = 125

# The control characters C0 and C1, except for tabs and newlines.
CONTROLS = {
    number: f"\\x{number:02x}" for number in {*range(0x20), *range(0x7F, 0xA0)} - {*b"\t\n"}
}


def utf8(text: str) -> str:
    r"""Return a text with each byte that is not UTF-8 as \xNN: JSON has no surrogates.

    For Python, such a byte is a lone surrogate.
    """
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def readable(text: str) -> str:
    r"""Return a text for a report, with control characters and bytes that are not UTF-8 as \xNN."""
    return utf8(text).translate(CONTROLS)


# --- Streams ---


def show(text: str) -> None:
    """Print a text on standard output."""
    if sys.stdout is None:  # the caller closed it; print() would discard the text
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    print(text)


def complain(*parts: str | None, alarming: bool = True) -> None:
    """Print a message on standard error, if possible; on a terminal in red, if about a failure."""
    if sys.stderr is None:
        return
    show_progress()
    text = f"rusage: {': '.join(readable(part or '') for part in parts)}".replace("\n", "\\n")
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


def write(report: str, file: TextIO | None) -> bool:
    """Write a report; print a message if that fails. Return whether a file has the report."""
    if file is None:  # the caller closed standard error
        return True
    is_stream = file in {sys.stdout, sys.stderr}
    try:
        if not is_stream and _is_ours(file.fileno()):
            _check_name(file.name, file.fileno())
        file.write(report + "\n")
        file.flush()
        if not is_stream:
            file.close()  # NFS may report write errors only here
    except OSError as error:
        discard(file)
        if file is not sys.stderr:
            complain("standard output" if file is sys.stdout else file.name, error.strerror)
            return False
    return True


# --- Files ---


def open_output(path: str, *, append: bool) -> TextIO:
    """Open the file of ``--output``.

    It is emptied now, as by GNU time, unless it is also the program's.
    """
    if path == "-":
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return sys.stdout
    return open(path, "a" if append else "w", encoding="utf-8", opener=_shared_or_open)


class Export:
    """A file for another report, closed by *files*.

    It keeps its content until the report is written.
    """

    def __init__(self, kind: str, path: str, files: contextlib.ExitStack) -> None:
        self.kind, self.path = kind, path
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._descriptor = _shared_or_open(path, flags)
        files.callback(os.close, self._descriptor)
        self._is_ours = _is_ours(self._descriptor)  # later a stream may be redirected

    def write(self, make: Callable[[str], str | bytes]) -> bool:
        """Replace the content of the file by the report that *make* returns for its kind.

        If that fails, print a message. Return whether the file has the report.
        """
        is_empty = False
        try:
            content = make(self.kind)
            if isinstance(content, str):
                content = f"{content}\n".encode("utf-8", "surrogateescape")
            if self._is_ours:
                _check_name(self.path, self._descriptor)
                # A file that is moved from now on has the whole report.
                os.ftruncate(self._descriptor, 0)
                is_empty = True
            # NFS may report write errors only when the file is closed.
            with open(os.dup(self._descriptor), "wb") as file:
                file.write(content)
        except OSError as error:
            if is_empty:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, 0)  # leave no part of a report
            complain(self.path, error.strerror)
            return False
        return True


def _is_ours(descriptor: int) -> bool:
    """Return whether a file is a regular one, and not also the program's output."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode) and _stream_of(descriptor) is None


def _check_name(path: str, descriptor: int) -> None:
    """Raise ``OSError`` if the program has removed or replaced the file of a report.

    Nobody would find the report.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if os.path.samestat(os.stat(path), os.fstat(descriptor)):
            return
    raise FileNotFoundError(
        errno.ENOENT, "the file was removed or replaced before the report was written"
    )


def _shared_or_open(path: str, flags: int) -> int:
    """Open a file to append to it; if it is also the program's output, share the position in it."""
    stream = 1 if path == "-" else _stream_of(path)
    descriptor = os.open(path, flags | os.O_APPEND, 0o666) if stream is None else os.dup(stream)
    with contextlib.ExitStack() as lower:
        while descriptor <= 2:  # the number of a closed stream: it would be taken for that
            lower.callback(os.close, descriptor)
            descriptor = os.dup(descriptor)
    return descriptor


def _stream_of(file: str | int) -> int | None:
    """Return the descriptor of standard output or standard error, if that is the same file."""
    for stream in 1, 2:
        with contextlib.suppress(OSError):  # it is closed, or there is no such file
            status = os.stat(file)
            # The console of Windows has no inode.
            if status.st_ino and os.path.samestat(status, os.fstat(stream)):
                return stream
    return None


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
