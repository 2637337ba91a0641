"""Start a program through the launcher, if the start is a plain one (Linux only).

On Linux a process starts with the peak resident set size of the process that forked it. The
launcher (``launcher.c``) is a program of a few kilobytes that is started instead of the program.
The launcher creates the child with ``clone(CLONE_PARENT)``, which makes it a child of this process,
and exits. The peak of such a child is its own.

The launcher's first argument contains decimal numbers, the first of which is the version of the
protocol (``protocol.cdef``). The launcher checks each number, and starts nothing if one is invalid,
for example because the package has been upgraded since this process imported it. The launcher and
its child write to a memfd. What they have written is final when the pipe has no write end any more:
then the child has executed its program, or has ended.

``start`` decides once, by the arguments and by the state of the calling thread. What is not plain
is started directly, by subprocess: the launcher runs only with the rights that the program has.
Nothing is started a second time: if subprocess starts the program, it has not been executed, and
the launcher cannot execute it any more.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from operator import index
from typing import TYPE_CHECKING, Any

from .._rusage import ffi, lib
from .._subprocess import PARAMETERS, SubprocessPopen, clock, pipes_of

if TYPE_CHECKING:
    from .._rusage import Channel

    Limits = tuple[tuple[int, int, int], ...]  # resource, soft limit, hard limit

assert sys.platform == "linux"  # noqa: S101 (for the type checkers)

PATH = os.path.join(os.path.dirname(__file__), "launcher")

_retry_at = 0.0  # by time.monotonic()

# The launcher closes descriptors faster than subprocess does, where the kernel has close_range(2)
# (Linux 5.9).
use_close_range = bool(lib.rusage_has_close_range())

# Why the launcher cannot be executed: it is being reinstalled, or refused.
_UNUSABLE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ENOSYS}

# Signals that the launcher can cause itself: seccomp, RLIMIT_FSIZE, out of memory, a refused exit.
_SELF_INFLICTED = {
    signal.SIGSYS,
    signal.SIGXFSZ,
    signal.SIGBUS,
    signal.SIGSEGV,
    signal.SIGILL,
    signal.SIGTRAP,
}

_MEMORY = struct.Struct("=iii")  # child, launcher, failed


class _NotPlain(Exception):  # noqa: N818 (not an error)
    """The start is left to subprocess, which also raises what it documents."""


# 1. The process ID of the child; the launcher's, if a signal for the program has killed that first.
# 2. None, or the wait status if there is nothing left to wait for: 0, as in subprocess, if another
#    caller has waited.
# 3. When the launcher was executed, by clock().
Started = tuple[int, int | None, float]


def start(call: dict[str, Any], limits: Limits) -> Started | None:
    """Start the program of a call of ``_execute_child``.

    Returns None, with nothing started, if subprocess is to start it. An exception that is raised
    has ended the child, unless subprocess itself would leave it running.
    """
    if time.monotonic() < _retry_at or not _is_plain(call) or lib.rusage_why_direct() != ffi.NULL:
        return None
    try:
        launch = Launch(call, limits)
    except _NotPlain:
        return None
    except Exception as error:
        if not _raised_by_start(error):
            raise
        return None  # subprocess raises the documented exception
    # subprocess raises this event for the launcher only.
    sys.audit("subprocess.Popen", launch.program, launch.arguments, call["cwd"], call["env"])
    return launch.run()


def pause() -> None:
    """Do not use the launcher for a minute."""
    global _retry_at  # noqa: PLW0603 (cached: what the system allows hardly changes)
    _retry_at = time.monotonic() + 60


# --- Whether a start is a plain one ---

# os.environ and os.environb share their variables, unless another mapping replaced os.environ
# before this import.
_environ = os.environ if isinstance(os.environ, type(os.environb)) else None


def _is_plain(call: dict[str, Any]) -> bool:
    """Return whether the launcher can do what these arguments ask for; ``Launch`` checks values."""
    if call["preexec_fn"] is not None or not (call["uid"] is call["gid"] is call["gids"] is None):
        return False
    # A mapping of another class may change when it is read; what subprocess does with a replaced
    # os.environ, with equal names and with an empty one depends on how it starts the child.
    if call["env"] is None:
        return os.environ is _environ
    return type(call["env"]) in {dict, type(os.environb)} and all(call["env"])


def _resolve(args: Any, executable: Any, *, shell: bool) -> tuple[list[Any], Any]:
    """Return the arguments and the program as subprocess determines them."""
    if shell and isinstance(args, os.PathLike):
        raise _NotPlain
    arguments = args if isinstance(args, list) else [args]  # Popen makes lists of all others
    # The behaviour of subprocess depends on how it starts the child.
    if not arguments or (executable is not None and not shell and not os.fsencode(arguments[0])):
        raise _NotPlain
    if shell:
        arguments = [executable or "/bin/sh", "-c", *arguments]
    return arguments, arguments[0] if executable is None else executable


def _folders(env: Any) -> bytes:
    """Return the folders to search for a program, separated by colons."""
    if env is not None:
        return b":".join(map(os.fsencode, os.get_exec_path(env)))
    path = os.environb.get(b"PATH")  # the same as os.get_exec_path(), but faster
    return os.fsencode(os.defpath) if path is None else path


def _find(program: Any, cwd: Any, env: Any) -> bytes:
    """Return the path that subprocess tries first of those that exist.

    Raises ``_NotPlain`` if there is none, or if it may lead elsewhere in the child. If the path
    cannot be executed, the child says so, and subprocess tries all.
    """
    name, directory = os.fsencode(program), b"" if cwd is None else os.fsencode(cwd)
    if directory and lib.rusage_is_in_proc(directory):
        raise _NotPlain
    for folder in [b""] if b"/" in name else _folders(env).split(b":"):
        path = os.path.join(folder, name)
        # access() raises nothing that a signal handler might.
        if os.access(os.path.join(directory, path), os.F_OK):
            _check_links(os.path.join(directory, path))
            return path
    raise _NotPlain


def _check_links(path: bytes) -> None:
    """Raise ``_NotPlain`` if a path leads through a link in /proc.

    Such a link depends on the process that follows it ("magic links" in symlink(7)): the launcher's
    child would follow ``/dev/fd/3`` to its own file.
    """
    reached = b"/" if path.startswith(b"/") else b"."
    left = path.split(b"/")[::-1]  # the names behind it, the next one last
    links = 0
    while left:
        following = os.path.join(reached, left.pop())
        try:
            target = os.readlink(following)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            reached = following  # not a link
            continue
        links += 1
        if links > 40 or lib.rusage_is_in_proc(reached):  # path_resolution(7)
            raise _NotPlain
        if target.startswith(b"/"):
            reached = b"/"
        left += target.split(b"/")[::-1]


# --- A start through the launcher ---


def read_memory(fd: int) -> tuple[int, int, int]:
    """Return the ``launcher_memory`` of protocol.cdef; zeros if no launcher has written to it."""
    written = os.pread(fd, _MEMORY.size, 0)
    memory: tuple[int, int, int] = _MEMORY.unpack(written.ljust(_MEMORY.size, b"\0"))
    return memory


# The starts of all threads. A process that another thread forks meanwhile may change its rights,
# and must not be able to write there; as long as it had the pipe, the start would last.
_launches: weakref.WeakSet[Launch] = weakref.WeakSet()


def _after_fork() -> None:
    for launch in list(_launches):
        launch.close()
    _launches.clear()


os.register_at_fork(after_in_child=_after_fork)


class _Launcher(SubprocessPopen[bytes]):
    """The launcher as a child of subprocess.

    Another object than the program's, so that a direct start finds that one unchanged. The pipe
    ends of the program stay open, since a direct start may follow.
    """

    pid = 0
    returncode: int | None = None

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __del__(self, *_: object) -> None: ...

    def _close_pipe_fds(self, *_: int) -> None:
        # Called before subprocess waits for exec.
        lib.rusage_channel_close_write_end(self._channel)


# What the child does itself, subprocess must not do to the launcher.
_LEFT_TO_CHILD: dict[str, Any] = {"shell": False, "start_new_session": False}
if "process_group" in PARAMETERS:
    _LEFT_TO_CHILD["process_group"] = -1


class Launch:
    """One start: the launcher's command line, and the memory for the child's process ID."""

    def __init__(self, call: dict[str, Any], limits: Limits) -> None:
        """Raise ``_NotPlain``, or any exception on invalid arguments."""
        self.arguments, self.program = _resolve(
            call["args"], call["executable"], shell=call["shell"]
        )
        path = _find(self.program, call["cwd"], call["env"])
        for fd in call["pass_fds"] + pipes_of(call):
            if fd != -1:
                os.fstat(fd)  # the memory could get the number of a closed one
        self._open_channel()
        closes_others = bool(call["close_fds"]) and not call["pass_fds"] and use_close_range
        numbers = self._numbers(call, limits, closes_others=closes_others)
        self._call = {
            **call,
            "args": ["rusage", numbers, path, *self.arguments],
            "executable": PATH,
            "close_fds": call["close_fds"] and not closes_others,
            "pass_fds": (*call["pass_fds"], self._channel.memory, self._channel.write_end),
            **_LEFT_TO_CHILD,
        }
        self._launcher = _Launcher(self._channel)

    def _open_channel(self) -> None:
        # ffi.gc closes the descriptors even if an exception is raised at any point.
        self._channel = ffi.gc(ffi.new("rusage_channel *", (-1, -1, -1)), lib.rusage_channel_close)
        _launches.add(self)  # first: another thread may fork as soon as they are open
        error = lib.rusage_channel_open(self._channel)
        if error:
            raise OSError(error, os.strerror(error))

    def _numbers(self, call: dict[str, Any], limits: Limits, *, closes_others: bool) -> str:
        """Return the launcher's first argument, as ``launcher.c`` describes it."""
        process_group = index(call.get("process_group", -1))  # negative: unchanged
        if not -lib.LAUNCHER_MAX_INT - 1 <= process_group <= lib.LAUNCHER_MAX_INT:
            raise _NotPlain
        flags = lib.LAUNCHER_SET_SESSION if index(call["start_new_session"]) else 0
        if process_group >= 0:
            flags |= lib.LAUNCHER_SET_PROCESS_GROUP
        if closes_others:
            flags |= lib.LAUNCHER_CLOSE_OTHERS
        numbers = [lib.LAUNCHER_VERSION, flags, self._channel.memory, self._channel.write_end]
        numbers += [max(process_group, 0), len(limits)]
        numbers += [number % 2**64 for limit in limits for number in limit]  # -1 is RLIM_INFINITY
        return " ".join(map(str, numbers))

    def close(self) -> None:
        """Close the descriptors."""
        lib.rusage_channel_close(self._channel)

    def run(self) -> Started | None:
        """Execute the launcher, and wait until the child has executed the program or has failed."""
        began = clock()
        launcher = self._launcher
        try:
            launcher._execute_child(**self._call)  # noqa: SLF001 (as a derived class)
            os.read(self._channel.read_end, 1)  # the end of the pipe
            status = _wait(launcher.pid)
            launcher.returncode = 0
            return self._result(status, began)
        except BaseException as error:
            by_start, by_hook = _raised_by_start(error), _raised_by_hook(error)
            if self._abort() or not (by_start or by_hook):
                raise
            if by_hook or (
                isinstance(error, OSError) and error.filename is PATH and error.errno in _UNUSABLE
            ):
                pause()
            return None
        finally:
            self.close()

    def _result(self, status: int | None, began: float) -> Started | None:
        """Return what has come of the start, when the launcher has ended with this wait status."""
        launcher = self._launcher.pid
        child, has_run, failed = read_memory(self._channel.memory)
        has_succeeded = status == 0 and has_run
        if child == 0 and not has_succeeded:
            if status is None or _launcher_failed(status):
                return None
            return launcher, status, began
        if child < 1:  # C code may have forked a process that has overwritten it
            return launcher, 0, began
        if failed:
            _wait(child)
            return None
        return child, None if lib.rusage_is_child(child) else 0, began

    def _abort(self) -> bool:
        """End the launcher and its child; return whether the launcher has run.

        If so, there may have been a child.
        """
        launcher = self._launcher
        if self._channel.memory < 0:  # a signal handler has forked this process
            return False
        # Handlers may raise again; the exception that is being handled takes precedence.
        for _ in range(100):
            try:
                if launcher.returncode is None:
                    _end(launcher.pid or self._find_launcher())
                    launcher.returncode = 0
                # Final since the launcher ended.
                child, has_run, _ = read_memory(self._channel.memory)
                _end(child)
            except BaseException:  # noqa: BLE001, S112 (as above)
                continue
            return has_run != 0
        return True

    def _find_launcher(self) -> int:
        """Return the launcher's process ID, which subprocess has not stored; 0 if there is none.

        While the pipe has a write end, a process may be about to execute the launcher. One that
        does so after more than a second creates no child.
        """
        lib.rusage_channel_close_write_end(self._channel)
        os.set_blocking(self._channel.read_end, False)
        attempts = 0
        while True:
            with contextlib.suppress(BlockingIOError):
                if not os.read(self._channel.read_end, 1):
                    break
            _, has_run, _ = read_memory(self._channel.memory)
            if has_run:
                break
            attempts += 1
            # EBUSY: it has mapped the memory, and stores its ID next.
            if attempts > 1000 and lib.rusage_channel_seal(self._channel) != errno.EBUSY:
                break
            time.sleep(0.001)
        return read_memory(self._channel.memory)[1]


def _launcher_failed(status: int) -> bool:
    """Return whether a wait status without a child says that the launcher failed; it may pause().

    Otherwise it is a signal for the child.
    """
    code = os.waitstatus_to_exitcode(status)
    if code in (0, lib.LAUNCHER_REFUSED, -signal.SIGSYS):  # 0: another program in its place
        pause()
    return code >= 0 or -code in _SELF_INFLICTED


def _wait(pid: int) -> int | None:
    """Wait for a child and return its status.

    The result is None if another caller has waited for it, or if SIGCHLD is ignored.
    """
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        return None


def _end(pid: int) -> None:
    """Kill a child of this process and reap it."""
    with contextlib.suppress(ChildProcessError):
        # Check first: if the child has been reaped, another process may have its PID.
        if pid > 0 and os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


# --- Exceptions during a start ---

# Raised for invalid arguments; subprocess needs less memory for the arguments than the launcher.
_ARGUMENT_ERRORS = (
    *(AttributeError, LookupError, MemoryError, OSError, OverflowError, TypeError, ValueError),
    subprocess.SubprocessError,
)


# A signal handler may raise an error of any type between any two instructions of a start; a direct
# start would then discard it. Signals cannot be kept from other threads, which the main thread's
# handlers serve too, so only the innermost frame tells: a handler written in Python has a frame of
# its own, and so has a hook. An error that is neither the start's nor a hook's may be a handler's.


def _raised_by_start(error: BaseException) -> bool:
    """Return whether the start has raised an error: a call has failed, or an argument is invalid.

    An ``OSError`` that PyThreadState_SetAsyncExc() raises has its frame too, but no errno.
    """
    has_errno = getattr(error, "errno", 0) is not None
    return isinstance(error, _ARGUMENT_ERRORS) and has_errno and _is_in_start(error)


def _raised_by_hook(error: BaseException) -> bool:
    """Return whether an audit hook has raised an error."""
    return isinstance(error, Exception) and not _is_in_start(error) and not _has_handlers()


def _is_in_start(error: BaseException) -> bool:
    """Return whether the innermost frame of an error is the start's."""
    module, traceback = "", error.__traceback__
    while traceback is not None:
        module = traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
    return module.partition(".")[0] in {"rusage", "subprocess", "os"}


def _has_handlers() -> bool:
    """Return whether a signal handler could raise an ``Exception`` in this thread."""
    if threading.current_thread() is not threading.main_thread():
        return False
    handlers = map(signal.getsignal, signal.valid_signals())
    return any(
        callable(handler) and handler is not signal.default_int_handler for handler in handlers
    )
