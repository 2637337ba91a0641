"""getrusage(2) in one shape and one set of units, on every operating system and interpreter.

The interface is that of CPython's ``resource`` module, made true everywhere: times in seconds, memory in bytes,
integrals in byte-seconds, and a way to ask which fields the system really measures.
"""

import sys

from ._backends import BACKEND as _BACKEND
from ._backends._base import RUSAGE_SELF
from ._fields import Field, RUsage
from ._getrusage import cputime, fields, getpagesize, getrusage, maxrss, measured
from ._measure import measure

TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._children.popen import CompletedProcess
    from ._children.typed import Popen, run

__all__: list[str] = [
    "RUSAGE_SELF",
    "CompletedProcess",
    "Field",
    "Popen",
    "RUsage",
    "cputime",
    "error",
    "fields",
    "getpagesize",
    "getrusage",
    "maxrss",
    "measure",
    "measured",
    "run",
    "struct_rusage",
]

error = OSError
struct_rusage = RUsage

if TYPE_CHECKING:
    from . import _optional
    from ._optional import *  # noqa: F403 (the names that the system has)

    __all__ += _optional.__all__
else:
    from ._backends._base import RUSAGE_BOTH, RUSAGE_CHILDREN, RUSAGE_THREAD

    __all__ += ["RUSAGE_BOTH", "RUSAGE_CHILDREN", "RUSAGE_THREAD", "from_native", "wait3", "wait4"]
    __all__ += ["Process"]  # noqa: F405 (imported by __getattr__)

    if "from_native" not in _BACKEND.absent:
        from ._convert import from_native
        from ._wait import wait3, wait4

    # Remove the names that the backend declares unavailable.
    for _name in _BACKEND.absent:
        globals().pop(_name, None)
        globals()["__all__"].remove(_name)

if not TYPE_CHECKING:  # a type checker would take every name for one of the module's

    def __getattr__(name: str) -> object:
        """Import run() and Popen lazily, since subprocess dominates import time, and say why a name is missing.

        Process is lazy too: only monitoring needs it.
        """
        if name in {"CompletedProcess", "Popen", "run"}:
            from ._children import popen, run  # noqa: PLC0415 (as above)

            return globals().setdefault(name, getattr(run if name == "run" else popen, name))
        if name == "Process" and name not in _BACKEND.absent:
            from ._process import Process  # noqa: PLC0415 (as above)

            return globals().setdefault(name, Process)
        message = f"module {__name__!r} has no attribute {name!r}"
        if name in _BACKEND.absent:
            message = f"{_BACKEND.name} has no {name}: {_BACKEND.absent[name]}"
        raise AttributeError(message, name=name, obj=sys.modules[__name__])

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
