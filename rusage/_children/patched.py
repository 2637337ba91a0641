"""Recognise a ``subprocess.Popen`` that another library has replaced, and run children as that library does."""

from __future__ import annotations

import subprocess
import sys
import time
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from .._fields import RUsage
from .exit_event import WAIT_BY_EVENT
from .limits import check_limits

if sys.platform != "win32":
    from .limits import set_in_child

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# The parameters of _execute_child, in order.
PARAMETERS = [
    *("args", "executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env", "startupinfo", "creationflags"),
    *("shell", "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite"),
    *("restore_signals", "gid", "gids", "uid", "umask", "start_new_session", "process_group"),
]
if sys.version_info < (3, 11):
    PARAMETERS.remove("process_group")
PIPES = PARAMETERS[10:16]
pipes_of = itemgetter(*PIPES)  # of the arguments by name

# The private methods that are overridden here, each with the parameters of its calls.
_HOOKS: dict[str, list[str]] = (
    {"_internal_poll": ["_deadstate"], "_wait": ["timeout"]}
    if sys.platform == "win32"
    else {
        "_execute_child": PARAMETERS,
        "_close_pipe_fds": PIPES,
        "_try_wait": ["wait_flags"],
        "_internal_poll": ["_deadstate"],
        "_handle_exitstatus": ["sts"],
        **({"_wait": ["timeout"]} if WAIT_BY_EVENT else {}),
    }
)


def _is_known(method: Any, parameters: list[str]) -> bool:
    """Return whether a private method is subprocess's own, with the known parameters."""
    code = getattr(method, "__code__", None)
    if code is None or method.__module__ != "subprocess":
        return False
    names = [*code.co_varnames[1 : code.co_argcount]]
    if parameters is PARAMETERS:
        return names == parameters
    # Parameters with a default may follow: they keep globals alive for __del__, when the module may be cleared.
    required = len(names) - len(method.__defaults__ or ())
    return names[: len(parameters)] == parameters and required <= len(parameters)


_hooks = attrgetter(*_HOOKS)
_checked: object = None


def is_patched(ours: type, base: type) -> bool:
    """Return whether another library or a new version of Python has changed what ``Popen`` overrides.

    ``ours`` is the ``Popen`` of this package, ``base`` the class that it was derived from.
    """
    global _checked  # noqa: PLW0603 (the methods that the last check accepted)
    current: Any = subprocess.Popen
    if current is not base and (not isinstance(current, type) or issubclass(current, ours)):
        current = base  # a mock, or our Popen installed in its place
    try:
        methods = _hooks(current)
    except AttributeError:
        return True
    if methods != _checked:
        if not all(map(_is_known, methods, _HOOKS.values())):
            return True
        _checked = methods
    return False


_classes: dict[type, Any] = {}


def unmeasured(base: type) -> Any:
    """Return a subclass of another library's ``Popen`` with the attributes of this one; nothing is measured."""
    if base not in _classes:
        _classes[base] = _make_unmeasured(base)
    return _classes[base]


def _make_unmeasured(base: Any) -> Any:
    # A subclass, because the other library's own methods create the child, and its code may test for its class. It is
    # made here, because a library can replace subprocess.Popen after this module has been imported, and again later.

    class Popen(base):  # type: ignore[misc]  # the class is known only at run time
        __doc__ = base.__doc__
        elapsed: float | None = None
        measured: frozenset[str] = frozenset()
        _returncode: int | None = None

        def __init__(self, *args: Any, rlimits: Mapping[int, Iterable[int]] | None = None, **kwargs: Any) -> None:
            self._began = time.perf_counter()
            limits = check_limits(rlimits)
            if sys.platform != "win32" and limits:
                with set_in_child(limits, kwargs.pop("preexec_fn", None)) as preexec_fn:
                    super().__init__(*args, preexec_fn=preexec_fn, **kwargs)
            else:
                super().__init__(*args, **kwargs)

        @property
        def returncode(self) -> int | None:  # which the library's methods set when they see the exit
            return self._returncode

        @returncode.setter
        def returncode(self, code: int | None) -> None:
            if code is not None and self.elapsed is None:
                self.elapsed = time.perf_counter() - self._began
            self._returncode = code

        @property
        def rusage(self) -> RUsage | None:
            return None if self.returncode is None else RUsage.zero

    Popen.__module__, Popen.__qualname__ = "rusage", "Popen"
    return Popen
