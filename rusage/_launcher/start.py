"""Start a program through the launcher, if the start is a plain one (Linux only).

On Linux a process starts with the peak resident set size of the process that forked it: a small
program that a large process starts would seem to be as large. The launcher (``launcher.c``), a
program of a few kilobytes, is therefore started instead of the program, and creates the child with
``clone(CLONE_PARENT)``, which makes it a child of this process with a peak of its own.

What would go wrong if Python did this line by line: a signal handler can run between any two
instructions, and raise an exception or fork this process. If it raises after the fork and before
the process ID is stored, the launcher creates a child that is never waited for. If it raises an
``OSError`` while the launcher is waited for, as if the system refused the launcher, that exception
is lost, and subprocess starts the program a second time. If it forks before the launcher runs, both
processes start one, and read the same answer. Neither the class nor the traceback of an exception
tells whose it is. So Python only decides and prepares, and raises nothing while it does. One call
of C forks, executes the launcher and stores its process ID, but not in a process that a handler has
forked. Each later exception is a handler's: it ends the launcher and its child, and passes on as it
is.

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

import errno
import os
import signal
import sys
import time
from itertools import chain, compress, repeat, starmap
from operator import itemgetter

from .._calls import os_error
from .._rusage import ffi, lib
from .._subprocess import FORK_EXEC, clock, fork_exec, is_fork_exec_known, pipes_of, uses_vfork

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

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

if lib.rusage_channels_init():
    raise MemoryError
# A function of C: what a signal handler raised in one of Python would be lost.
os.register_at_fork(after_in_child=lib.rusage_channels_close)

# 1. The process ID of the child; the launcher's, if a signal for the program has killed that first.
# 2. None, or the wait status if there is nothing left to wait for: 0, as in subprocess, if another
#    caller has waited.
# 3. When the launcher was executed, by clock().
Started = tuple[int, int | None, float]


def start(call: dict[str, Any], limits: Limits) -> Started | None:
    """Start the program of a call of ``_execute_child``.

    Returns None, with nothing started, if subprocess is to start it. If this raises an exception, a
    signal handler's or an audit hook's, the child has been killed and reaped, except where
    ``subprocess.Popen`` would also leave it running.
    """
    if time.monotonic() < _retry_at or not is_fork_exec_known():
        return None
    words = _plain_words(call)
    arguments = _plain_arguments(call, words)
    if arguments is None or lib.rusage_why_direct() != ffi.NULL:
        return None
    # ffi.gc is the last resort: a second handler may raise before the except clause ends the start.
    channel = ffi.gc(ffi.new("rusage_channel *"), lib.rusage_channel_abort)
    needed: Any = [*arguments["pass_fds"], *(fd for fd in pipes_of(arguments) if fd != -1)]
    if lib.rusage_channel_open(channel, needed, len(needed)):
        return None
    given = _in_order(_fork_exec_arguments(arguments, limits, channel))
    # In one call of C, in which no handler runs, list() stores -1, calls fork_exec, and stores the
    # process ID; nothing of this in a process that a handler has forked before.
    stored = chain([-1], starmap(fork_exec, [given]))
    is_open = map(lib.rusage_channel_is_open, [channel])
    stored_if_open = chain.from_iterable(compress([stored], is_open))
    stores = map(setattr, repeat(channel), repeat("launcher"), stored_if_open)
    try:
        sys.audit("subprocess.Popen", words[0], words[1:], call["cwd"], call["env"])
        began = clock()
        list(stores)
        _wait(channel)
        started = _result(channel, began)
        lib.rusage_channel_close(channel)
    except BaseException:
        lib.rusage_channel_abort(channel)
        if channel.launcher == -1:  # fork_exec has raised it
            return None
        raise
    return started


def pause() -> None:
    """Do not use the launcher for a minute."""
    global _retry_at  # noqa: PLW0603 (cached: what the system allows hardly changes)
    _retry_at = time.monotonic() + 60


def _wait(channel: Channel) -> None:
    """Wait until it is known what has come of the start; signal handlers run meanwhile."""
    while error := lib.rusage_channel_wait(channel):
        if error != errno.EINTR:
            raise os_error(error)


def _result(channel: Channel, began: float) -> Started | None:
    """Return what has come of the start."""
    launcher, child, status = channel.launcher, channel.child, channel.status  # -1: unknown
    if channel.has_failed:  # the child could not execute the program
        return None
    if not lib.rusage_channel_is_open(channel):  # a handler has forked this process
        return (launcher, 0, began) if launcher else None
    if channel.exec_error in _UNUSABLE:
        pause()
    if child == 0 and not (status == 0 and channel.has_run):
        if status < 0 or _launcher_failed(status):
            return None
        return launcher, status, began
    if child < 1:  # unreadable, or C code may have forked a process that has overwritten it
        return launcher, 0, began
    return child, None if lib.rusage_is_child(child) else 0, began


def _launcher_failed(status: int) -> bool:
    """Return whether a wait status without a child says that the launcher failed; it may pause().

    Otherwise it is a signal for the child.
    """
    code = os.waitstatus_to_exitcode(status)
    if code in (0, lib.LAUNCHER_REFUSED, -signal.SIGSYS):  # 0: another program in its place
        pause()
    return code >= 0 or -code in _SELF_INFLICTED


# --- Whether a start is plain: nothing here raises an exception, or runs code of an argument ---

_NUMBERS = ["p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"]
_NUMBERS += ["restore_signals", "umask", "start_new_session", "process_group"]
_TRUTHS = {bool, int, str, bytes, type(None)}

# The variables of os.environ and os.environb, unless another mapping replaced os.environ before
# this import.
_environ = os.environ if isinstance(os.environ, type(os.environb)) else None
_variables: Any = getattr(_environ, "_data", None)

_DEFAULT = os.fsencode(os.defpath)  # of PATH
_ENCODING = sys.getfilesystemencoding()
_ESCAPED = dict.fromkeys(range(0xDC80, 0xDD00))  # bytes that are no characters (PEP 383)


def _plain_arguments(call: dict[str, Any], words: list[Any]) -> dict[str, Any] | None:
    """Return the arguments as C takes them, the first one as the path of the program.

    None if not all are plain. ``words``: the program and its arguments.
    """
    strings = [*map(_encode, words)]
    numbers = {name: _int(call.get(name, -1)) for name in _NUMBERS}
    passed = [*map(_int, call["pass_fds"])] if type(call["pass_fds"]) is tuple else [None]
    cwd, close_fds = call["cwd"], call["close_fds"]
    directory = b"" if cwd is None else _encode(cwd)
    environment = _environment(call["env"])
    is_plain = call["preexec_fn"] is call["uid"] is call["gid"] is call["gids"] is None
    if not is_plain or not strings or type(close_fds) not in _TRUTHS or environment is None:
        return None
    if directory is None or None in [*strings, *numbers.values(), *passed]:
        return None
    entries, paths = environment
    path = _find(strings[0] or b"", paths, directory)
    if path is None:
        return None
    arguments = {**numbers, "args": [path, *strings[1:]], "env": entries, "pass_fds": passed}
    return {**arguments, "cwd": None if cwd is None else directory, "close_fds": bool(close_fds)}


def _plain_words(call: dict[str, Any]) -> list[Any]:
    """Return the program and its arguments as subprocess determines them; empty if not plain."""
    args, executable, shell = call["args"], call["executable"], call["shell"]
    arguments = args if type(args) is list else [args]  # Popen makes lists of all others
    if not arguments or type(shell) not in _TRUTHS:
        return []
    if shell:
        if type(args) not in {list, str, bytes}:
            return []
        arguments = ["/bin/sh" if executable is None else executable, "-c", *arguments]
    elif executable is not None and not _encode(arguments[0]):
        return []  # what subprocess does depends on how it starts the child
    return [arguments[0] if executable is None else executable, *arguments]


def _environment(env: Any) -> tuple[list[bytes] | None, list[bytes]] | None:
    """Return the entries for exec, None for those of this process, and the values of PATH.

    None if they are not plain. A mapping of another class may change when it is read; what
    subprocess does with a replaced os.environ and with an empty name depends on how it starts the
    child.
    """
    if env is None:
        is_known = os.environ is _environ and type(_variables) is dict
        path = _variables.get(b"PATH", _DEFAULT) if is_known else None
        return (None, [path]) if type(path) is bytes else None
    variables = vars(env).get("_data") if type(env) is type(os.environb) else env
    if type(variables) is not dict:
        return None
    entries, paths = [], []
    for name, value in variables.copy().items():  # a copy: another thread may change it
        key, text = _encode(name), _encode(value)
        if not key or b"=" in key or text is None:
            return None
        if key == b"PATH":
            if not {type(name), type(value)} <= {str, bytes}:
                return None
            paths.append(text)
        entries.append(key + b"=" + text)
    return entries, paths or [_DEFAULT]


def _find(program: bytes, paths: list[bytes], directory: bytes) -> bytes | None:
    """Return the path that subprocess tries first of those that exist.

    None if there is none, or if it may lead elsewhere in the child. If the path cannot be executed,
    the child says so, and subprocess tries all.
    """
    if b"/" in program:
        paths = [b""]
    if not program or len(paths) > 1:  # subprocess refuses PATH as str and as bytes
        return None
    found = ffi.new("rusage_path *")
    if lib.rusage_find_program(program, paths[0], directory, found):
        return None
    return ffi.string(found.text)


def _encode(value: Any) -> bytes | None:
    """Return a string or a path as the kernel takes it; None if it is not plain."""
    if type(value) is getattr(sys.modules.get("pathlib"), "PosixPath", None):
        value = str(value)
    if type(value) is str:
        if not value.isascii():
            characters = value.translate(_ESCAPED)
            if characters.encode(_ENCODING, "ignore").decode(_ENCODING, "ignore") != characters:
                return None
        value = value.encode(_ENCODING, "surrogateescape")
    return value if type(value) is bytes and b"\0" not in value else None


def _int(value: Any) -> int | None:
    """Return an integer as C takes it; None if it is not plain."""
    if not issubclass(type(value), int):
        return None
    number = int.__index__(value)  # of a subclass too, such as an enumeration
    return number if -lib.LAUNCHER_MAX_INT - 1 <= number <= lib.LAUNCHER_MAX_INT else None


# --- What fork_exec takes ---

_in_order = itemgetter(*FORK_EXEC)


def _fork_exec_arguments(
    arguments: dict[str, Any], limits: Limits, channel: Channel
) -> dict[str, Any]:
    """Return the arguments of ``fork_exec`` for the launcher."""
    closes_others = arguments["close_fds"] and not arguments["pass_fds"] and use_close_range
    kept = {*arguments["pass_fds"], channel.memory, channel.write_end, channel.error_end}
    argument = _launcher_argument(arguments, limits, channel, closes_others=closes_others)
    return {
        **arguments,
        "args": [b"rusage", argument.encode(), *arguments["args"]],
        "executable_list": (os.fsencode(PATH),),
        "close_fds": arguments["close_fds"] and not closes_others,
        "pass_fds": tuple(sorted(kept)),
        "errpipe_read": channel.read_end,
        "errpipe_write": channel.error_end,
        "child_umask": arguments["umask"],
        # What the child does itself, or what is not plain.
        "call_setsid": False,
        "pgid_to_set": -1,
        **dict.fromkeys(["gid", "extra_groups", "uid", "preexec_fn"]),
        "allow_vfork": uses_vfork(),
    }


def _launcher_argument(
    arguments: dict[str, Any], limits: Limits, channel: Channel, *, closes_others: bool
) -> str:
    """Return the launcher's first argument, as ``launcher.c`` describes it."""
    process_group = arguments["process_group"]  # negative: unchanged
    flags = lib.LAUNCHER_SET_SESSION if arguments["start_new_session"] else 0
    if process_group >= 0:
        flags |= lib.LAUNCHER_SET_PROCESS_GROUP
    if closes_others:
        flags |= lib.LAUNCHER_CLOSE_OTHERS
    numbers = [lib.LAUNCHER_VERSION, flags, channel.memory, channel.write_end]
    numbers += [max(process_group, 0), len(limits)]
    numbers += [number % 2**64 for limit in limits for number in limit]  # -1 is RLIM_INFINITY
    return " ".join(map(str, numbers))
