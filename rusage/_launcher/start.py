"""Start a program through the launcher, if the start is a plain one (Linux only).

On Linux a process starts with the peak resident set size of the process that forked it: a small
program that a large process starts would seem to be as large. The launcher (``launcher.c``), a
program of a few kilobytes, is therefore started instead of the program, and creates the child with
``clone(CLONE_PARENT)``, which makes it a child of this process with a peak of its own.

One function of C, ``rusage_launch``, forks, executes the launcher and stores its process ID.
Where Python did this line by line, a signal handler could run between any two of them, and raise an
exception or fork this process: the launcher would create a child that is never waited for, or two
processes would start the program. So Python only decides and prepares, and raises nothing while it
does. Each exception is a handler's or an audit hook's: it ends the launcher and its child, and
passes on as it is.

An argument of the launcher contains decimal numbers, the first of which is the version of the
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

from .._calls import os_error
from .._rusage import ffi, lib
from .._subprocess import clock, is_fork_exec_known, pipes_of

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from .._rusage import Channel

    Limits = tuple[tuple[int, int, int], ...]  # resource, soft limit, hard limit

assert sys.platform == "linux"  # noqa: S101 (for the type checkers)

PATH = os.path.join(os.path.dirname(__file__), "launcher")

_retry_at = 0.0  # by time.monotonic()

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


def start(call: dict[str, Any], limits: Limits) -> tuple[Started | None, bool]:
    """Start the program of a call of ``_execute_child``.

    Returns None, with nothing started, if subprocess is to start it, and whether the audit event
    has been raised. If this raises an exception, a signal handler's or an audit hook's, the child
    has been killed and reaped, except where ``subprocess.Popen`` would also leave it running.
    """
    if time.monotonic() < _retry_at or not is_fork_exec_known():
        return None, False
    words = _plain_words(call)
    arguments = _plain_arguments(call, words)
    if arguments is None or lib.rusage_why_direct() != ffi.NULL:
        return None, False
    # ffi.gc is the last resort: a second handler may raise before the except clause ends the start.
    closed = {"memory": -1, "read_end": -1, "write_end": -1}
    channel = ffi.gc(ffi.new("rusage_channel *", closed), lib.rusage_channel_abort)
    needed: Any = [*pipes_of(arguments), *arguments["pass_fds"]]
    if lib.rusage_channel_open(channel, needed, len(needed)):
        return None, False
    argv = _strings(_launcher_arguments(arguments, limits, channel))
    environment = _strings(arguments["env"])
    given = channel, argv[0], environment[0], needed, len(needed), arguments["restore_signals"]
    started = None
    try:
        sys.audit("subprocess.Popen", words[0], words[1:], call["cwd"], call["env"])
        began = clock()
        if not lib.rusage_launch(*given):
            _wait(channel)
            started = _result(channel, began)
        lib.rusage_channel_close(channel)
    except BaseException:
        lib.rusage_channel_abort(channel)
        raise
    return started, True


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
    if not lib.rusage_channel_is_open(channel):  # a handler has forked this process
        return (launcher, 0, began) if launcher else None
    if channel.has_failed:  # the child could not execute the program
        return None
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
    """Return the arguments as C takes them, and the paths of the program; None if one is not plain.

    ``words``: the program and its arguments.
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
    entries, folders = environment
    paths = _paths(strings[0] or b"", folders)
    if not paths or len(passed) >= lib.LAUNCHER_MAX_KEPT:
        return None
    plain: dict[str, Any] = {"paths": paths, "args": strings[1:], "env": entries}
    plain |= {"cwd": None if cwd is None else directory, "close_fds": bool(close_fds)}
    return {**numbers, **plain, "pass_fds": passed}


def _paths(program: bytes, folders: list[bytes]) -> list[bytes]:
    """Return the paths of a program in the order in which subprocess tries them.

    ``folders``: the values of PATH, none or two of which subprocess refuses.
    """
    if not program or len(folders) > 1:
        return []
    if b"/" in program:
        return [program]
    return [os.path.join(folder, program) for folder in folders[0].split(b":")]


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


# --- What the launcher takes ---


def _strings(strings: list[bytes] | None) -> tuple[Any, Any]:
    """Return an array for exec, NULL in place of none, and what must live as long as it does."""
    kept: Any = [ffi.new("char[]", string) for string in strings or ()]
    return (ffi.NULL if strings is None else ffi.new("char *[]", [*kept, ffi.NULL])), kept


def _launcher_arguments(arguments: dict[str, Any], limits: Limits, channel: Channel) -> list[bytes]:
    """Return the launcher's arguments, as ``launcher.c`` describes them."""
    process_group, umask = arguments["process_group"], arguments["umask"]  # negative: unchanged
    cwd, paths = arguments["cwd"], arguments["paths"]
    flags = lib.LAUNCHER_SET_SESSION if arguments["start_new_session"] else 0
    if process_group >= 0:
        flags |= lib.LAUNCHER_SET_PROCESS_GROUP
    if arguments["close_fds"]:
        flags |= lib.LAUNCHER_CLOSE_OTHERS
    if umask >= 0:
        flags |= lib.LAUNCHER_SET_UMASK
    if cwd is not None:
        flags |= lib.LAUNCHER_SET_DIRECTORY
    kept = sorted({channel.write_end, *(fd for fd in arguments["pass_fds"] if fd > 2)})
    numbers = [lib.LAUNCHER_VERSION, flags, channel.memory, channel.write_end]
    numbers += [max(process_group, 0), max(umask, 0), len(paths), len(kept), *kept, len(limits)]
    numbers += [number % 2**64 for limit in limits for number in limit]  # -1 is RLIM_INFINITY
    text = " ".join(map(str, numbers)).encode()
    mask = b""  # of signals: rusage_launch replaces it
    return [os.fsencode(PATH), text, mask, cwd or b"", *paths, *arguments["args"]]
