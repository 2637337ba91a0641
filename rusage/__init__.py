"""Peak memory and CPU time of your code, its children or any command, in the same units everywhere.

Names are as in CPython's ``resource`` and ``subprocess`` modules. Times are in seconds and memory
is in bytes. ``measured()`` names the fields that the system measures; the others are 0. A name that
the system cannot provide does not exist, and the ``AttributeError`` says why.

    getrusage(), maxrss(), cputime()    the usage of this process, a thread or the children
    peak(), rss(), pss()                the peak memory of this program, and its memory now
    measure()                           the usage of a block of code, a function or a coroutine
    run(), Popen(), asyncio.run()       a child and its usage
    Process()                           the usage of another process
    Tree(), record()                    a process and its descendants: now, and over time

>>> with rusage.measure(reset_peak=True) as m:
...     squares = [n * n for n in range(10**6)]
>>> print(m)
<rusage.measure: cputime=0.051522 s, peak=49.2 MiB, peak_growth=38.4 MiB, elapsed=0.067163 s>

For pytest, which asks plugins whether their asserts are to be rewritten: PYTEST_DONT_REWRITE.
"""

import _thread
import os
import sys

from ._backends import BACKEND as _BACKEND
from ._backends._base import RUSAGE_SELF, RUSAGE_THREAD
from ._calls import check_root as _check_root
from ._fields import Field, RUsage
from ._getrusage import cputime, fields, getpagesize, getrusage, maxrss, measured
from ._measure import measure
from ._memory import peak, rss

__version__ = "0.1.0"

TYPE_CHECKING = False

if TYPE_CHECKING:
    from . import asyncio as asyncio
    from ._children.popen import CalledProcessError, CompletedProcess, TimeoutExpired
    from ._children.typed import Popen, run
    from ._record import record

if TYPE_CHECKING or "Process" not in _BACKEND.absent:
    from ._process import Process
    from ._tree import Member, Sample, Tree

__all__: list[str] = [
    "RUSAGE_SELF",
    "RUSAGE_THREAD",
    "CalledProcessError",
    "CompletedProcess",
    "Field",
    "Member",
    "Popen",
    "Process",
    "RUsage",
    "Sample",
    "TimeoutExpired",
    "Tree",
    "cputime",
    "error",
    "fields",
    "getpagesize",
    "getrusage",
    "maxrss",
    "measure",
    "measured",
    "peak",
    "record",
    "rss",
    "run",
    "struct_rusage",
]

error = OSError
struct_rusage = RUsage

# Type checkers cannot evaluate the backend. They see the names that most systems have, or that this
# one has.
if not TYPE_CHECKING or sys.platform != "win32":
    from ._backends._base import RUSAGE_BOTH, RUSAGE_CHILDREN
    from ._getrusage import from_native, wait3, wait4

    __all__ += ["RUSAGE_BOTH", "RUSAGE_CHILDREN", "from_native", "wait3", "wait4"]

if not TYPE_CHECKING or sys.platform == "linux":
    from ._memory import pss

    __all__ += ["pss"]

if not TYPE_CHECKING:
    for _name in _BACKEND.absent:
        globals().pop(_name, None)
        globals()["__all__"].remove(_name)

# What needs subprocess or signal.
_LAZY = {
    **dict.fromkeys(("CalledProcessError", "CompletedProcess"), "_children.popen"),
    **dict.fromkeys(("Popen", "TimeoutExpired", "run"), "_children.popen"),
    "record": "_record",
}
_MODULES = {"asyncio", "opentelemetry", "prometheus"}  # the last two need other packages
# A fork waits until no other thread imports: the child would wait for that thread forever. Not for
# _MODULES, which need logging: a fork may hold the lock of logging that their import waits for.
_importing = _thread.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_importing.acquire,
        after_in_parent=_importing.release,
        after_in_child=_importing.release,
    )

if not TYPE_CHECKING:  # a type checker would accept every name

    def __getattr__(name: str) -> object:
        """Import a name at its first use, as many programs need none, or say why it is missing."""
        message = f"module {__name__!r} has no attribute {name!r}"
        if name in _BACKEND.absent:
            message = f"{_BACKEND.name} has no {name}: {_BACKEND.absent[name]}"
        elif name in _LAZY:
            file = f"{__name__}.{_LAZY[name]}"
            _check_root(file, f"from rusage import {name}")
            with _importing:
                __import__(file)
            return globals().setdefault(name, getattr(sys.modules[file], name))
        elif name in _MODULES:
            file = f"{__name__}.{name}"
            _check_root(file, f"from rusage import {name}")
            try:
                __import__(file)
            except ModuleNotFoundError as error:
                if not str(error.name).startswith(name):
                    raise
                message = f"{message} without {error.name}: pip install 'rusage[{name}]'"
            else:
                return sys.modules[file]
        raise AttributeError(message, name=name, obj=sys.modules[__name__])

    def __dir__() -> list[str]:
        return sorted([*__all__, "asyncio"])
