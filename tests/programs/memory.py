"""The memory of this process, and the peaks of blocks: ``python memory.py CHECK``, which fails if a check does."""

import asyncio
import contextlib
import ctypes
import mmap
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import checks
from checks import install_filter

import rusage
from rusage import _memory
from rusage._children.inherited import peak_margin

MIB = 2**20
PYPY = platform.python_implementation() == "PyPy"
HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
# Of the kernel's counters, twice, and of the interpreter: PyPy's collector may grow at any time.
ERROR = (peak_margin() or MIB) + (24 if PYPY else 1) * MIB
THREADS = ROUNDS = 8
MADV_POPULATE_WRITE = 23  # include/uapi/asm-generic/mman-common.h

warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with several threads


def near(size: int, expected: int) -> None:
    """Fail if a size differs by more than the error."""
    assert abs(size - expected) <= ERROR, (size, expected)


def touch(size: int) -> mmap.mmap:
    """Return memory whose pages have been written to; closing it gives all of it back."""
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, size, 4096):
        block[page] = 1
    return block


def spike(size: int) -> None:
    """Hold memory for a moment."""
    touch(size).close()


def status(name: str) -> int:
    """Return a size in /proc/self/status."""
    found = re.search(rf"^{name}:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@contextlib.contextmanager
def locked_by_thread() -> Iterator[None]:
    """Have another thread hold the lock of the blocks."""
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


# --- Blocks -----------------------------------------------------------------------------------------------------------


def inherited(check: str) -> None:
    """Do a check in a program that a process of 400 MiB starts."""
    held = touch(400 * MIB)
    subprocess.run([sys.executable, __file__, check], check=True)
    held.close()


def block() -> None:
    """Compare a block's own peak, so far and at the end, which is neither an earlier nor a later one."""
    spike(192 * MIB)
    resident = status("VmRSS")
    with rusage.measure(reset_peak=True) as m:
        spike(64 * MIB)
        near(m.peak_growth, 64 * MIB)
    mark = status("VmHWM")
    spike(128 * MIB)
    near(m.peak_growth, 64 * MIB)
    near(m.peak, mark)
    near(m.peak - m.peak_growth, resident)
    assert m.peak - ERROR <= m.usage.ru_maxrss


def nested() -> None:
    """Compare an outer block's peak, the highest of the inner ones', of which later blocks have nothing."""
    with rusage.measure(reset_peak=True) as outer:
        with rusage.measure(reset_peak=True) as first:
            spike(64 * MIB)
        with rusage.measure(reset_peak=True) as second:
            spike(16 * MIB)
            with rusage.measure(reset_peak=True) as empty:
                pass
    with rusage.measure(reset_peak=True) as later:
        with contextlib.suppress(RuntimeError):
            later.__enter__()  # is open, and goes on
        spike(32 * MIB)
    for m, size in (outer, 64), (first, 64), (second, 16), (empty, 0), (later, 32):
        near(m.peak_growth, size * MIB)


def threads() -> None:
    """In eight threads, each of many blocks that hold 8 MiB has these, whatever other threads' blocks reset."""
    resident = status("VmRSS")
    lowest: list[int] = []
    barrier = threading.Barrier(THREADS)

    def work() -> None:
        peaks = []
        barrier.wait()
        for _ in range(ROUNDS):
            with rusage.measure(reset_peak=True) as m:
                spike(8 * MIB)
            peaks.append(m.peak)
        lowest.append(min(peaks))

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert len(lowest) == THREADS
    assert min(lowest) >= resident + 8 * MIB - ERROR


def functions() -> None:
    """Each call has its own peak, and so have calls of a coroutine function that overlap: the first ends last."""
    meter = rusage.measure(reset_peak=True)
    function = meter(spike)
    for size in 64 * MIB, 16 * MIB:
        function(size)
        near(meter.peak_growth, size)
        assert "peak" in meter.measured

    @meter
    async def coroutine(size: int, seconds: float) -> None:
        spike(size)
        await asyncio.sleep(seconds)

    async def both() -> None:
        await asyncio.gather(coroutine(32 * MIB, 0.2), coroutine(8 * MIB, 0))

    asyncio.run(both())
    near(meter.peak_growth, 32 * MIB)


def fork() -> None:
    """In a child, open blocks raise, and peak() begins anew, while a thread of the parent holds the lock."""
    spike(300 * MIB)
    with rusage.measure(reset_peak=True) as ended:
        spike(32 * MIB)
    with rusage.measure(reset_peak=True) as m:
        with locked_by_thread():
            child = os.fork()
            if child == 0:
                in_forked_child(m, ended)
        assert os.waitpid(child, 0)[1] == 0
        spike(64 * MIB)
    near(m.peak_growth, 64 * MIB)
    assert rusage.peak() >= 300 * MIB


def in_forked_child(m: rusage.measure, ended: rusage.measure) -> None:
    """Check what ``fork`` says, and exit."""
    try:
        start = rusage.peak()
        near(start, status("VmHWM"))
        assert start < 200 * MIB
        for name in "peak", "peak_growth", "usage", "elapsed", "__exit__", "peak":
            if name == "__exit__":
                m.__exit__()
                continue
            with checks.raises(RuntimeError) as caught:
                getattr(m, name)
            assert str(caught[0]) == "this block was open across a fork: it is measured in the parent only"
        near(ended.peak_growth, 32 * MIB)
        with rusage.measure(reset_peak=True) as own:
            spike(64 * MIB)
        near(own.peak_growth, 64 * MIB)
        with rusage.measure(reset_peak=True):  # lowers the mark, and not the peak
            near(rusage.peak(), start + 64 * MIB)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        os._exit(1)
    os._exit(0)


def handlers() -> None:
    """Start a block in a signal handler while its thread holds the lock; peak() needs no lock."""
    inner = rusage.measure(reset_peak=True)

    def handle(*_: object) -> None:
        with inner:
            spike(16 * MIB)

    signal.signal(signal.SIGALRM, handle)
    with rusage.measure(reset_peak=True) as outer, _memory.lock:
        signal.raise_signal(signal.SIGALRM)
    near(inner.peak_growth, 16 * MIB)
    near(outer.peak_growth, 16 * MIB)
    with locked_by_thread():
        assert rusage.peak() > 0


def no_descriptors() -> None:
    """Lose blocks whose start or end cannot be read; the next one of the same object is measured."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    m = rusage.measure(reset_peak=True)
    assert "peak" in m.measured
    with rusage.measure(reset_peak=True) as ending:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
        with m:
            assert (m.peak, m.peak_growth, "peak" in m.measured) == (0, 0, False)
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            spike(16 * MIB)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    for each in m, ending:
        assert (each.peak, each.peak_growth, "peak" in each.measured) == (0, 0, False)
    with m:
        spike(16 * MIB)
    near(m.peak_growth, 16 * MIB)


def refused() -> None:
    """Where the write that resets the mark is refused, the block is not measured, and nothing stays open."""
    if platform.machine() != "x86_64":
        raise SystemExit("skip: the filter is for x86_64")
    rusage.measure(reset_peak=True)  # the first one imports modules
    before = next_descriptor()
    # The last argument of write(2) is 1: EPERM.
    is_write, is_one = [(0x20, 0, 0, 0), (0x15, 0, 3, 1)], [(0x20, 0, 0, 32), (0x15, 0, 1, 1)]
    install_filter([*is_write, *is_one, (6, 0, 0, 0x00050001), (6, 0, 0, 0x7FFF0000)])
    with rusage.measure(reset_peak=True) as m:
        spike(16 * MIB)
    assert (m.peak, m.peak_growth, "peak" in m.measured) == (0, 0, False)
    assert rusage.peak() > 0
    assert next_descriptor() == before


def next_descriptor() -> int:
    """Return the number that the next file will get."""
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor


# --- While a reset waits ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def populating() -> Iterator[Callable[[], bool]]:
    """Have a thread fill 256 MiB up in one system call, which keeps the lock of the address space meanwhile.

    Yield a function that tells whether the call goes on.
    """
    size = 256 * MIB
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without huge pages, which would be filled up sooner
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    failed: list[int] = []
    madvise = ctypes.CDLL(None).madvise  # which releases the GIL
    thread = threading.Thread(
        target=lambda: failed.extend(filter(None, [madvise(address, ctypes.c_size_t(size), MADV_POPULATE_WRITE)]))
    )
    before = rusage.rss()
    thread.start()
    while rusage.rss() < before + size // 8 and not failed:
        pass
    if failed:
        raise SystemExit("skip: this kernel has no MADV_POPULATE_WRITE")
    yield lambda: rusage.rss() < before + size - 16 * MIB
    thread.join()
    memory.close()


def populated() -> None:
    """Start a block, which is after the reset: the oracle is VmRSS in the block."""
    with rusage.measure(reset_peak=True) as outer, populating(), rusage.measure(reset_peak=True) as m:
        inside = status("VmRSS")
    near(m.peak - m.peak_growth, inside)
    assert m.peak >= inside - ERROR
    assert outer.peak >= m.peak - m.peak_growth
    assert rusage.peak() >= outer.peak


def is_clear_refs(descriptor: int) -> bool:
    """Return whether a descriptor is open and resets the mark."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").endswith("/clear_refs")
    except OSError:
        return False


def fork_in_reset() -> None:
    """While a reset in another thread waits, this one runs and forks; the child has no descriptor of the reset."""
    if PYPY:
        raise SystemExit("skip: a child that PyPy forks while other threads run may hang")
    waits = False
    for _ in range(20):  # in one of them this thread gets the CPU during the reset
        go = threading.Event()

        def start(go: threading.Event = go) -> None:
            go.wait()
            with rusage.measure(reset_peak=True):
                pass

        thread = threading.Thread(target=start)  # its stack cannot be mapped while memory is filled up
        thread.start()
        with rusage.measure(reset_peak=True) as outer, populating() as goes_on:
            descriptor = next_descriptor()
            go.set()
            while not (waits := is_clear_refs(descriptor)) and thread.is_alive():
                pass
            waits = waits and goes_on()
            child = os.fork()
            if child == 0:
                # Without a GIL the other thread may close its descriptor while the child has already been given a copy.
                left = any(map(is_clear_refs, range(100))) and HAS_GIL
                with rusage.measure(reset_peak=True) as m:
                    spike(16 * MIB)
                os._exit(left or abs(m.peak_growth - 16 * MIB) > ERROR)
            assert os.waitpid(child, 0)[1] == 0
            thread.join()
        near(outer.peak_growth, 256 * MIB)
        if waits:
            break
    assert waits


# --- peak() and rss() -------------------------------------------------------------------------------------------------


def peak() -> None:
    """Compare the program's own peak: less than 300 MiB, also if a process of 400 MiB has started it."""
    start = status("VmRSS")
    spike(64 * MIB)
    near(rusage.peak(), start + 64 * MIB)
    assert rusage.peak() < 300 * MIB
    assert rusage.maxrss() >= rusage.peak() - ERROR


def resets() -> None:
    """Blocks that reset the mark, after 300 MiB that nothing else has read, lower neither peak() nor a known peak."""
    spike(300 * MIB)
    before = rusage.maxrss()
    peaks: list[int] = []
    for size in 1, 100, 1:
        with rusage.measure(reset_peak=True):
            assert status("VmHWM") < 200 * MIB
            peaks += [rusage.peak(), _memory.known_peak()]
            spike(size * MIB)
        peaks += [rusage.peak(), _memory.known_peak()]
    assert min(peaks) >= 300 * MIB
    assert peaks[::2] == sorted(peaks[::2])
    assert {*peaks[1::2]} == {before}


def current() -> None:
    """rss() includes 100 MiB while they are allocated, and not afterwards."""
    before = rusage.rss()
    held = mmap.mmap(-1, 100 * MIB)  # as on every system
    for page in range(0, len(held), 4096):
        held[page] = 1
    near(rusage.rss() - before, 100 * MIB)
    held.close()
    near(rusage.rss(), before)


def without_first_thread(user: str = "") -> None:
    """/proc shows the first thread, which has ended, without memory; the process is measured, and resets its mark."""
    if user:
        from other_processes import become_nobody

        become_nobody()
        ctypes.CDLL(None).prctl(4, 1)  # PR_SET_DUMPABLE, as after exec: the files in /proc belong to the user

    def work() -> None:
        while ") Z " not in Path("/proc/self/stat").read_text():
            time.sleep(0.01)
        failed = 1
        try:
            for size in 64, 16:
                with rusage.measure(reset_peak=True) as m:
                    spike(size * MIB)
                if os.path.exists("/proc/self/clear_refs"):
                    near(m.peak_growth, size * MIB)
            assert rusage.rss() > 2 * MIB
            assert rusage.peak() >= 64 * MIB
            failed = 0
        finally:
            os._exit(failed)

    threading.Thread(target=work).start()
    ctypes.CDLL(None).pthread_exit(None)


def unreadable() -> None:
    """Without /proc the exceptions name what cannot be read; a block is not measured."""
    for function, what in (
        (rusage.peak, "VmHWM in /proc/PID/status"),
        (rusage.rss, "the second number of /proc/PID/statm, in pages"),
    ):
        with checks.raises(FileNotFoundError) as caught:
            function()
        assert str(caught[0]) == f"[Errno 2] No such file or directory ({what})"
    with rusage.measure(reset_peak=True) as m:
        pass
    assert (m.peak, m.peak_growth, m.measured) == (0, 0, rusage.measured())
    assert str(m)


checks.main(
    inherited,
    block,
    nested,
    threads,
    functions,
    fork,
    handlers,
    no_descriptors,
    refused,
    populated,
    fork_in_reset,
    peak,
    resets,
    current,
    without_first_thread,
    unreadable,
)
