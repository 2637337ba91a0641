"""The files that reports are written to."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


def open_output(path: str, *, append: bool) -> TextIO:
    """Open the file of ``--output``. It is emptied now, as by GNU time, unless it is also the program's."""
    # Text may hold the command's bytes, which need not be UTF-8.
    return open(path, "a" if append else "w", encoding="utf-8", errors="surrogateescape", opener=_shared_or_open)


class Export:
    """A file for another report. It keeps its content until the report is written."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._made: str | None = None
        """The file that this object has made."""
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
        if not os.path.exists(path):  # devices and descriptors in /dev/fd exist
            target = os.path.realpath(path)  # a link without a target stays
            with contextlib.suppress(FileExistsError):
                self._descriptor = os.open(target, flags | os.O_EXCL, 0o666)
                self._made = target
                return
        self._descriptor = _shared_or_open(path, flags)

    def write(self, content: bytes) -> None:
        """Replace the content of the file. After an ``OSError``, a regular file is empty."""
        is_ours = stat.S_ISREG(os.fstat(self._descriptor).st_mode) and _stream_of(self._descriptor) is None
        if is_ours:
            os.ftruncate(self._descriptor, 0)
        try:
            with open(os.dup(self._descriptor), "wb") as file:  # NFS may report write errors only when it is closed
                file.write(content)
        except OSError:
            if is_ours:
                os.ftruncate(self._descriptor, 0)
            raise

    def close(self) -> None:
        """Close the file; remove it if it was made here and no report was written to it."""
        with contextlib.suppress(OSError):  # such as a folder that cannot be written to
            status = os.fstat(self._descriptor)
            if self._made is not None and not status.st_size and os.path.samestat(status, os.lstat(self._made)):
                os.unlink(self._made)
        os.close(self._descriptor)


def _shared_or_open(path: str, flags: int) -> int:
    """Open a file; if it is also the program's output, share the position in the file: neither overwrites the other."""
    with contextlib.suppress(OSError):
        stream = _stream_of(path)
        if stream is not None:
            return os.dup(stream)
    return os.open(path, flags, 0o666)


def _stream_of(file: str | int) -> int | None:
    """Return the descriptor of standard output or standard error, if that is the same file."""
    status = os.stat(file)
    for stream in 1, 2:
        with contextlib.suppress(OSError):  # closed
            # The console of Windows has no inode.
            if status.st_ino and os.path.samestat(status, os.fstat(stream)) and _is_writable(stream):
                return stream
    return None


if sys.platform == "win32":

    def _is_writable(_: int) -> bool:
        return True

else:

    def _is_writable(descriptor: int) -> bool:
        import fcntl  # noqa: PLC0415 (not on Windows)

        return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
