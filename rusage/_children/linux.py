"""Linux: start a child through the launcher, which gives it a peak of its own; wait as on other POSIX systems."""

from __future__ import annotations

import sys
from typing import Any, AnyStr

from .._fields import RUsage  # noqa: TC001 (for typing.get_type_hints)

if sys.platform == "linux":
    from .._launcher.start import living, start
    from .._subprocess import pipes_of
    from .posix import PosixPopen

assert sys.platform == "linux"  # noqa: S101 (for the type checkers)


class LinuxPopen(PosixPopen[AnyStr]):
    """Start a child through the launcher if the start is a plain one, and directly otherwise."""

    pid: int

    def _start_child(self, call: dict[str, Any]) -> None:
        started = start(call, self._limits)
        if started is None:
            super()._start_child(call)
        else:
            self._close_pipe_fds(*pipes_of(call))
            self.pid, self._began, self._child_created, self._peak_isolated = started.pid, started.began, True, True
            if started.status is not None:
                self._saw_exit(None)
                self._handle_exitstatus(started.status)
        if self.returncode is None:
            living.add(self.pid)

    def _saw_exit(self, usage: RUsage | None) -> None:
        super()._saw_exit(usage)
        living.discard(self.pid)

    def _internal_poll(self, _deadstate: int | None = None, _forget: Any = living.discard) -> int | None:
        returncode = super()._internal_poll(_deadstate)
        if _deadstate is not None and returncode is not None:  # without a call of _saw_exit()
            _forget(self.pid)
        return returncode
