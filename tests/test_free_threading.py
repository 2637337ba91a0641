"""Threads that use the package at once: on a free-threaded interpreter they run side by side."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable

import pytest

ROUNDS = 2000
CALLS = 2000
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))


def test_first_use_in_several_threads(python: Callable[..., str]) -> None:
    """Each thread finds a name that is imported when it is first asked for.

    A hook that removes itself after the first look-up fails on a free-threaded interpreter: a thread that has already
    missed the name in the module finds no hook any more.
    """
    program = f"""
import importlib, sys, threading, rusage
LAZY = "CompletedProcess", "Popen", "run"
THREADS = 4
errors = []
at_once = threading.Barrier(THREADS)

def look_up():
    for _ in range({ROUNDS}):
        if at_once.wait() == 0:
            for name in LAZY:
                vars(rusage).pop(name, None)
            sys.modules.pop("subprocess", None)
            importlib.reload(rusage)
        at_once.wait()
        try:
            assert callable(rusage.run) and callable(rusage.Popen)
        except BaseException as error:
            errors.append(str(error))

threads = [threading.Thread(target=look_up) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(errors), errors[:1])
"""
    assert python("-c", program).strip() == "0 []"


def test_calls_in_several_threads_beside_children(python: Callable[..., str]) -> None:
    """Each result is whole, and not another thread's: the times of a thread never decrease."""
    program = f"""
import sys, threading, rusage
if hasattr(sys, "setswitchinterval"):
    sys.setswitchinterval(1e-5)
WHO = getattr(rusage, "RUSAGE_THREAD", rusage.RUSAGE_SELF)
SLACK = 4 << 20  # the kernel's counters are approximate
errors = []

def call():
    try:
        before, peak = rusage.getrusage(WHO), 0
        for _ in range({CALLS}):
            usage = rusage.getrusage(WHO)
            assert usage.ru_utime + usage.ru_stime >= before.ru_utime + before.ru_stime, (before, usage)
            whole = rusage.getrusage(rusage.RUSAGE_SELF)
            assert whole.ru_maxrss >= peak - SLACK, (whole, peak)
            peak = rusage.maxrss()
            used = rusage.cputime(WHO)
            assert used >= usage.ru_utime + usage.ru_stime - 1e-5, (used, usage)
            before = usage
            with rusage.measure(WHO) as block:
                pass
            assert block.usage.ru_utime >= 0, block.usage
    except BaseException as error:
        errors.append(repr(error))

threads = [threading.Thread(target=call) for _ in range(16)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    done = rusage.run([sys.executable, "-S", "-c", ""])
    if done.returncode or done.elapsed <= 0:
        errors.append(repr(done))
for thread in threads:
    thread.join()
print(len(errors), errors[:1])
"""
    assert python("-c", program).strip() == "0 []"


@pytest.mark.parametrize("gil", ["with", "without"])
def test_calls_share_no_buffer(program: Callable[..., str], gil: str) -> None:
    """Neither do calls in several threads, nor a call and a signal handler that interrupts it.

    Without a GIL the threads do not share the free list either; on other interpreters it is made to look so.
    """
    expected = "4 4 4 2 2 2 " + {"with": "1", "without": "2"}[gil]
    numbers = [line.split(maxsplit=1)[1] for line in program("buffers.py", gil).splitlines()]
    assert set(numbers) == {expected}


@pytest.mark.skipif(not FREE_THREADED, reason="this interpreter has a GIL")
def test_gil_stays_disabled() -> None:
    """The extension declares that it needs no GIL: neither its import nor a child enables it, without a warning."""
    program = """
import sys, rusage
seen = [sys._is_gil_enabled()]
rusage.getrusage(rusage.RUSAGE_SELF)
rusage.run([sys.executable, "-c", ""])
print(*seen, sys._is_gil_enabled())
"""
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert (done.stdout.split(), done.stderr) == (["False", "False"], "")
