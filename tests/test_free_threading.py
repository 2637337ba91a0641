"""Threads that use the package at once: on a free-threaded interpreter they run side by side."""

import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from expected import load

import rusage

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
FIRST_USE = """
import importlib, sys, threading
import rusage

errors, at_once = [], threading.Barrier(4)

def look_up():
    for _ in range(int(sys.argv[1])):
        if at_once.wait() == 0:
            for name in "CompletedProcess", "Popen", "run":
                rusage.__dict__.pop(name, None)
            sys.modules.pop("subprocess", None)
            importlib.reload(rusage)
        at_once.wait()
        try:
            assert callable(rusage.run) and callable(rusage.Popen)
        except Exception as error:
            errors.append(error)

threads = [threading.Thread(target=look_up) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(errors[:1])
"""


def test_first_use_in_several_threads(python: Callable[..., str]) -> None:
    """A hook that removes itself fails a thread that has already missed the name in the module."""
    assert python("-c", FIRST_USE, str(2000 if FREE_THREADED else 300)) == "[]\n"


@pytest.mark.parametrize("gil", [True, False], ids=["with a GIL", "without"])
def test_calls_share_no_buffer(gil: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 (a parameter)
    """Nor do a call and a signal handler; without a GIL the threads share no free list either."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: gil, raising=False)
    package = Path(rusage.__file__).parent
    calls = load("rusage._calls", package / "_calls.py")
    monkeypatch.setattr("rusage._calls.FreeList", calls.FreeList)
    module = load("rusage._getrusage", package / "_getrusage.py")
    used: list[Any] = []
    during_call: Callable[[], object]

    def system_call(buffer: Any) -> int:
        used.append(buffer)
        during_call()
        return 0

    def numbers(threads: int, calls: int, size: int) -> set[int]:
        used.clear()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: [module.getrusage(0) for _ in range(calls)], range(threads)))
        return {len(set(used[at : at + size])) for at in range(0, len(used), size)}

    monkeypatch.setattr(module, "_get", system_call)
    during_call = threading.Barrier(4, timeout=60).wait  # each call lasts until all have begun
    assert numbers(4, calls=3, size=4) == {4}
    during_call = lambda: module.getrusage(0) if len(used) % 2 else None  # noqa: E731 (one expression)
    assert numbers(1, calls=3, size=2) == {2}
    during_call = bool
    unpack = lambda _: [len(used) % 2 and module.getrusage(0)] * 16  # noqa: E731 (as above)
    with monkeypatch.context() as patched:
        patched.setattr(module, "unpack", unpack)
        assert numbers(1, calls=3, size=2) == {2}
    module.getrusage(0)
    first = used[-1]
    assert numbers(1, calls=1, size=1) == {1}
    assert (used[-1] is first) is gil
    module.getrusage(0)
    assert used[-1] is first
    used.clear()

    def wait4(_pid: int, _status: object, _options: int, call: object) -> int:
        used.append(call)
        if len(used) == 2:
            module.wait4(0, 0)
        return 0

    monkeypatch.setattr(module, "lib", SimpleNamespace(rusage_wait4=wait4))
    module.wait4(0, 0)
    module.wait4(0, 0)
    assert used[1] is not used[2]


@pytest.mark.skipif(not FREE_THREADED, reason="this interpreter has a GIL")
def test_gil_stays_disabled() -> None:
    """The extension declares that it needs no GIL."""
    code = (
        "import rusage, sys; rusage.maxrss(); rusage.run([sys.executable, '-c', '']); "
        "print(sys._is_gil_enabled())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], text=True, capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
