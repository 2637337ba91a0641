"""The base of the classes of all systems: a ``subprocess.Popen`` with the times of its child's start and exit."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, Any, AnyStr

if TYPE_CHECKING:
    from threading import Lock

clock = time.perf_counter

NOTHING: frozenset[str] = frozenset()

if not isinstance(subprocess.Popen, type):  # such as a mock that replaces it during this import
    raise ImportError("rusage cannot start programs: subprocess.Popen is not a class")  # noqa: TRY004 (raised by an import)

if TYPE_CHECKING:

    class SubprocessPopen(subprocess.Popen[AnyStr]):
        """The private parts of ``subprocess.Popen`` that are used here."""

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


class BasePopen(SubprocessPopen[AnyStr]):
    """A derived class provides ``rusage`` and ``measured``, and sets ``elapsed`` when it sees the exit."""

    elapsed: float | None = None
    """Seconds from the start of the child until its exit was seen; None before."""

    _began: float
    """The time just before the start, by ``clock()``."""
    _limits: tuple[tuple[int, int, int], ...]
