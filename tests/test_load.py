"""Many threads and forks: no record is torn, nothing is leaked."""

import contextlib
import platform
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import open_files

import rusage
from rusage._backends import BACKEND

pytestmark = pytest.mark.xdist_group("alone")  # their threads use all CPUs

WHO = [getattr(rusage, name) for name in rusage.__all__ if name.startswith("RUSAGE_")]
SLACK = 4 << 20  # bytes; the kernel's counters are approximate


def check(usage: rusage.RUsage, who: int) -> None:
    """Torn records have another's numbers in some of their places."""
    known = rusage.measured(who)
    for name, value in usage._asdict().items():
        assert 0 <= value < 2**44, (name, usage)
        assert name in known or value == 0, (name, usage)


def test_threads_and_children() -> None:
    def call() -> None:
        last = {who: rusage.getrusage(who) for who in WHO}
        for number in range(15_000):
            who = WHO[number % len(WHO)]
            usage = rusage.getrusage(who)
            if number % 15 == 0:
                check(usage, who)
                assert usage.ru_minflt >= last[who].ru_minflt, (last[who], usage)
                assert usage.ru_maxrss >= last[who].ru_maxrss - SLACK, (last[who], usage)
                if who == getattr(rusage, "RUSAGE_THREAD", None):
                    latest = rusage.cputime(who) + 1e-5
                    assert last[who].cputime <= usage.cputime <= latest, (last[who], usage)
                last[who] = usage

    files, interval = open_files(), sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # more switches in fewer calls
    with contextlib.ExitStack() as stack:
        stack.callback(sys.setswitchinterval, interval)
        stack.enter_context(warnings.catch_warnings())
        # CPython warns of a fork beside threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        pool = stack.enter_context(ThreadPoolExecutor(8))
        callers = [pool.submit(call) for _ in range(8)]
        while not all(task.done() for task in callers):
            done = rusage.run([sys.executable, "-S", "-c", ""])
            assert (done.returncode, done.elapsed > 0) == (0, True)
        for task in callers:
            task.result()
    assert open_files() == files


@pytest.mark.skipif("rss" in BACKEND.absent, reason="this system has no rss()")
def test_repeated_calls_leak_nothing() -> None:
    files = open_files()

    def many() -> None:
        for _ in range(10_000):
            rusage.getrusage(rusage.RUSAGE_SELF)
            rusage.maxrss()
            rusage.rss()
            if "peak" not in BACKEND.absent:
                rusage.peak()
            for bad in (99, 2**40, "0"):
                with pytest.raises((ValueError, OverflowError, TypeError)):
                    rusage.getrusage(bad)  # type: ignore[arg-type]  # the point

    many()
    # PyPy's collector lets garbage pile up.
    allowed = 2**20 if platform.python_implementation() == "CPython" else 2**25
    # A leak shows each time; Linux may replace a few pages by a huge page of 2 MiB at any time.
    for _ in range(3):
        size = rusage.rss()
        many()
        if rusage.rss() - size < allowed:
            break
    else:
        pytest.fail("the memory grows")
    assert open_files() == files
