"""Blocks while system calls change the memory: ``python memory_calls.py CHECK``. Each prints figures as JSON.

A check that the kernel does not support prints nothing but the reason, a string. Sizes are in bytes.
"""

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import platform
import signal
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from peaks import MIB, spike, status, touch

import rusage

SIZE = 256 * MIB
HUGE_PAGE = 2 * MIB
ROUNDS = 2
# A child that PyPy forks while other threads run may hang.
FORKS = 0 if platform.python_implementation() == "PyPy" else 3
# include/uapi/asm-generic/mman-common.h
MADV_POPULATE_WRITE, MADV_COLLAPSE = 23, 25
# include/uapi/linux/userfaultfd.h, on processors whose ioctl numbers are the common ones
USERFAULTFD = {"x86_64": 323, "aarch64": 282}
UFFD_USER_MODE_ONLY = 1
UFFDIO_API, UFFDIO_REGISTER, UFFDIO_COPY = 0xC018AA3F, 0xC020AA00, 0xC028AA03
UFFD_API, UFFDIO_REGISTER_MODE_MISSING = 0xAA, 1

libc = ctypes.CDLL(None, use_errno=True)  # which releases the GIL


class UnsupportedError(Exception):
    """The kernel lacks what a check needs."""


def madvise(address: int, size: int, advice: int, name: str) -> None:
    """Change how the kernel treats memory."""
    if libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), advice):
        raise UnsupportedError(f"this kernel has no {name}: {os.strerror(ctypes.get_errno())}")


def address_of(block: mmap.mmap) -> int:
    """Return where memory is mapped."""
    return ctypes.addressof(ctypes.c_char.from_buffer(block))


@contextlib.contextmanager
def populating() -> Iterator[None]:
    """Have another thread fill memory up in one system call, which keeps the lock of the address space meanwhile."""
    block = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    errors = []

    def populate() -> None:
        try:
            madvise(address_of(block), SIZE, MADV_POPULATE_WRITE, "MADV_POPULATE_WRITE")
        except UnsupportedError as error:
            errors.append(error)

    with contextlib.suppress(OSError):  # a kernel without huge pages, which would be filled up sooner
        block.madvise(mmap.MADV_NOHUGEPAGE)
    thread = threading.Thread(target=populate)
    before = rusage.rss()
    thread.start()
    while rusage.rss() < before + SIZE // 8 and not errors:
        pass
    yield
    thread.join()
    block.close()
    if errors:
        raise errors[0]


def populated() -> list[list[int]]:
    """Start a block while memory is filled up; return its peak, the sizes at its start and in it, and other peaks."""
    rows = []
    for _ in range(ROUNDS):
        with rusage.measure(reset_peak=True) as outer, populating(), rusage.measure(reset_peak=True) as m:
            inside = status("VmRSS")
        rows.append([m.peak, m.peak - m.peak_growth, inside, outer.peak, rusage.peak()])
    return rows


def other_threads() -> list[list[float]]:
    """Start blocks while memory is filled up; return how long that took, and the longest pause of another thread.

    Blocks that did not have to wait are left out. Other processes may make the thread wait in some of the others: more
    follow until it has run during one.
    """
    clock = time.perf_counter
    stop = threading.Event()
    pauses: list[tuple[float, float]] = []
    last = clock()

    def fill() -> float:
        with populating():
            start = clock()
        return clock() - start

    # Not by the longest block: other processes may have made that one long.
    least = statistics.median(fill() for _ in range(3)) / 2

    def count() -> None:
        nonlocal last
        last = clock()
        while not stop.is_set():
            now = clock()
            if now - last > 0.001:  # shorter ones do not matter
                pauses.append((last, now))
            last = now

    counter = threading.Thread(target=count)
    counter.start()
    rows: list[list[float]] = []
    for _ in range(20):
        with populating():
            start = clock()
            with rusage.measure(reset_peak=True):
                end = clock()
                latest = [*pauses, (last, end)]
        if end - start > least:
            rows.append([end - start, max(min(until, end) - max(since, start) for since, until in latest)])
        if len(rows) >= ROUNDS and any(pause < duration / 2 for duration, pause in rows):
            break
    stop.set()
    counter.join()
    return rows


def is_clear_refs(descriptor: int) -> bool:
    """Return whether a descriptor is open and resets the mark."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").endswith("/clear_refs")
    except OSError:
        return False


def next_descriptor() -> int:
    """Return the number that the next file will get."""
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor


def forked(*figures: int) -> list[int]:
    """Return figures of a forked child: these, how many of its descriptors reset the mark, and a block of its own."""
    ends = os.pipe()
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with several threads
    child = os.fork()
    if child == 0:
        descriptors = sum(map(is_clear_refs, range(100)))
        with rusage.measure(reset_peak=True) as m:
            spike(16 * MIB)
        os.write(ends[1], json.dumps([*figures, descriptors, m.peak_growth]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    result: list[int] = json.loads(os.read(ends[0], 10000))
    for end in ends:
        os.close(end)
    return result


def fork_in_reset() -> list[list[int]]:
    """Fork while a reset in another thread waits; return whether it did, and figures of the child and the parent."""
    rows = []
    for _ in range(ROUNDS):
        go = threading.Event()

        def start(go: threading.Event = go) -> None:
            go.wait()
            with rusage.measure(reset_peak=True):
                pass

        thread = threading.Thread(target=start)  # its stack cannot be mapped while memory is filled up
        thread.start()
        with rusage.measure(reset_peak=True) as outer, populating():
            descriptor = next_descriptor()
            go.set()
            while not (waits := is_clear_refs(descriptor)) and thread.is_alive():
                pass
            row = forked(waits)
            thread.join()
        rows.append([*row, outer.peak_growth])
    return rows


@contextlib.contextmanager
def filling() -> Iterator[None]:
    """Have memory filled up and freed again and again."""
    stop, errors = threading.Event(), []

    def fill() -> None:
        try:
            while not stop.is_set():
                with populating():
                    pass
        except UnsupportedError as error:
            errors.append(error)

    thread = threading.Thread(target=fill)
    thread.start()
    yield
    stop.set()
    thread.join()
    if errors:
        raise errors[0]


def all_at_once() -> dict[str, list[int]]:
    """Start blocks in threads, in a signal handler and in forked children, all while memory is filled up and freed."""
    rusage.measure(reset_peak=True)  # the first one imports modules; a child forked meanwhile would wait for ever
    peaks, handled = [status("VmRSS")], []

    def work() -> None:
        for _ in range(ROUNDS):
            with rusage.measure(reset_peak=True) as outer, rusage.measure(reset_peak=True):
                spike(8 * MIB)
            peaks.append(outer.peak)

    def handle(*_: object) -> None:
        with rusage.measure(reset_peak=True) as m:
            pass
        handled.append(m.peak)
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    signal.signal(signal.SIGALRM, handle)
    workers = [threading.Thread(target=work) for _ in range(3)]
    with filling():
        for thread in workers:
            thread.start()
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        children = [forked() for _ in range(FORKS)]
        while not handled:
            time.sleep(0.01)
        for thread in workers:
            thread.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"peaks": peaks, "handled": handled, "children": [growth for _, growth in children]}


def growths(grow: Callable[[], None]) -> list[list[int]]:
    """Return how much blocks grow by a system call, and by how much the size of the process does."""
    rows = []
    for _ in range(ROUNDS):
        before = status("VmRSS")
        with rusage.measure(reset_peak=True) as m:
            grow()
        rows.append([m.peak_growth, status("VmRSS") - before])
    return rows


def collapsed() -> list[list[int]]:
    """Grow by huge pages in the place of single ones."""
    if not Path("/sys/kernel/mm/transparent_hugepage").exists():
        raise UnsupportedError("this kernel has no huge pages")
    size = 32 * MIB
    blocks = [touch_some(size + HUGE_PAGE) for _ in range(ROUNDS)]
    starts = [-(-address_of(block) // HUGE_PAGE) * HUGE_PAGE for block in blocks]
    return growths(lambda: madvise(starts.pop(), size, MADV_COLLAPSE, "MADV_COLLAPSE"))


def touch_some(size: int) -> mmap.mmap:
    """Return memory of which one page for each huge page has been written to."""
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, size, HUGE_PAGE):
        block[page] = 1
    return block


def copied() -> list[list[int]]:
    """Grow by pages that a userfaultfd(2) maps."""
    number = USERFAULTFD.get(platform.machine())
    if number is None:
        raise UnsupportedError("the numbers of userfaultfd(2) on this processor are not written here")
    fd = libc.syscall(number, os.O_CLOEXEC | UFFD_USER_MODE_ONLY)
    if fd < 0:
        fd = libc.syscall(number, os.O_CLOEXEC)  # before Linux 5.11
    if fd < 0:
        raise UnsupportedError(f"userfaultfd(2): {os.strerror(ctypes.get_errno())}")
    size = 32 * MIB
    source = touch(size)
    targets = [mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(ROUNDS)]
    fcntl.ioctl(fd, UFFDIO_API, words(UFFD_API, 0, 0))
    for target in targets:
        fcntl.ioctl(fd, UFFDIO_REGISTER, words(address_of(target), size, UFFDIO_REGISTER_MODE_MISSING, 0))
    requests = [words(address_of(target), address_of(source), size, 0, 0) for target in targets]
    return growths(lambda: check_copied(fcntl.ioctl(fd, UFFDIO_COPY, requests.pop())))


def check_copied(result: int) -> None:
    """Raise an exception unless everything was copied."""
    assert result == 0


def words(*numbers: int) -> bytearray:
    """Return the argument of an ioctl(2)."""
    return bytearray(b"".join(number.to_bytes(8, sys.byteorder) for number in numbers))


CHECKS: dict[str, Callable[[], Any]] = {
    check.__name__: check for check in (populated, other_threads, fork_in_reset, all_at_once, collapsed, copied)
}

if __name__ == "__main__":
    try:
        print(json.dumps(CHECKS[sys.argv[1]]()))
    except UnsupportedError as error:
        print(json.dumps(str(error)))
