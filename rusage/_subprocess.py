"""What this package overrides or calls of ``subprocess``'s private parts.

Also a check that these are still the known ones.
"""

from __future__ import annotations

import subprocess
import sys
import time
from operator import attrgetter, itemgetter
from types import BuiltinFunctionType

TYPE_CHECKING = False

if TYPE_CHECKING:
    from threading import Lock
    from typing import Any, AnyStr

clock = time.perf_counter

if not isinstance(subprocess.Popen, type):  # such as a mock that replaces it during this import
    message = (
        "subprocess.Popen is not a class: before it is replaced, use 'from rusage import Popen'"
    )
    raise ImportError(message)  # noqa: TRY004 (raised by an import)

if TYPE_CHECKING:

    class SubprocessPopen(subprocess.Popen[AnyStr]):
        """``subprocess.Popen`` with its private parts, and with what ours adds on each system."""

        elapsed: float | None
        _began: float
        _child_created: bool
        _handle: int
        _waitpid_lock: Lock

        def _close_pipe_fds(self, *fds: int) -> None: ...
        def _execute_child(self, *args: Any, **kwargs: Any) -> None: ...
        def _handle_exitstatus(self, sts: int) -> None: ...
        def _internal_poll(self, _deadstate: int | None = None) -> int | None: ...
        def _wait(self, timeout: float | None) -> int: ...

else:
    SubprocessPopen = subprocess.Popen

# The parameters of _execute_child, in order.
_PIPES = ["p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"]
PARAMETERS = [
    *("args", "executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env"),
    *("startupinfo", "creationflags", "shell", *_PIPES),
    *("restore_signals", "gid", "gids", "uid", "umask", "start_new_session", "process_group"),
]
pipes_of = itemgetter(*_PIPES)  # of the arguments by name

# The private methods that are overridden or called, and their parameters without a default.
_HOOKS: dict[str, list[str]] = {"_internal_poll": [], "_wait": ["timeout"]}
if sys.platform != "win32":
    _HOOKS |= {"_execute_child": PARAMETERS, "_close_pipe_fds": _PIPES}
    _HOOKS |= {"_try_wait": ["wait_flags"], "_handle_exitstatus": ["sts"]}
_hooks = attrgetter(*_HOOKS)


def _required(method: Any) -> list[str]:
    code = method.__code__
    return [*code.co_varnames[1 : code.co_argcount - len(method.__defaults__ or ())]]


def _known_hooks() -> Any:
    """Return subprocess's own methods; None if a library or a new Python has changed them."""
    try:
        methods = _hooks(SubprocessPopen)
        is_known = [*map(_required, methods)] == [*_HOOKS.values()]
    except AttributeError:
        return None
    is_known = is_known and all(method.__module__ == "subprocess" for method in methods)
    return methods if is_known else None


_known = _known_hooks()


def is_patched(ours: type) -> bool:
    """Return whether another library or a new version of Python has changed what we override.

    ``ours`` is our ``Popen``.
    """
    current: Any = subprocess.Popen
    is_mock = not isinstance(current, type)
    if is_mock or issubclass(current, ours):  # or our Popen is installed in its place
        current = SubprocessPopen
    try:
        return bool(_hooks(current) != _known)
    except AttributeError:
        return True


# --- fork_exec, by which subprocess starts a child, and the launcher is started (Linux) ---

# Its parameters, in order.
FORK_EXEC = [
    *("args", "executable_list", "close_fds", "pass_fds", "cwd", "env", *_PIPES),
    *("errpipe_read", "errpipe_write", "restore_signals", "call_setsid", "pgid_to_set"),
    *("gid", "extra_groups", "uid", "child_umask", "preexec_fn", "allow_vfork"),
]
if sys.version_info >= (3, 14):
    FORK_EXEC.remove("allow_vfork")
_PYPY_NAMES = {"process_args": "args", "fds_to_keep": "pass_fds", "env_list": "env"}
_PYPY_NAMES["groups_list"] = "extra_groups"

_posixsubprocess: Any = sys.modules.get("_posixsubprocess")  # which subprocess has imported
fork_exec: Any = getattr(_posixsubprocess, "fork_exec", None)


def _has_known_parameters() -> bool:
    """Return whether ``fork_exec`` is Python's own, with these parameters."""
    if not issubclass(type(fork_exec), BuiltinFunctionType):
        return False
    code = getattr(fork_exec, "__code__", None)  # PyPy's
    if code is not None:
        names = [_PYPY_NAMES.get(name, name) for name in code.co_varnames[: code.co_argcount]]
        return names == FORK_EXEC
    signature = fork_exec.__text_signature__
    if signature is None:  # before Python 3.12, and without docstrings
        return sys.version_info < (3, 16)
    _self, *names, _end = signature.strip("()").split(",")
    return [name.strip() for name in names] == FORK_EXEC


_is_known = _has_known_parameters()


def is_fork_exec_known() -> bool:
    """Return whether no library or new version of Python has changed ``fork_exec``."""
    used = getattr(subprocess, "_fork_exec", None)
    return _is_known and used is _posixsubprocess.fork_exec is fork_exec


def uses_vfork() -> bool:
    """Return whether ``fork_exec`` may use vfork(2)."""
    return bool(getattr(subprocess, "_USE_VFORK", True))
