"""What this package overrides or calls of ``subprocess``'s private parts.

Also a check that these are still the known ones.
"""

from __future__ import annotations

import subprocess
import sys
import time
from operator import attrgetter, itemgetter
from types import BuiltinFunctionType, FunctionType, MethodType, SimpleNamespace

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


def without_audit(execute: Any) -> Any:
    """Return a bound ``_execute_child`` that raises no audit event, which has been raised.

    Of a class between ours and subprocess's, it is returned as it is.
    """
    own = SubprocessPopen._execute_child  # noqa: SLF001 (what this module is for)
    if getattr(execute, "__func__", None) is not own:
        return execute
    function = execute.__func__
    quiet = SimpleNamespace(**{**vars(sys), "audit": lambda *_: None})
    names = {**function.__globals__, "sys": quiet}
    return MethodType(FunctionType(function.__code__, names), execute.__self__)


# --- fork_exec, by which subprocess starts a child, and in whose place the launcher starts one ---

_original: Any = getattr(sys.modules.get("_posixsubprocess"), "fork_exec", None)
_is_original_builtin = issubclass(type(_original), BuiltinFunctionType)


def is_fork_exec_known() -> bool:
    """Return whether subprocess starts children by Python's own ``fork_exec``, with vfork(2)."""
    used = getattr(subprocess, "_fork_exec", None)
    current = getattr(sys.modules.get("_posixsubprocess"), "fork_exec", None)
    is_original = used is current is _original
    return _is_original_builtin and is_original and bool(getattr(subprocess, "_USE_VFORK", True))
