"""Threads that use the package at once: ``python at_once.py CHECK``. They print what went wrong."""

import importlib
import sys
import threading
from collections.abc import Callable

import checks

import rusage

# With a GIL the threads take turns, and more rounds find no more.
ROUNDS = CALLS = 500 if getattr(sys, "_is_gil_enabled", lambda: True)() else 2000
LAZY = "CompletedProcess", "Popen", "run"
SLACK = 4 << 20  # bytes; the kernel's counters are approximate
WHO = getattr(rusage, "RUSAGE_THREAD", rusage.RUSAGE_SELF)

errors: list[str] = []


def start(number: int, work: Callable[[], None]) -> list[threading.Thread]:
    """Start threads that note their exceptions."""

    def run() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(repr(error))

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads


def first_use() -> None:
    """Look up the names that are imported when they are first asked for."""
    number = 4
    at_once = threading.Barrier(number)

    def look_up() -> None:
        for _ in range(ROUNDS):
            if at_once.wait() == 0:
                for name in LAZY:
                    rusage.__dict__.pop(name, None)
                sys.modules.pop("subprocess", None)
                importlib.reload(rusage)
            at_once.wait()
            try:
                assert callable(rusage.run)
                assert callable(rusage.Popen)
            except Exception as error:
                errors.append(repr(error))

    for thread in start(number, look_up):
        thread.join()
    print(len(errors), errors[:1])


def calls_beside_children() -> None:
    """Call what measures while children are started."""
    if hasattr(sys, "setswitchinterval"):
        sys.setswitchinterval(1e-5)

    def call() -> None:
        before, peak = rusage.getrusage(WHO), 0
        for _ in range(CALLS):
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

    threads = start(16, call)
    while any(thread.is_alive() for thread in threads):
        done = rusage.run([sys.executable, "-S", "-c", ""])
        if done.returncode or done.elapsed <= 0:
            errors.append(repr(done))
    for thread in threads:
        thread.join()
    print(len(errors), errors[:1])


def gil() -> None:
    """Print whether the GIL is enabled after the import, and after calls and a child."""
    seen = [sys._is_gil_enabled()]  # type: ignore[attr-defined,unused-ignore]  # noqa: SLF001 (there is no other way)
    rusage.getrusage(rusage.RUSAGE_SELF)
    rusage.run([sys.executable, "-c", ""])
    print(*seen, sys._is_gil_enabled())  # type: ignore[attr-defined,unused-ignore]  # noqa: SLF001 (as above)


checks.main(first_use, calls_beside_children, gil)
