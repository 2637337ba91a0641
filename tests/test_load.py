"""Many threads, signals, forks: no record is torn, nothing is leaked."""

import os
import platform
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import rusage

pytestmark = pytest.mark.xdist_group("alone")  # their threads use all CPUs

THREADS = 8
WHO = [getattr(rusage, name) for name in rusage.__all__ if name.startswith("RUSAGE_")]
FDS = Path("/proc/self/fd")
STATM = Path("/proc/self/statm")


def resident() -> int:
    """Return the current resident set in bytes, 0 where /proc does not have it."""
    return int(STATM.read_text().split()[1]) * rusage.getpagesize() if STATM.exists() else 0


def open_files() -> int:
    """Return the number of open descriptors, 0 where /proc does not have it."""
    return len(os.listdir(FDS)) if FDS.exists() else 0


def check(usage: rusage.RUsage, who: int) -> None:
    """Fail if a record cannot be: torn ones have another's numbers in some of their places."""
    known = rusage.measured(who)
    assert len(usage) == 16
    for name, value in usage._asdict().items():
        assert 0 <= value < 2**44, (name, usage)
        assert name in known or value == 0, (name, usage)
    if "ru_maxrss" in known and who == rusage.RUSAGE_SELF and sys.platform == "linux":
        assert usage.ru_maxrss % 1024 == 0
        assert usage.ru_maxrss > 2**20, usage
    assert usage.ru_utime < 10**6, usage


@pytest.mark.timeout(method="thread")  # the other method uses SIGALRM too
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize(
    "calls", [15_000, pytest.param(200_000, marks=[pytest.mark.thorough, pytest.mark.interpreter])]
)
def test_threads_signals_and_forks(calls: int) -> None:  # noqa: C901, PLR0915 (one scene, many actors)
    """8 threads with many calls of mixed ``who``, beside a signal handler that calls and a thread that forks."""
    failures: list[BaseException] = []
    handled = []
    stop = threading.Event()
    sizes: list[int] = []

    def guarded(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)
                stop.set()

        return run

    def call() -> None:
        for number in range(calls):
            who = WHO[number % len(WHO)]
            usage = rusage.getrusage(who)
            if number % 16 == 0:
                check(usage, who)
            if stop.is_set() and failures:
                return

    def compare() -> None:
        last = {who: rusage.getrusage(who) for who in WHO}
        while not stop.is_set():
            for who in WHO:
                usage = rusage.getrusage(who)
                check(usage, who)
                assert usage.ru_minflt >= last[who].ru_minflt, (last[who], usage)
                assert usage.ru_maxrss >= last[who].ru_maxrss, (last[who], usage)
                last[who] = usage

    def fork() -> None:
        while not stop.is_set():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # CPython warns of a fork beside threads
                pid = os.fork()
            if pid == 0:
                os._exit(0)
            got, status, usage = rusage.wait4(pid, 0)
            assert (got, status) == (pid, 0)
            check(usage, rusage.RUSAGE_CHILDREN)
            time.sleep(0.01)

    def handler(*_: object) -> None:
        check(rusage.getrusage(rusage.RUSAGE_SELF), rusage.RUSAGE_SELF)
        handled.append(1)

    files = open_files()
    callers = [threading.Thread(target=guarded(call)) for _ in range(THREADS)]
    helpers = [threading.Thread(target=guarded(work)) for work in (compare, fork)]
    previous, interval = signal.signal(signal.SIGALRM, handler), sys.getswitchinterval()
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    sys.setswitchinterval(1e-5)  # more switches in fewer calls
    try:
        for thread in (*callers, *helpers):
            thread.start()
        while any(thread.is_alive() for thread in callers):
            check(rusage.getrusage(rusage.RUSAGE_SELF), rusage.RUSAGE_SELF)
            sizes.append(resident())
            time.sleep(0.002)
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        for thread in (*callers, *helpers):
            thread.join()
    assert not failures, failures[0]
    assert handled
    assert open_files() == files
    middle, end = sizes[len(sizes) // 2], sizes[-1]
    allowed = 2**22 if platform.python_implementation() == "CPython" else 2**26  # PyPy's collector lets garbage pile up
    assert end - middle < allowed, sizes[:: max(1, len(sizes) // 10)]


def test_repeated_calls_leak_nothing() -> None:
    """Fifty thousand calls, good and bad, leave no memory and no descriptor behind."""
    files = open_files()

    def many() -> None:
        for _ in range(10_000):
            rusage.getrusage(rusage.RUSAGE_SELF)
            rusage.maxrss()
            for bad in (99, 2**40, "0"):
                with pytest.raises((ValueError, OverflowError, TypeError)):
                    rusage.getrusage(bad)  # type: ignore[arg-type]  # the point

    def grew() -> int:
        size = resident()
        many()
        return resident() - size

    many()
    allowed = 2**20 if platform.python_implementation() == "CPython" else 2**25  # PyPy's collector lets garbage pile up
    # A leak shows each time. Linux may replace a few pages by a huge page of 2 MiB at any time (khugepaged).
    assert any(grew() < allowed for _ in range(3))
    assert open_files() == files
