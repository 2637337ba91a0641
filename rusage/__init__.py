"""getrusage(2) in one shape and one set of units, on every operating system and interpreter.

The interface is that of CPython's ``resource`` module, made true everywhere: times in seconds, memory in bytes,
integrals in byte-seconds, and a way to ask which fields the system really measures.
"""

import sys

from ._backends import BACKEND as _BACKEND
from ._backends._base import RUSAGE_SELF
from ._calls import cputime, fields, getpagesize, getrusage, maxrss, measured
from ._usage import Field, RUsage

TYPE_CHECKING = False  # typing's own takes long to import

if TYPE_CHECKING:
    from ._children import CompletedProcess
    from ._measure import measure
    from ._typed import Popen, run

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

    if "from_native" not in _BACKEND.absent:
        from ._native import from_native, wait3, wait4

    # Remove the names that the backend declares unavailable.
    for _name in _BACKEND.absent:
        globals().pop(_name, None)
        globals()["__all__"].remove(_name)

# What starts a program needs subprocess, and to import that takes longer than all the rest: unless somebody has done
# so, it comes when it is asked for, as measure does. A module with this hook is slower to look a name up in, so it goes
# when it has nothing more to do; for a type checker it would have every name.
if not TYPE_CHECKING:

    def _load_all() -> None:
        from ._children import CompletedProcess, Popen  # noqa: PLC0415 (brings subprocess)
        from ._measure import measure  # noqa: PLC0415 (with it, so that the hook below can go)
        from ._run import run  # noqa: PLC0415 (as the first)

        globals().update(CompletedProcess=CompletedProcess, Popen=Popen, measure=measure, run=run)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

    if "subprocess" in sys.modules:
        _load_all()

    if _BACKEND.absent or "subprocess" not in sys.modules:

        def __getattr__(name: str) -> object:
            if name == "measure":
                from ._measure import measure  # noqa: PLC0415 (only for those who measure)

                globals()[name] = measure
                return measure
            if name in ("CompletedProcess", "Popen", "run"):
                _load_all()
                if not _BACKEND.absent:
                    globals().pop("__getattr__", None)
                return globals()[name]
            if name in _BACKEND.absent:
                message = f"{_BACKEND.name} has no {name}: {_BACKEND.absent[name]}"
            else:
                message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=sys.modules[__name__])
