"""``wait3`` and ``wait4``."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import forks

import rusage
from rusage._backends import BACKEND

if sys.platform == "win32":
    pytest.skip("Windows has no wait for a child by its process ID", allow_module_level=True)

has_wait4 = pytest.mark.skipif(not hasattr(os, "wait4"), reason="this system has no wait4")


def child(work: Callable[[], object]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(3)
    return pid


def wait_for_end(reader: int, writer: int) -> None:
    os.close(writer)
    os.read(reader, 1)


def burn() -> None:
    block = bytearray(b"x" * 2**24)
    start = time.process_time()
    while time.process_time() - start < 0.05:
        block[0] ^= 1


def as_added(usage: rusage.RUsage, grown: rusage.RUsage) -> rusage.RUsage:
    """Return a usage without the switch between wait_task_zombie()'s sum and its copy of that."""
    if BACKEND.name == "Linux" and usage.ru_nvcsw == grown.ru_nvcsw + 1:
        return usage._replace(ru_nvcsw=grown.ru_nvcsw)
    return usage


@forks
@pytest.mark.parametrize("name", ["wait3", "wait4"])
def test_waited_child_is_in_children(name: str) -> None:
    """Not by the CPU times on FreeBSD: they differ by milliseconds and more, with os.wait4 too."""
    before = rusage.getrusage(rusage.RUSAGE_CHILDREN)
    pid = child(burn)
    waited, status, usage = rusage.wait3(0) if name == "wait3" else rusage.wait4(pid, 0)
    assert (waited, status) == (pid, 3 << 8)
    assert type(usage) is rusage.RUsage
    grown = rusage.getrusage(rusage.RUSAGE_CHILDREN) - before
    if BACKEND.name != "FreeBSD":
        assert sum(grown[:2]) == pytest.approx(sum(usage[:2]), abs=1e-3)
    assert grown[3:6] == pytest.approx(usage[3:6], abs=1)  # byte-seconds, each rounded down
    assert grown[6:] == as_added(usage, grown)[6:]
    least = 2**24 if "ru_maxrss" in rusage.measured(rusage.RUSAGE_CHILDREN) else 0  # of burn()
    assert grown.ru_maxrss >= usage.ru_maxrss >= least


Usage = tuple[rusage.RUsage, frozenset[str]]


def by_wait4() -> Usage:
    pid = child(lambda: None)
    while not (waited := rusage.wait4(pid, os.WNOHANG))[0]:
        pass
    return waited[2], BACKEND.waited


def by_popen() -> Usage:
    process = rusage.Popen([sys.executable, "-S", "-c", ""])
    while process.poll() is None:
        pass
    assert process.rusage is not None
    return process.rusage, process.measured


not_on_linux = pytest.mark.skipif(
    sys.platform == "linux", reason="RUSAGE_CHILDREN has the launcher's usage too"
)


@forks
@pytest.mark.parametrize(
    ("wait", "times"), [(by_wait4, 25), pytest.param(by_popen, 10, marks=not_on_linux)]
)
def test_usage_is_complete_at_once(wait: Callable[[], Usage], times: int) -> None:
    """However early the exit is seen: os.wait4 often lacks the last thread then on FreeBSD."""
    for _ in range(times):
        before = rusage.getrusage(rusage.RUSAGE_CHILDREN)
        usage, measured = wait()
        grown = rusage.getrusage(rusage.RUSAGE_CHILDREN) - before
        counted = [name for name in rusage.RUsage._fields[6:] if name in measured]
        added = as_added(usage, grown)
        assert [getattr(added, name) for name in counted] == [
            getattr(grown, name) for name in counted
        ]


@forks
def test_nohang_with_no_child_ready() -> None:
    reader, writer = os.pipe()
    pid = child(lambda: wait_for_end(reader, writer))
    assert rusage.wait4(pid, os.WNOHANG) == (0, 0, rusage.RUsage.zero)
    os.close(writer)
    assert rusage.wait4(pid, 0)[0] == pid
    os.close(reader)


@has_wait4
@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((1.0, 0), TypeError),
        ((1, None), TypeError),
        ((2**30, 0), ChildProcessError),
        ((2**40, 0), OverflowError),
        ((1, 2**40), OverflowError),
        ((), TypeError),
    ],
)
def test_wait_that_fails(args: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        rusage.wait4(*args)
    with pytest.raises(error):
        os.wait4(*args)


@contextlib.contextmanager
def disturbed(handler: Callable[..., None]) -> Iterator[None]:
    me, ended = threading.get_ident(), threading.Event()

    def disturb() -> None:
        while not ended.wait(0.05):
            # A kernel may give a timer's signal to another thread.
            signal.pthread_kill(me, signal.SIGUSR1)

    previous, helper = signal.signal(signal.SIGUSR1, handler), threading.Thread(target=disturb)
    try:
        helper.start()
        yield
    finally:
        ended.set()
        helper.join()
        signal.signal(signal.SIGUSR1, previous)


@forks
def test_wait_goes_on_after_signals() -> None:
    """A handled signal interrupts the wait and it goes on, for the same child (PEP 475)."""
    calls: list[int] = []
    reader, writer = os.pipe()
    slow = child(lambda: wait_for_end(reader, writer))
    other = child(lambda: None)

    def handler(*_: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            os.close(writer)

    with disturbed(handler):
        assert rusage.wait4(slow, 0)[0] == slow
    assert len(calls) >= 3
    assert rusage.wait4(other, 0)[0] == other
    os.close(reader)


@forks
def test_handler_that_raises_ends_wait() -> None:
    reader, writer = os.pipe()
    pid = child(lambda: wait_for_end(reader, writer))
    raised: list[int] = []

    def handler(*_: object) -> None:
        if not raised:
            raised.append(1)
            raise InterruptedError("mine")

    # On a loaded machine it may begin late.
    with pytest.raises(InterruptedError, match="mine"), disturbed(handler):
        rusage.wait4(pid, 0)
    os.close(writer)
    assert rusage.wait4(pid, 0)[0] == pid
    os.close(reader)
