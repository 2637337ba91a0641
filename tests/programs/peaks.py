"""Peaks of blocks: ``python peaks.py CHECK``. Each prints figures as JSON, sizes in bytes."""

import asyncio
import contextlib
import json
import mmap
import os
import re
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from checks import install_filter

import rusage

MIB = 2**20
THREADS = 8
ROUNDS = 8
SIGNALS = 200


def touch(size: int, advice: int | None = None) -> mmap.mmap:
    """Return memory whose pages have been written to; closing it gives all of it back."""
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if advice is not None:
        block.madvise(advice)
    for page in range(0, size, 4096):
        block[page] = 1
    return block


def spike(size: int) -> None:
    """Hold memory for a moment."""
    touch(size).close()


@contextlib.contextmanager
def locked_by_thread() -> Iterator[None]:
    """Have another thread hold the lock of the blocks."""
    from rusage import _memory

    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with _memory.lock:
            locked.set()
            done.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    yield
    done.set()
    holder.join()


def status(name: str) -> int:
    """Return a size in /proc/self/status."""
    found = re.search(rf"^{name}:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def known() -> list[int]:
    """Measure a spike of 64 MiB after a higher one."""
    spike(192 * MIB)
    resident = status("VmRSS")
    with rusage.measure(reset_peak=True) as m:
        spike(64 * MIB)
        inside = m.peak_growth
    mark = status("VmHWM")
    spike(128 * MIB)  # after the block
    return [m.peak, m.peak_growth, m.usage.ru_maxrss, resident, mark, inside, rusage.maxrss()]


def levels() -> list[list[int]]:
    """Measure spikes while nothing is held, while 300 MiB are, and when they were given back; add what /proc has."""
    rows = []

    def measure_spikes() -> None:
        for growth in 64, 16:
            with rusage.measure(reset_peak=True) as m:
                resident = status("VmRSS")
                spike(growth * MIB)
                mark = status("VmHWM")
            rows.append([m.peak, mark, m.peak - m.peak_growth, resident])

    measure_spikes()
    held = touch(300 * MIB)
    measure_spikes()
    held.close()
    measure_spikes()
    return rows


def _with_inherited_peak(check: str) -> Any:
    """Do a check in a program that inherits a peak of 250 MiB."""
    held = touch(250 * MIB)
    done = subprocess.run([sys.executable, __file__, check], stdout=subprocess.PIPE, check=True)
    held.close()
    return json.loads(done.stdout)


def inherited() -> Any:
    """Do as ``known``."""
    return _with_inherited_peak("known")


def inherited_levels() -> Any:
    """Do as ``levels``: what is held is more than the inherited peak, then less."""
    return _with_inherited_peak("levels")


def huge() -> list[int]:
    """Measure 64 MiB that the kernel may map as huge pages, and the size of all huge pages."""
    with rusage.measure(reset_peak=True) as m:
        held = touch(64 * MIB, mmap.MADV_HUGEPAGE)
        smaps = Path("/proc/self/smaps").read_text()
        held.close()
    # The mapping may have become part of a larger one.
    huge_pages = sum(int(size) * 1024 for size in re.findall(r"^AnonHugePages: +(\d+) kB", smaps, re.MULTILINE))
    return [m.peak_growth, huge_pages]


def nested() -> list[int]:
    """Measure spikes of 64 and 16 MiB in inner blocks, and nothing in a last one."""
    with rusage.measure(reset_peak=True) as outer:
        with rusage.measure(reset_peak=True) as first:
            spike(64 * MIB)
        with rusage.measure(reset_peak=True) as second:
            spike(16 * MIB)
            with rusage.measure(reset_peak=True) as empty:
                pass
    with rusage.measure(reset_peak=True) as later:
        pass
    return [block.peak_growth for block in (outer, first, second, empty, later)]


def turns() -> list[int]:
    """In each of eight threads in turn, start a block and touch 64 MiB; then end all blocks."""
    blocks = [rusage.measure(reset_peak=True) for _ in range(THREADS)]
    turn = [threading.Event() for _ in range(THREADS + 1)]

    def work(number: int) -> None:
        turn[number].wait()
        with blocks[number]:
            spike((64 - 4 * number) * MIB)
            turn[number + 1].set()
            turn[THREADS].wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    turn[0].set()
    for thread in threads:
        thread.join()
    return [block.peak_growth for block in blocks]


def at_once() -> list[int]:
    """In eight threads at once, hold 8 MiB in each of many blocks; return the lowest peak and the size without them."""
    resident = status("VmRSS")
    lowest = []
    barrier = threading.Barrier(THREADS)

    def work() -> None:
        peaks = []
        barrier.wait()
        for _ in range(ROUNDS):
            with rusage.measure(reset_peak=True) as m:
                spike(8 * MIB)
            peaks.append(m.peak)
        lowest.append(min(peaks))

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [len(lowest), min(lowest), resident]


def functions() -> list[int]:
    """Measure calls of functions; the calls of a coroutine function overlap."""
    meter, coroutine_meter = rusage.measure(reset_peak=True), rusage.measure(reset_peak=True)

    @meter
    def function(size: int) -> None:
        spike(size)

    figures = []
    for size in 64 * MIB, 16 * MIB:
        function(size)
        figures.append(meter.peak_growth)

    @coroutine_meter
    async def coroutine(size: int, seconds: float) -> None:
        spike(size)
        await asyncio.sleep(seconds)

    async def both() -> None:
        await asyncio.gather(coroutine(32 * MIB, 0.2), coroutine(8 * MIB, 0))

    asyncio.run(both())  # the first ends last
    return [*figures, coroutine_meter.peak_growth, "peak" in meter.measured, "peak" in coroutine_meter.measured]


def fork() -> list[str]:
    """Read an open block in a forked child while another thread holds the lock; measure a block of the child's own."""
    outcomes = []
    with rusage.measure(reset_peak=True) as ended:
        spike(32 * MIB)
    with rusage.measure(reset_peak=True) as m:
        with locked_by_thread():
            ends = os.pipe()
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with several threads
            child = os.fork()
            if child == 0:
                for name in "peak", "peak_growth", "usage", "elapsed", "end", "peak":
                    if name == "end":
                        m.__exit__()
                        continue
                    try:
                        outcomes.append(str(getattr(m, name)))
                    except RuntimeError as error:
                        outcomes.append(str(error))
                with rusage.measure(reset_peak=True) as own:
                    spike(32 * MIB)
                outcomes += [str(own.peak_growth), str(ended.peak_growth)]
                os.write(ends[1], json.dumps(outcomes).encode())
                os._exit(0)
        os.waitpid(child, 0)
        spike(64 * MIB)
    outcomes = json.loads(os.read(ends[0], 10000))
    return [*outcomes, str(m.peak_growth)]


def handler() -> list[int]:
    """Start and end blocks in a signal handler, many times, while the main thread starts and ends blocks itself."""
    calls = []

    def handle(*_: object) -> None:
        with rusage.measure(reset_peak=True) as m:
            pass
        calls.append(m.peak)
        if len(calls) < SIGNALS:
            # Not periodic: a slow machine would do nothing but handle signals.
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

    signal.signal(signal.SIGALRM, handle)
    with rusage.measure(reset_peak=True) as outer:
        spike(64 * MIB)
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        while len(calls) < SIGNALS:
            with rusage.measure(reset_peak=True):
                pass
    return [len(calls), outer.peak_growth]


def locked_handler() -> list[int]:
    """Start a block in a signal handler while its thread holds the lock."""
    from rusage import _memory

    inner = rusage.measure(reset_peak=True)

    def handle(*_: object) -> None:
        with inner:
            spike(16 * MIB)

    signal.signal(signal.SIGALRM, handle)
    with rusage.measure(reset_peak=True) as outer, _memory.lock:
        signal.raise_signal(signal.SIGALRM)
    return [inner.peak_growth, outer.peak_growth]


def second_enter() -> list[int]:
    """Enter an open object, which raises an exception, and measure a spike after it."""
    with rusage.measure(reset_peak=True) as m:
        with contextlib.suppress(RuntimeError):
            m.__enter__()
        spike(32 * MIB)
    return [m.peak_growth]


def no_descriptors() -> list[object]:
    """Start blocks while no file can be opened, and end one so."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    m = rusage.measure(reset_peak=True)
    before = "peak" in m.measured
    with rusage.measure(reset_peak=True) as ending:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        with m, rusage.measure(reset_peak=True) as starting:
            inside = m.peak, m.peak_growth, "peak" in m.measured
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            spike(16 * MIB)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    after = [[block.peak, block.peak_growth, "peak" in block.measured] for block in (m, starting, ending)]
    with m:
        spike(16 * MIB)
    return [before, list(inside), *after, m.peak_growth]


def refused() -> list[object]:
    """Refuse to write single bytes, as for a reset; return a block's figures, and whether its file is closed."""
    rusage.measure(reset_peak=True)  # the first one imports modules
    before = os.dup(0)
    os.close(before)
    # The last argument of write(2) on x86_64 is 1: EPERM.
    is_write, is_one = [(0x20, 0, 0, 0), (0x15, 0, 3, 1)], [(0x20, 0, 0, 32), (0x15, 0, 1, 1)]
    install_filter([*is_write, *is_one, (6, 0, 0, 0x00050001), (6, 0, 0, 0x7FFF0000)])
    with rusage.measure(reset_peak=True) as m:
        spike(16 * MIB)
    after = os.dup(0)
    return [m.peak, m.peak_growth, "peak" in m.measured, after == before, rusage.peak() > 0]


CHECKS: dict[str, Callable[[], Any]] = {
    check.__name__: check
    for check in (
        known,
        inherited,
        levels,
        inherited_levels,
        huge,
        nested,
        turns,
        at_once,
        functions,
        fork,
        handler,
        locked_handler,
        second_enter,
        no_descriptors,
        refused,
    )
}

if __name__ == "__main__":
    sys.stdout.write(f"{json.dumps(CHECKS[sys.argv[1]]())}\n")  # one write(2)
