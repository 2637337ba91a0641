"""The files of reports: each keeps its content until the whole report is in its place."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time

from .._calls import os_error
from .._units import shown
from .options import fail
from .output import Stream, complain

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from .options import Options

# Errors that the file itself would have too, where the content would be lost.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}

# For how many seconds a lock is tried: the caller may hold it while this process runs.
LOCK_S = 1.0


def open_reports(
    options: Options, closing: contextlib.ExitStack
) -> tuple[Stream | ReportFile, list[ReportFile]]:
    """Open the files of all reports: of the one that ``--output`` is about, and of the others.

    Exits, before a file is emptied, if two reports are in the same one.
    """
    exports = [ReportFile(path, closing, kind) for kind, path in options.exports]
    output: Stream | ReportFile = Stream(sys.stderr)
    if options.output == "-":
        if sys.stdout is None:
            raise os_error(errno.EBADF)
        output = Stream(sys.stdout)
    elif options.output is not None:
        output = ReportFile(options.output, closing, flags=os.O_APPEND)
        output.has_one_head = options.append and options.kind == "csv"
    files = [*exports, output] if isinstance(output, ReportFile) else exports
    _refuse_shared_files(files, options.stored_file)
    if isinstance(output, ReportFile):
        if output.is_ours and not options.append:  # as GNU time does
            os.ftruncate(output.descriptor, 0)
        output.file = os.fdopen(output.descriptor, "a", encoding="utf-8", closefd=False)
    return output, exports


def _refuse_shared_files(files: list[ReportFile], stored: os.stat_result | None) -> None:
    """Exit if two reports, the one of ``--against`` among them, are in the same file."""
    seen = [] if stored is None else [stored]
    for file in files:
        status = os.fstat(file.descriptor)
        if file.path != "-" and stat.S_ISREG(status.st_mode):  # devices and FIFOs may repeat
            if any(os.path.samestat(status, other) for other in seen):
                fail(f"two reports cannot be in the same file: {shown(file.path)}")
            seen.append(status)


class ReportFile:
    """A file for a report, closed by *closing*, which removes it if it is new and still empty."""

    file: TextIO | None = None
    """The file of ``--output``, for the width of a terminal."""
    has_one_head = False
    """Whether a report that is appended to another one has no first line."""

    def __init__(
        self, path: str, closing: contextlib.ExitStack, kind: str = "", flags: int = 0
    ) -> None:
        self.path, self.kind = path, kind
        self.descriptor, self._made = _open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0) | flags)
        closing.callback(self._close)
        # Whether it is a regular file, and not also the program's output: later a stream may be
        # redirected.
        is_regular = stat.S_ISREG(os.fstat(self.descriptor).st_mode)
        self.is_ours = is_regular and _stream_of(self.descriptor) is None

    def _close(self) -> None:
        goes = False
        if self._made is not None:
            with contextlib.suppress(OSError):
                _check_name(self._made, self.descriptor)
                goes = not os.fstat(self.descriptor).st_size
        os.close(self.descriptor)
        if self._made is not None and goes:
            with contextlib.suppress(OSError):
                os.unlink(self._made)

    # --- The report of --output follows what is in the file ---

    def write(self, report: str) -> bool:
        """Append a report; print a message if that fails. Return whether the file has it."""
        try:
            with _lock(self.descriptor) if self.is_ours else contextlib.nullcontext():
                if self.is_ours:
                    _check_name(self.path, self.descriptor)
                self._append(f"{report}\n")
        except OSError as error:
            complain(self.path, error.strerror)
            return False
        return True

    def _append(self, report: str) -> None:
        size = os.fstat(self.descriptor).st_size
        if self.has_one_head and size:
            report = report.partition("\n")[2]
        assert self.file is not None  # noqa: S101 (it is the file of --output)
        content = report.replace("\n", os.linesep).encode("utf-8", self.file.errors or "strict")
        _write(self.descriptor, content, size if self.is_ours else None)

    # --- Other reports replace what is in the file ---

    def replace(self, make: Callable[[str], str | bytes]) -> bool:
        """Replace the content of the file by the report that *make* returns for its kind.

        If that fails, print a message. Return whether the file has the report.
        """
        try:
            content = make(self.kind)
            if isinstance(content, str):
                content = f"{content}\n".encode("utf-8", "surrogateescape")
            if self.is_ours:
                _check_name(self.path, self.descriptor)
                self._replace(content)
            else:
                _write(self.descriptor, content)
        except OSError as error:
            complain(self.path, error.strerror)
            return False
        return True

    def _replace(self, content: bytes) -> None:
        status = os.fstat(self.descriptor)
        # Another name would keep the old content. An empty file has no content to lose, and the
        # process that made it for this report may read it by its descriptor.
        if status.st_size and status.st_nlink == 1 and sys.platform != "win32":
            try:
                _rename_over(os.path.realpath(self.path), self.descriptor, content)
            except OSError as error:  # such as a folder without permission
                if error.errno in FULL:
                    raise
            else:
                return
        _overwrite(self.descriptor, status.st_size, content)


if sys.platform != "win32":

    def _rename_over(path: str, old: int, content: bytes) -> None:
        """Replace a file that is open by a new one with its mode and owner.

        Raises ``OSError``.
        """
        status = os.fstat(old)
        temporary = os.path.join(os.path.dirname(path), f".rusage-{os.urandom(6).hex()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            try:
                os.fchown(descriptor, status.st_uid, status.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
                _write(descriptor, content)
            finally:
                os.close(descriptor)
            _check_name(path, old)  # a link of /proc to a descriptor may lead elsewhere
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def _overwrite(descriptor: int, size: int, content: bytes) -> None:
    """Replace the content of this size where it is.

    The space for a longer one is had first: newlines after a report do no harm.
    """
    more = b"\n" * (len(content) - size) if size else content
    os.lseek(descriptor, size, os.SEEK_SET)
    _write(descriptor, more, size)
    if size:
        os.lseek(descriptor, 0, os.SEEK_SET)
        _write(descriptor, content.ljust(size, b"\n"))
        os.ftruncate(descriptor, len(content))


def _write(descriptor: int, content: bytes, size: int | None = None) -> None:
    """Write all bytes, if possible at once.

    If that fails, no part is left at the end of a file that had this size.
    """
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.close(os.dup(descriptor))  # NFS may report write errors only here
    except OSError:
        written = len(content) - len(rest)
        with contextlib.suppress(OSError):
            if size is not None and os.fstat(descriptor).st_size == size + written:
                os.ftruncate(descriptor, size)
        raise


@contextlib.contextmanager
def _lock(descriptor: int) -> Iterator[None]:
    """Hold the lock of a file against other runs, if that is possible."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    end = time.monotonic() + LOCK_S
    with contextlib.suppress(OSError):  # the file system has no locks
        while time.monotonic() < end:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.005)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_UN)


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


# --- Opening ---


def _open(path: str, flags: int) -> tuple[int, str | None]:
    """Open a file; if it is also the program's output, share the position in it.

    Return the descriptor and, if the file is a new one, its name.
    """
    stream = 1 if path == "-" else _stream_of(path)
    descriptor, made = _open_or_make(path, flags) if stream is None else (os.dup(stream), None)
    with contextlib.ExitStack() as lower:
        while descriptor <= 2:  # the number of a closed stream: it would be taken for that
            lower.callback(os.close, descriptor)
            descriptor = os.dup(descriptor)
    return descriptor, made


def _open_or_make(path: str, flags: int) -> tuple[int, str | None]:
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags), None
    target = path
    while os.path.islink(target):  # O_EXCL follows no link; a loop of links is another error
        target = os.path.join(os.path.dirname(target), os.readlink(target))
    with contextlib.suppress(FileExistsError):
        return os.open(target, flags | os.O_CREAT | os.O_EXCL, 0o666), target
    return os.open(path, flags | os.O_CREAT, 0o666), None


def _stream_of(file: str | int) -> int | None:
    """Return the descriptor of standard output or standard error, if that is the same file."""
    for stream in 1, 2:
        with contextlib.suppress(OSError):  # it is closed, or there is no such file
            status = os.stat(file)
            # The console of Windows has no inode.
            if status.st_ino and os.path.samestat(status, os.fstat(stream)):
                return stream
    return None
