"""``Process``: another process's usage, against what it reports of itself, and against /proc."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from conftest import linux, under_wine
from scenes import MIB, Actor, playing, readers, wait_for_state, without_pidfd
from system_words import documentation

import rusage
from rusage import RUsage
from rusage._backends import BACKEND

if "Process" in BACKEND.absent:
    pytest.skip(f"no Process: {BACKEND.absent['Process']}", allow_module_level=True)

from rusage._backends.linux import rss_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rusage._rusage import Process as Handle

LINUX = BACKEND.name == "Linux"

# On Linux a time is cut to a whole tick, of sysconf(_SC_CLK_TCK). Elsewhere the clocks of the two
# sides may differ.
TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 1 / 64

# The kernel adds up the counters of all CPUs only when VmHWM is the current size.
ERROR = rss_error(os.cpu_count() or 1, rusage.getpagesize())

wine_times = pytest.mark.xfail(
    under_wine(), reason="Wine reports the times of the asking process", strict=True
)


class Report(NamedTuple):
    """A process's report about itself."""

    usage: RUsage
    high_water_mark: int
    cputime: float


def report_of(running: Actor, *words: object) -> Report:
    """Tell a process to do something; return its report afterwards."""
    if words:
        running(*words)
    usage, high_water_mark, cputime = running("report")
    return Report(RUsage._make(usage), high_water_mark, cputime)


@contextlib.contextmanager
def reporting(*words: str) -> Iterator[Actor]:
    """Yield a process that has reported its own usage once, which imports modules."""
    with playing("execute", *words) as running:
        running("report")
        yield running


def end(running: Actor, process: rusage.Process) -> None:
    """End it, without reaping it."""
    os.kill(running.pid, signal.SIGTERM)
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
        return
    with contextlib.suppress(ProcessLookupError):  # PyPy and Windows
        while True:
            process.cputime()
            time.sleep(0.01)


def handle_of(process: rusage.Process) -> Handle:
    """Return what C knows of a process."""
    return process._handle  # noqa: SLF001 (there is no other way to see what is open)


def opened(pid: int, way: str) -> rusage.Process:
    """Return an open Process, as on kernels and sandboxes without pidfd_open(2) if asked to."""
    process = rusage.Process(pid)
    return without_pidfd(process) if way == "without pidfd" else process


WAYS = ["as it is", *(["without pidfd"] if LINUX else [])]
ways = pytest.mark.parametrize("way", WAYS)


def compare(running: Actor, process: rusage.Process, *words: object) -> RUsage:
    """Tell a process to do something, and return a reading.

    Fail if it does not lie between two reports of the process itself.
    """
    before = report_of(running, *words)
    usage = process.getrusage()
    peak = process.peak() if "ru_maxrss" in process.measured else None
    cputime = process.cputime()
    after = report_of(running)
    for name in RUsage._fields:
        low, value, high = (getattr(one, name) for one in (before.usage, usage, after.usage))
        if name not in process.measured:
            assert value == 0, name
        elif name in {"ru_utime", "ru_stime"}:
            assert low - TICK <= value <= high + (0 if LINUX else TICK), name
        elif name == "ru_maxrss" and LINUX:  # unlike getrusage's, which is inherited and inexact
            assert before.high_water_mark - ERROR <= value <= after.high_water_mark + ERROR
        else:
            assert low <= value <= high, name
    if peak is not None:
        assert usage.ru_maxrss - ERROR <= peak
        assert not LINUX or peak <= after.high_water_mark + ERROR
    tolerance = 1e-9 if LINUX else TICK
    # Where the kernel's own times are samples, the exact ones of time.process_time() may be less or
    # more.
    samples = documentation(BACKEND).resolution == "ticks"
    low, high = (one.usage.cputime if samples else one.cputime for one in (before, after))
    assert low - tolerance <= cputime <= high + tolerance
    return usage


# --- Figures ---


@wine_times
@ways
def test_figures_are_the_processs_own(way: str) -> None:
    """They lie between two reports of the process and follow what it does; only the size falls."""
    with reporting() as running, opened(running.pid, way) as process:
        assert process.pid == running.pid
        assert process.measured == BACKEND.process
        first = compare(running, process)
        second = compare(running, process, "burn", 0.15)
        assert sum(second[:2]) - sum(first[:2]) > 0.1
        before = process.rss()
        third = compare(running, process, "touch", 100)
        during = process.rss()
        assert during - before == pytest.approx(100 * MIB, abs=ERROR + 4 * MIB)
        if "ru_minflt" in process.measured:
            assert third.ru_minflt > second.ru_minflt
        fourth = compare(running, process, "untouch")
        assert process.rss() < during - 50 * MIB
        if "ru_maxrss" in process.measured:
            assert third.ru_maxrss - second.ru_maxrss > 96 * MIB - ERROR
            assert fourth.ru_maxrss >= third.ru_maxrss - ERROR


@linux
def test_cputime_counts_nanoseconds() -> None:
    with rusage.Process(os.getpid()) as process:
        readings = [process.cputime() * 1e6 for _ in range(10)]
    assert any(abs(reading - round(reading)) > 1e-3 for reading in readings)


@linux
@ways
@pytest.mark.skipif(
    platform.machine() not in {"x86_64", "aarch64"}, reason="pthread_exit by ctypes"
)
def test_first_thread_has_ended(way: str) -> None:
    with reporting("thread") as running, opened(running.pid, way) as process:
        wait_for_state(running.pid, "Z")
        assert process.measured == BACKEND.process
        compare(running, process, "touch", 20)
        assert process.rss() > 20 * MIB
        if "ru_maxrss" in process.measured:
            assert process.rss() <= process.peak() + ERROR
        compare(running, process, "burn", 0.05)
        with opened(running.pid, way) as another:
            compare(running, another, "touch", 20)
        end(running, process)
        assert_ended(process)


# Execute itself, each time from another thread, and print a dot each time.
EXEC_IN_THREADS = """
import _thread, os, sys, time
os.write(1, b".")
_thread.start_new_thread(os.execv, (sys.executable, sys.orig_argv))
time.sleep(600)
"""


@linux
@ways
def test_programs_of_other_threads(way: str, tmp_path: Path) -> None:
    """When a thread other than the first executes a program, there is no memory for a moment."""
    dots, stop = tmp_path / "dots", time.monotonic() + 10
    with (
        dots.open("wb") as file,
        subprocess.Popen([sys.executable, "-I", "-S", "-c", EXEC_IN_THREADS], stdout=file) as child,
    ):
        try:
            with opened(child.pid, way) as process:
                while dots.stat().st_size < (20 if time.monotonic() < stop else 2):
                    for _ in range(100):
                        assert process.cputime() >= 0  # of a program that has just begun: none
                        assert process.getrusage().ru_minflt > 0
                        assert all(reader() for reader in readers(process)[2:])
                        with rusage.Process(child.pid) as another:
                            assert another.measured == BACKEND.process
            assert child.poll() is None
        finally:
            child.kill()
    assert dots.stat().st_size > 1


@linux
def test_directory_unreadable_for_a_moment() -> None:
    """While a thread replaces the first one, a file may fail with ESRCH.

    That is here another process's directory.
    """
    with reporting() as running, rusage.Process(running.pid) as process:
        handle = handle_of(process)
        if handle.pidfd < 0:
            pytest.skip("without pidfd_open(2) the second ESRCH is believed")
        with reporting() as other:
            ended = os.open(f"/proc/{other.pid}", os.O_RDONLY)
        good = os.dup(handle.directory)
        for method in readers(process)[1:]:
            os.dup2(ended, handle.directory, inheritable=False)
            mended = threading.Timer(0.005, os.dup2, (good, handle.directory, False))
            mended.start()
            assert method()
            mended.join()
        os.dup2(ended, handle.directory, inheritable=False)
        end(running, process)
        assert_ended(process)
        os.close(good)
        os.close(ended)


@linux
def test_end_that_is_seen_for_a_moment() -> None:
    """A pidfd may show an end while a thread replaces the first one.

    That moment is here a pipe with data.
    """
    with reporting() as running, rusage.Process(running.pid) as process:
        handle = handle_of(process)
        pidfd, (read_end, write_end) = handle.pidfd, os.pipe()
        os.write(write_end, b"x")
        handle.pidfd = read_end
        try:
            emptied = threading.Timer(0.005, os.read, (read_end, 1))
            emptied.start()
            assert process.rss() > 0
            emptied.join()
            os.write(write_end, b"x")  # for good: the number now belongs to another process
            with pytest.raises(ProcessLookupError):
                process.rss()
        finally:
            handle.pidfd = pidfd
            os.close(read_end)
            os.close(write_end)


@linux
def test_ended_processes_cost_no_waiting() -> None:
    """A zombie and a number without a process: a wait would be a voluntary switch, by getrusage."""
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "RUSAGE_THREAD"):
        pytest.skip("PyPy's resource has no RUSAGE_THREAD")

    def switches() -> int:
        counted: int = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        return counted

    with reporting() as running, rusage.Process(running.pid) as process:
        if handle_of(process).pidfd < 0:
            pytest.skip("without pidfd_open(2) an end is confirmed a millisecond later")
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as zombie:
        wait_for_state(zombie.pid, "Z")
        for pid in zombie.pid, 2**31 - 1:
            before = switches()
            for _ in range(200):
                with pytest.raises(ProcessLookupError):
                    rusage.Process(pid)
            assert switches() - before < 100


# --- Which process ---


def assert_ended(process: rusage.Process) -> None:
    """Fail if one of the methods does not say that the process has ended."""
    for method in readers(process):
        with pytest.raises(ProcessLookupError) as caught:
            method()
        reason = "the process has ended, or this is the ID of a thread"
        texts = {f"{text}: {process.pid}" for text in (os.strerror(errno.ESRCH), reason)}
        assert caught.value.errno == errno.ESRCH
        assert caught.value.strerror in texts


@ways
def test_process_that_has_ended(way: str) -> None:
    with reporting() as running, opened(running.pid, way) as process:
        end(running, process)
        assert_ended(process)
        text = "has ended" if hasattr(os, "waitid") else "(?i)process"
        with pytest.raises(ProcessLookupError, match=text):
            rusage.Process(running.pid)
        running.scene.wait()
        assert_ended(process)
        with pytest.raises(ProcessLookupError):
            rusage.Process(running.pid)


@linux
def test_descriptor_that_was_closed_by_others() -> None:
    with rusage.Process(os.getpid()) as process:
        handle = handle_of(process)
        if handle.pidfd < 0:
            pytest.skip(reason="this kernel or sandbox has no pidfd_open(2)")
        os.close(handle.pidfd)
        with pytest.raises(OSError, match=os.strerror(errno.EBADF)) as caught:
            process.cputime()
        assert caught.value.errno == errno.EBADF
        handle.pidfd = -1
