"""The files of reports: ``--output`` adds to its file as GNU time does, other reports replace one.

A file that is replaced has the report that it had, or the whole new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time

from .._calls import os_error
from .._threads import signals_blocked
from .._units import shown
from .options import fail
from .output import CANCELED, STANDARD_OUTPUT, Stream, complain

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from .options import Options

# Errors of files that can be written to, but not replaced: the folder allows no other file, the
# owner cannot be kept, the file is a mount point, or it has no name.
IRREPLACEABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.ENOENT, errno.ENOTDIR}

# Whether files can be made in an open folder, and the flags to open one that cannot be listed.
HOLDS_FOLDERS = {os.open, os.rename, os.stat, os.unlink} <= os.supports_dir_fd
SEARCHING = getattr(os, "O_PATH", getattr(os, "O_SEARCH", 0)) | getattr(os, "O_DIRECTORY", 0)

# For how many seconds a lock is tried: the caller may hold it while this process runs.
LOCK_S = 1.0

WRITING = os.O_WRONLY | getattr(os, "O_BINARY", 0)


def open_reports(
    options: Options, closing: contextlib.ExitStack
) -> tuple[Stream | Output, list[Export]]:
    """Open the files of all reports: of the one that ``--output`` is about, and of the others.

    Exits, before a file is emptied, if that is impossible, or if two reports are in the same one.
    """
    output: Stream | Output = Stream(sys.stderr)
    exports: list[Export] = []
    path = STANDARD_OUTPUT
    try:
        if options.output == "-":
            if sys.stdout is None:
                raise os_error(errno.EBADF)
            output = Stream(sys.stdout)
        elif options.output is not None:
            path = options.output
            output = Output(path, options, closing)
        for kind, path in options.exports:
            exports.append(Export(path, kind, closing))
    except OSError as error:
        complain(path or "''", error.strerror)
        sys.exit(CANCELED)
    if isinstance(output, Stream):
        _refuse_shared_files(exports, options.stored_file)
        return output, exports
    _refuse_shared_files([*exports, output], options.stored_file)
    if output.is_ours and not options.append:  # as GNU time does
        os.ftruncate(output.descriptor, 0)
    return output, exports


def _refuse_shared_files(files: Sequence[Output | Export], stored: os.stat_result | None) -> None:
    """Exit if two reports, the one of ``--against`` among them, are in the same file."""
    seen = set() if stored is None else {_identity(stored)}
    for file in files:
        if file.identity is None or file.path == "-":
            continue
        if file.identity in seen:
            fail(f"two reports cannot be in the same file: {shown(file.path)}")
        seen.add(file.identity)


def _identity(status: os.stat_result) -> object:
    """Return what the names of one file share; None for devices and FIFOs, which may repeat."""
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


class Output:
    """The file of ``--output``: the report follows what is in it."""

    def __init__(self, path: str, options: Options, closing: contextlib.ExitStack) -> None:
        self.path = path
        self.descriptor, status, self.is_ours = _open(path, os.O_APPEND | os.O_CREAT)
        closing.callback(os.close, self.descriptor)
        errors = "backslashreplace"
        self.file = os.fdopen(self.descriptor, "a", encoding="utf-8", errors=errors, closefd=False)
        """For the width of a terminal, and the encoding."""
        self.identity = _identity(status)
        self._has_one_head = options.append and options.kind == "csv"
        self._reader: BinaryIO | None = None
        if self.is_ours and options.format is None:  # GNU time also adds to a line
            with contextlib.suppress(PermissionError):
                self._reader = closing.enter_context(open(path, "rb"))  # noqa: SIM115
        if self._has_one_head and self._reader is not None:
            from .formats import check_head

            check_head(self._reader)

    def write(self, report: str) -> bool:
        """Append a report; print a message if that fails. Return whether the file has it."""
        try:
            with _lock(self.descriptor) if self.is_ours else contextlib.nullcontext():
                self._append(f"{report}\n")
        except OSError as error:
            complain(self.path, error.strerror)
            return False
        return True

    def _append(self, report: str) -> None:
        size = os.fstat(self.descriptor).st_size
        if self._has_one_head and size:
            report = report.partition("\n")[2]
        if self._reader is not None and size:
            self._reader.seek(-1, os.SEEK_END)
            if self._reader.read(1) != b"\n":
                report = f"\n{report}"
        text = report.replace("\n", os.linesep)
        content = text.encode(self.file.encoding, self.file.errors or "strict")
        _write(self.descriptor, content, size if self.is_ours else None)


class Export:
    """A file that is replaced by another one, which is made in its folder when it is written.

    Before the program runs, it is made and removed, so that an error is reported then. What is no
    regular file, or cannot be replaced, is written to.
    """

    def __init__(self, path: str, kind: str, closing: contextlib.ExitStack) -> None:
        self.path, self.kind = path, kind
        self._folder: int | None = None
        self._old: os.stat_result | None = None
        self._is_replaced = False
        self.is_ours = True
        with contextlib.suppress(FileNotFoundError):
            descriptor, self._old, self.is_ours = _open(path)
            self._file = closing.enter_context(os.fdopen(descriptor, "wb", buffering=0))
        target = path
        while os.path.islink(target):  # a loop of links was an error above
            target = os.path.join(os.path.dirname(target), os.readlink(target))
        self.identity = os.path.realpath(target) if self._old is None else _identity(self._old)
        if self.is_ours:
            with self._or_written_to():
                self._hold(target, closing)
                self._make()
                self._is_replaced = True
                if self._old is not None and sys.platform == "win32":
                    self._file.close()  # an open file cannot be replaced, even by the program

    @contextlib.contextmanager
    def _or_written_to(self) -> Iterator[None]:
        """Ignore errors that show that an old file cannot be replaced."""
        try:
            yield
        except OSError as error:
            if self._old is None or error.errno not in IRREPLACEABLE:
                raise

    def _hold(self, target: str, closing: contextlib.ExitStack) -> None:
        """Open the folder: its owner may put a link in its place meanwhile."""
        self._name = target
        folder, name = os.path.split(target)
        if not name:
            raise os_error(errno.ENOENT)
        if HOLDS_FOLDERS:
            with contextlib.suppress(PermissionError):  # some systems open none without listing it
                descriptor = os.open(folder or os.curdir, SEARCHING)
                self._folder, self._name = _above_streams(descriptor), name
                closing.callback(os.close, self._folder)
        self._check_name()

    def _check_name(self) -> None:
        """Raise an error if the name is not the old file's: a link in /proc may have another."""
        if self._old is None:
            return
        if not os.path.samestat(os.lstat(self._name, dir_fd=self._folder), self._old):
            raise os_error(errno.ENOENT)

    def _make(self, content: bytes | None = None) -> None:
        """Make the new file; with content, put it in the place of the old one, else remove it."""
        new = os.path.join(os.path.dirname(self._name), f".rusage-{os.urandom(6).hex()}")
        flags, mode = WRITING | os.O_CREAT | os.O_EXCL, 0o666 if self._old is None else 0o600
        if content is None:
            flags |= getattr(os, "O_TEMPORARY", 0)  # Windows removes it in any case
        with signals_blocked():
            descriptor = os.open(new, flags, mode, dir_fd=self._folder)
            try:
                with open(descriptor, "wb", buffering=0):
                    if self._old is not None:
                        _copy_rights(self._file, descriptor)
                    if content is not None:
                        _write(descriptor, content)
                if content is not None:
                    folder = self._folder
                    os.replace(new, self._name, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with contextlib.suppress(OSError):  # it has been renamed
                    os.unlink(new, dir_fd=self._folder)

    def replace(self, make: Callable[[str], str | bytes]) -> bool:
        """Replace the content of the file by the report that *make* returns for its kind.

        If that fails, print a message. Return whether the file has the report.
        """
        try:
            content = make(self.kind)
            if isinstance(content, str):
                content = f"{content}\n".encode("utf-8", "backslashreplace")
            if self._is_replaced:
                with self._or_written_to():
                    self._make(content)
                    return True
                self._check_name()
            if self._file.closed:  # on Windows
                self._file = os.fdopen(os.open(self._name, WRITING), "wb", buffering=0)
            if self.is_ours:
                self._file.truncate(0)
            _write(self._file.fileno(), content)
        except OSError as error:
            complain(self.path, error.strerror)
            return False
        return True


def _copy_rights(file: BinaryIO, new: int) -> None:
    """Give a new file, which has no content yet, the owner, the mode and the ACL of another one."""
    if sys.platform == "win32":
        return
    old = file.fileno()
    status = os.fstat(old)
    os.fchown(new, status.st_uid, status.st_gid)
    if sys.platform == "linux":
        from shutil import copystat  # takes milliseconds

        with contextlib.suppress(OSError):  # what the folder gives to new files
            os.removexattr(new, "system.posix_acl_access")
        copystat(old, new)  # type: ignore[arg-type]  # descriptors, as os takes them
    os.fchmod(new, stat.S_IMODE(status.st_mode))


# --- Writing ---


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


# --- Opening ---


def _open(path: str, flags: int = 0) -> tuple[int, os.stat_result, bool]:
    """Open a file; if it is also the program's output, share the position in it.

    Return the descriptor, its status, and whether it is a regular file that is not also the output.
    """
    stream = 1 if path == "-" else _stream_of(path)
    opened = os.open(path, WRITING | flags, 0o666) if stream is None else os.dup(stream)
    descriptor = _above_streams(opened)
    # The name /dev/stdout of FreeBSD is a device's; what is opened by it is the output.
    is_stream = stream is not None or _stream_of(descriptor) is not None
    status = os.fstat(descriptor)
    return descriptor, status, not is_stream and stat.S_ISREG(status.st_mode)


def _above_streams(descriptor: int) -> int:
    """Return a descriptor that is not the number of a closed stream: it would be taken for that."""
    with contextlib.ExitStack() as lower:
        while descriptor <= 2:
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
