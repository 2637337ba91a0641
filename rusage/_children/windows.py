"""Windows: read the usage of a child through its handle, which also works after its exit."""

from __future__ import annotations

import sys

from .._backends import BACKEND
from .._calls import CHILD_FIELDS, error_of, new_call, usage_of
from .._fields import RUsage  # noqa: TC001 (for typing.get_type_hints)
from .._rusage import lib
from .._subprocess import SubprocessPopen, clock
from .inherited import child_fields

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import AnyStr
else:
    AnyStr = object

assert sys.platform == "win32"  # noqa: S101 (for the type checkers)


class WindowsPopen(SubprocessPopen[AnyStr]):
    """Read the usage at the first access to ``rusage``."""

    _usage: RUsage | None = None

    def _saw_exit(self) -> None:
        if self.returncode is not None and self.elapsed is None:
            self.elapsed = clock() - self._began

    def _internal_poll(self, _deadstate: int | None = None) -> int | None:
        code = super()._internal_poll(_deadstate)
        if _deadstate is None:
            self._saw_exit()
        return code

    def _wait(self, timeout: float | None) -> int:
        code = super()._wait(timeout)
        self._saw_exit()
        return code

    @property
    def rusage(self) -> RUsage | None:
        """The child's usage; None before its exit was seen."""
        if self.returncode is None or self._usage is not None:
            return self._usage
        call = new_call(BACKEND, 0, CHILD_FIELDS)
        # The handle is open as long as this object exists.
        error = lib.rusage_get_process(int(self._handle), call)
        if error:
            raise error_of(error)
        self._usage = usage_of(call)
        return self._usage

    @property
    def measured(self) -> frozenset[str]:
        """The fields that were measured for this child; empty before its exit was seen."""
        usage = self.rusage
        return frozenset() if usage is None else child_fields(usage)
