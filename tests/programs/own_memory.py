"""The memory of this process: ``python own_memory.py CHECK``. Each check prints figures as JSON, sizes in bytes."""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peaks import MIB, locked_by_thread, spike, status, touch

import rusage
from rusage import _memory

THREADS = 4
ROUNDS = 200


def page_walk() -> int:
    """Return the resident set size that the kernel gets by walking the page tables, not from its counters."""
    found = re.search(r"^Rss: +(\d+) kB$", Path("/proc/self/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def known() -> list[int]:
    """Return the peak of a known allocation, what it must be, and the kernel's ru_maxrss."""
    start = page_walk()
    spike(64 * MIB)
    return [rusage.peak(), start + 64 * MIB, rusage.maxrss()]


def inherited() -> Any:
    """Do as ``known`` in a program that a process of 400 MiB starts."""
    held = touch(400 * MIB)
    done = subprocess.run([sys.executable, __file__, "known"], stdout=subprocess.PIPE, check=True)
    held.close()
    return json.loads(done.stdout)


def resets() -> list[list[int]]:
    """Return ``peak()`` and the mark around blocks that reset it after a spike of 300 MiB."""
    spike(300 * MIB)
    figures = [[rusage.peak(), status("VmHWM")]]
    for size in (1, 100, 1):
        with rusage.measure(reset_peak=True):
            figures.append([rusage.peak(), status("VmHWM")])
            spike(size * MIB)
        figures.append([rusage.peak(), status("VmHWM")])
    return figures


def unread() -> list[int]:
    """Return the peak of a spike that only the reset of a block could see, and the one before it."""
    before = rusage.peak()
    spike(100 * MIB)
    with rusage.measure(reset_peak=True):
        pass
    return [before, status("VmHWM"), rusage.peak()]


def known_peak() -> list[int]:
    """Return ru_maxrss after a spike and after a block's reset, and what the rules for children use in and after it."""
    spike(100 * MIB)
    before = rusage.maxrss()
    with rusage.measure(reset_peak=True):
        after, inside = rusage.maxrss(), _memory.known_peak()
    return [before, after, inside, _memory.known_peak()]


def threads() -> list[int]:
    """Read the peak in threads while others reset the mark; return the number of readings and of those that fell."""
    spike(100 * MIB)
    floor = rusage.peak()
    fallen, number, stop = [], [], threading.Event()

    def read() -> None:
        last, count = floor, 0
        while not stop.is_set():
            now = rusage.peak()
            if now < last:
                fallen.append(last - now)
            last, count = now, count + 1
        number.append(count)

    def reset() -> None:
        for _ in range(ROUNDS // 8):
            with rusage.measure(reset_peak=True):
                spike(MIB)

    sys.setswitchinterval(0.0005)  # more switches in less time
    readers = [threading.Thread(target=read) for _ in range(THREADS)]
    resetters = [threading.Thread(target=reset) for _ in range(THREADS)]
    for thread in readers + resetters:
        thread.start()
    for thread in resetters:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    return [min(number), len(fallen)]


def handler() -> list[int]:
    """Read the peak in a signal handler: while its thread holds the lock of blocks, another one does, or none."""
    readings = [rusage.peak()]
    fallen = []

    def read(*_: object) -> None:
        before = max(readings[-2:])  # a handler may read between the reading of a block and its entry here
        peak = rusage.peak()
        readings.append(peak)
        if peak < before:
            fallen.append(peak)

    signal.signal(signal.SIGALRM, read)
    with _memory.lock:
        signal.raise_signal(signal.SIGALRM)
    with locked_by_thread():
        signal.raise_signal(signal.SIGALRM)
    while len(readings) < ROUNDS:
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        with rusage.measure(reset_peak=True):
            read()
    signal.setitimer(signal.ITIMER_REAL, 0)
    return [len(readings), len(fallen)]


def fork() -> list[int]:
    """Return the peak of a forked child at its start, and after a spike that only a reset has read.

    A thread of the parent has the lock meanwhile.
    """
    spike(300 * MIB)
    with rusage.measure(reset_peak=True):  # which reads the mark
        pass
    with locked_by_thread():
        ends = os.pipe()
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with several threads
        child = os.fork()
        if child == 0:
            start = [rusage.peak(), status("VmHWM")]
            for size in (1, 64):
                spike(size * MIB)
                with rusage.measure(reset_peak=True):
                    pass
            os.write(ends[1], json.dumps([*start, rusage.peak()]).encode())
            os._exit(0)
    os.waitpid(child, 0)
    figures: list[int] = json.loads(os.read(ends[0], 10000))
    return [*figures, rusage.peak()]


def current() -> list[int]:
    """Return the resident set size before, during and after an allocation of 100 MiB."""
    import mmap

    before = rusage.rss()
    block = mmap.mmap(-1, 100 * MIB)  # as on every system
    for page in range(0, len(block), 4096):
        block[page] = 1
    during = rusage.rss()
    block.close()
    return [before, during, rusage.rss()]


def walked() -> list[list[int]]:
    """Return ``rss()`` and what a walk through the page tables finds, with and without 100 MiB."""
    figures = [[rusage.rss(), page_walk()]]
    held = touch(100 * MIB)
    figures.append([rusage.rss(), page_walk()])
    held.close()
    return figures


def without_first_thread() -> list[int]:
    """Read both sizes when the first thread has ended, which /proc then shows as a zombie without memory.

    The second growth is that of a block after a larger spike.
    """
    while ") Z " not in Path("/proc/self/stat").read_text():
        time.sleep(0.01)
    with rusage.measure(reset_peak=True) as m:
        spike(64 * MIB)
    with rusage.measure(reset_peak=True) as after:
        spike(16 * MIB)
    return [rusage.rss(), rusage.peak(), m.peak_growth, after.peak_growth]


def unreadable() -> list[str]:
    """Return what the functions raise, and what a block measures."""

    def raised(function: Callable[[], int]) -> str:
        try:
            return str(function())
        except OSError as error:
            return f"{type(error).__name__}: {error}"

    messages = [raised(rusage.peak), raised(rusage.rss)]
    with rusage.measure(reset_peak=True) as m:
        pass
    return [*messages, f"{m.peak} {m.peak_growth} {sorted(m.measured - rusage.measured())} {bool(str(m) and repr(m))}"]


CHECKS: dict[str, Callable[[], Any]] = {
    check.__name__: check
    for check in (
        known,
        inherited,
        resets,
        unread,
        known_peak,
        threads,
        handler,
        fork,
        current,
        walked,
        without_first_thread,
        unreadable,
    )
}

if __name__ == "__main__":
    if sys.argv[2:] == ["nobody"]:
        from other_processes import become_nobody

        become_nobody()
        ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE, as after exec: the files in /proc belong to the user
    if sys.argv[1] == "without_first_thread":
        threading.Thread(target=lambda: print(json.dumps(without_first_thread()), flush=True)).start()
        ctypes.CDLL(None).pthread_exit(None)
    print(json.dumps(CHECKS[sys.argv[1]]()))
