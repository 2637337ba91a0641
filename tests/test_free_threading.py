"""Threads that use the package at once: on a free-threaded interpreter they run side by side."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable

import pytest

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
    """Each thread finds a name that is imported when it is first asked for.

    A hook that removes itself after the first look-up fails on a free-threaded interpreter: a thread that has already
    missed the name in the module finds no hook any more.
    """
    assert python("-c", FIRST_USE, str(2000 if FREE_THREADED else 300)) == "[]\n"


@pytest.mark.skipif(not FREE_THREADED, reason="this interpreter has a GIL")
def test_gil_stays_disabled() -> None:
    """The extension declares that it needs no GIL: neither its import nor a child enables it, without a warning."""
    code = "import rusage, sys; rusage.maxrss(); rusage.run([sys.executable, '-c', '']); print(sys._is_gil_enabled())"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], text=True, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")
