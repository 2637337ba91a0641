"""Run children as another library does that has replaced ``subprocess.Popen``, with the attributes of ours."""

from __future__ import annotations

import functools
import sys
import time
from typing import TYPE_CHECKING, Any

from .._fields import RUsage
from .limits import check_limits

if sys.platform != "win32":
    from .limits import set_in_child

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@functools.cache
def unmeasured(base: Any) -> Any:
    """Return a subclass of another library's ``Popen`` with the attributes of this one; nothing is measured."""
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
