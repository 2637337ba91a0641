"""Count the buffers that calls use at the same time: ``python buffers.py with|without`` (a GIL).

Each line is a function, then the number of different buffers that four threads use at once, that a call and a signal
handler during it use, each in three rounds, and that two threads use in turn. The system calls are replaced: a real one
is over before another thread, or a signal handler, can make its own.
"""

import sys
import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

patch.object(sys, "_is_gil_enabled", lambda: sys.argv[1] == "with", create=True).start()

import rusage  # noqa: E402 (looks at it)
from rusage import _getrusage  # noqa: E402 (as above)

THREADS = 4
ROUNDS = 3  # after the first one the buffers come from the free list

used: list[Any] = []
during_call: Callable[[], object] = bool


def system_call(*buffers: Any) -> int:
    """Note the buffers."""
    used.append(buffers)
    during_call()
    return 0


def in_threads(number: int, function: Callable[[], object], rounds: int = 1) -> None:
    """Call a function in threads."""

    def work() -> None:
        for _ in range(rounds):
            function()

    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def different(size: int) -> list[int]:
    """Return how many different buffers each group of calls used, and forget the calls."""
    numbers = [len(set(used[at : at + size])) for at in range(0, len(used), size)]
    used.clear()
    return numbers


def report(name: str, function: Callable[[], object]) -> None:
    """Print the numbers of a function."""
    global during_call  # noqa: PLW0603 (of the replaced system call)
    during_call = threading.Barrier(THREADS, timeout=60).wait  # each call lasts until all have begun
    in_threads(THREADS, function, ROUNDS)
    at_once = different(THREADS)

    during_call = lambda: function() if len(used) % 2 == 1 else None  # noqa: E731 (one expression)
    in_threads(1, function, ROUNDS)
    nested = different(2)

    during_call = bool
    function()
    in_threads(1, function)
    print(name, *at_once, *nested, *different(2))


patch.object(_getrusage, "_get", system_call).start()
for name in ("RUSAGE_SELF", "RUSAGE_CHILDREN", "RUSAGE_BOTH", "RUSAGE_THREAD"):
    if hasattr(rusage, name):
        report(name, partial(rusage.getrusage, getattr(rusage, name)))
if hasattr(rusage, "wait4"):
    wait = SimpleNamespace(rusage_wait4=lambda _, status, __, call: system_call(status, call))
    patch.object(_getrusage, "lib", wait).start()
    report("wait4", partial(rusage.wait4, -1, 0))
