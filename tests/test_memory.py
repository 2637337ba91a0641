"""``peak()``, ``rss()`` and the peak of a block, against known allocations and /proc."""

import asyncio
import contextlib
import ctypes
import errno
import mmap
import os
import platform
import random
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from checks import install_filter
from commands import FLOAT_FLAGS
from conftest import (
    alone,
    at_each_instruction,
    become_nobody,
    each_instruction,
    in_child,
    interrupted_after,
    linux,
    no_files,
    root,
)
from peaks import ERROR, LINUX, MIB, PYPY, RESETS, resets
from scenes import filters_x86_64, in_namespaces, mount, wait_for_state

import rusage
from rusage import _memory
from rusage._backends import BACKEND

HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
THREADS = ROUNDS = 8
MADV_POPULATE_WRITE = 23  # include/uapi/asm-generic/mman-common.h

traced = pytest.mark.skipif(PYPY, reason="traces instructions of CPython")


def near(size: int, expected: int) -> None:
    assert abs(size - expected) <= ERROR, (size, expected)


def touch(size: int) -> mmap.mmap:
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for page in range(0, size, 4096):
        block[page] = 1
    return block


def spike(size: int) -> None:
    touch(size).close()


def status(name: str) -> int:
    found = re.search(rf"^{name}:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def is_lost(m: rusage.measure) -> bool:
    return (m.peak, m.peak_growth, "peak" in m.measured) == (0, 0, False)


# --- Blocks ---


@resets
@alone
def test_peak_of_a_block() -> None:
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


@linux
@alone
def test_peak_is_the_programs_own() -> None:
    start = status("VmRSS")
    spike(64 * MIB)
    near(rusage.peak(), start + 64 * MIB)
    assert rusage.maxrss() >= rusage.peak() - ERROR


@resets
@pytest.mark.parametrize("test", ["test_peak_of_a_block", "test_peak_is_the_programs_own"])
@alone
def test_peak_below_an_inherited_one(test: str) -> None:
    """The same, if the kernel's ``ru_maxrss`` is the peak of a parent process of 400 MiB."""
    held = touch(400 * MIB)
    program = (
        f"import sys; sys.path[:0] = {sys.path}; "
        f"import test_memory; test_memory.{test}.__wrapped__()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    held.close()


@resets
@alone
def test_nested_blocks() -> None:
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


@resets
@alone
def test_blocks_in_threads() -> None:
    resident = status("VmRSS")
    barrier = threading.Barrier(THREADS)

    def work() -> None:
        barrier.wait()
        for _ in range(ROUNDS):
            # What is held only between another block's look at the mark and its reset is lost. So
            # this memory is held during a reset of this thread, which excludes the others.
            with (
                rusage.measure(reset_peak=True) as m,
                touch(8 * MIB),
                rusage.measure(reset_peak=True),
            ):
                pass
            assert m.peak >= resident + 8 * MIB - ERROR

    with ThreadPoolExecutor(THREADS) as pool:
        for task in [pool.submit(work) for _ in range(THREADS)]:
            task.result()


@resets
@alone
def test_functions() -> None:
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


@resets
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork with several threads
@alone
def test_fork_in_a_block() -> None:
    small = status("VmRSS")

    def look() -> None:
        start = rusage.peak()
        near(start, status("VmHWM"))
        assert max(start, _memory.known_peak()) < small + 100 * MIB
        for name in "peak", "peak_growth", "usage", "elapsed", "__exit__", "peak":
            if name == "__exit__":
                m.__exit__()
                continue
            message = "this block was open across a fork: it is measured in the parent"
            with pytest.raises(RuntimeError, match=message):
                getattr(m, name)
        near(ended.peak_growth, 32 * MIB)
        with rusage.measure(reset_peak=True) as own:
            spike(64 * MIB)
        near(own.peak_growth, 64 * MIB)
        with rusage.measure(reset_peak=True):  # lowers the mark, and not the peak
            near(rusage.peak(), start + 64 * MIB)

    spike(300 * MIB)
    with rusage.measure(reset_peak=True) as ended:
        spike(32 * MIB)
    with rusage.measure(reset_peak=True) as m:
        in_child(look)
        spike(64 * MIB)
    near(m.peak_growth, 64 * MIB)


@linux
def test_fork_after_a_process_read_itself(python: Callable[..., str]) -> None:
    code = """
import mmap, os, rusage
with rusage.Process(os.getpid()) as process, mmap.mmap(-1, 128 << 20) as held:
    for _ in range(128):
        held.write(b"x" * (1 << 20))
    process.rss()
if not os.fork():
    size = rusage.rss()
    os._exit((rusage.peak() - size) >> 20)  # MiB
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert 0 <= int(python("-c", code)) < 64


@resets
@alone
def test_blocks_without_descriptors() -> None:
    m, ending = rusage.measure(reset_peak=True), rusage.measure(reset_peak=True)
    ending.start()
    with no_files():
        m.start()
    spike(16 * MIB)
    with no_files():
        m.stop()
        ending.stop()
    assert is_lost(m)
    assert is_lost(ending)
    with m:
        spike(16 * MIB)
    with no_files():
        near(m.peak_growth, 16 * MIB)
        assert "peak" in m.measured


@resets
@traced
@each_instruction
@alone
def test_interrupted_end(step: int) -> None:
    """An exception at any instruction leaves the block open, or ended, for all figures alike."""
    instruction, went_on = 0, True
    m, elapsed = rusage.measure(), 0.0
    while went_on:
        m = rusage.measure(reset_peak=True)
        m.start()
        went_on = interrupted_after(instruction, m.stop)
        elapsed = m.elapsed
        spike(16 * MIB)
        assert (m.elapsed > elapsed) == (m.peak_growth > 8 * MIB), instruction
        instruction += step
    assert m.elapsed == elapsed


@resets
@filters_x86_64
@alone
def test_refused_reset() -> None:
    rusage.measure(reset_peak=True)  # the first one imports modules
    before = next_descriptor()
    # The last argument of write(2) is 1: EPERM.
    is_write, is_one = [(0x20, 0, 0, 0), (0x15, 0, 3, 1)], [(0x20, 0, 0, 32), (0x15, 0, 1, 1)]
    install_filter([*is_write, *is_one, (6, 0, 0, 0x00050001), (6, 0, 0, 0x7FFF0000)])
    with rusage.measure(reset_peak=True) as m:
        spike(16 * MIB)
    assert is_lost(m)
    assert rusage.peak() > 0
    assert next_descriptor() == before


def next_descriptor() -> int:
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor


# --- While a reset waits ---


@contextlib.contextmanager
def populating() -> Iterator[Callable[[], bool]]:
    """Have a thread keep the lock of the address space; yield whether it still does."""
    size = 256 * MIB
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    # A kernel without huge pages, which would be filled up sooner.
    with contextlib.suppress(OSError):
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    failed: list[int] = []
    madvise = ctypes.CDLL(None).madvise  # which releases the GIL
    thread = threading.Thread(
        target=lambda: failed.extend(
            filter(None, [madvise(address, ctypes.c_size_t(size), MADV_POPULATE_WRITE)])
        )
    )
    before = rusage.rss()
    thread.start()
    # A sanitizer's allocator keeps what each look has freed: few looks.
    while rusage.rss() < before + size // 8 and not failed:
        time.sleep(0.001)
    if failed:
        pytest.skip(reason="this kernel has no MADV_POPULATE_WRITE")
    yield lambda: rusage.rss() < before + size - 16 * MIB
    thread.join()
    memory.close()


@resets
@alone
def test_start_that_waits() -> None:
    """The block starts after the reset: the oracle is VmRSS in the block."""
    for _ in range(3):  # the kernel's counters may hide that a size is lost once
        with (
            rusage.measure(reset_peak=True) as outer,
            populating(),
            rusage.measure(reset_peak=True) as m,
        ):
            inside = status("VmRSS")
        near(m.peak - m.peak_growth, inside)
        assert m.peak >= inside - ERROR
        assert outer.peak >= m.peak - m.peak_growth
        assert rusage.peak() >= outer.peak


def is_clear_refs(descriptor: int) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}").endswith("/clear_refs")
    except OSError:
        return False


@resets
@pytest.mark.skipif(PYPY, reason="a child that PyPy forks while other threads run may hang")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork with several threads
@pytest.mark.not_emulated
@alone
def test_fork_during_a_reset() -> None:
    def look() -> None:
        # Without a GIL the other thread may close its descriptor while the child has already been
        # given a copy.
        assert not HAS_GIL or not any(map(is_clear_refs, range(100)))
        with rusage.measure(reset_peak=True) as m:
            spike(16 * MIB)
        near(m.peak_growth, 16 * MIB)

    waits = False
    for _ in range(20):  # in one of them this thread gets the CPU during the reset
        go = threading.Event()

        def start(go: threading.Event = go) -> None:
            go.wait()
            with rusage.measure(reset_peak=True):
                pass

        # Its stack cannot be mapped while memory is filled up.
        thread = threading.Thread(target=start)
        thread.start()
        with rusage.measure(reset_peak=True) as outer, populating() as goes_on:
            descriptor = next_descriptor()
            go.set()
            while not (waits := is_clear_refs(descriptor)) and thread.is_alive():
                time.sleep(0.001)
            waits = waits and goes_on()
            in_child(look)
            thread.join()
        near(outer.peak_growth, 256 * MIB)
        if waits:
            break
    assert waits


# --- peak() and rss() ---


@resets
@alone
def test_resets_lower_no_peak() -> None:
    small = status("VmRSS")
    spike(300 * MIB)
    before = rusage.maxrss()
    peaks: list[int] = []
    for size in 1, 100, 1:
        with rusage.measure(reset_peak=True):
            assert status("VmHWM") < small + 200 * MIB
            peaks += [rusage.peak(), _memory.known_peak()]
            spike(size * MIB)
        peaks += [rusage.peak(), _memory.known_peak()]
    assert min(peaks) >= 300 * MIB
    assert peaks[::2] == sorted(peaks[::2])
    assert {*peaks[1::2]} == {before}


def block() -> None:
    with rusage.measure(reset_peak=True):
        pass


@resets
@traced
@pytest.mark.parametrize("use", [_memory.peak, _memory.known_peak, block])
@each_instruction
@alone
def test_block_in_a_handler(use: Callable[[], object], step: int) -> None:
    """At each instruction: its block has the highest peak, the next lowers the mark, none falls."""
    highest = rusage.peak()

    def handle() -> None:
        nonlocal highest
        with rusage.measure(reset_peak=True) as m:
            # Since the fork, the size has grown by the pages of the program's files.
            spike(max(highest - status("VmRSS"), 0) + MIB)
        highest = m.peak
        block()

    with rusage.measure(reset_peak=True) as outer:
        for _ in at_each_instruction(use, handle, step=step, within="_memory"):
            assert min(rusage.peak(), outer.peak) >= highest
            near(_memory.known_peak(), highest)


@resets
@traced
@pytest.mark.parametrize("use", [_memory.peak, block])
@each_instruction
@alone
def test_fork_in_a_handler(use: Callable[[], object], step: int) -> None:
    """At each instruction: the child, which goes on with the call, begins with its own size."""
    child = -1

    def fork() -> None:
        nonlocal child
        child = os.fork()

    spike(300 * MIB)
    for _ in at_each_instruction(use, fork, step=step, within="_memory"):
        if not child:
            assert max(rusage.peak(), _memory.known_peak()) < 300 * MIB
            break
        assert os.waitpid(child, 0)[1] == 0


@linux
@pytest.mark.system
def test_marks(tmp_path: Path) -> None:
    """After a reset the size may be above the mark: the kernel's counters are not exact."""
    compiler = shlex.split(os.environ.get("CC", "cc"))  # for this Python's C library
    source = Path(__file__).parent / "programs" / "marks.c"
    if shutil.which(compiler[0]) is None:
        pytest.skip(reason="no C compiler: apt-get install gcc libc6-dev")
    library = tmp_path / "marks.so"
    flags = ["-shared", "-fPIC", *FLOAT_FLAGS, f"-I{Path(__file__).parent.parent}"]
    subprocess.run([*compiler, *flags, source, "-o", library], check=True)
    marks = ctypes.CDLL(str(library))
    mark, resident = (ctypes.c_int64.in_dll(marks, name) for name in ("made_mark", "made_resident"))
    choose, page, highest = random.Random(1), rusage.getpagesize(), 0
    blocks: list[list[Any]] = []  # the structure of each, and its peak
    for _ in range(1000):
        mark.value, resident.value = choose.randint(1, 99) * page // 1024, choose.randint(1, 99)
        seen = {"begin": [mark.value * 1024, resident.value * page]}
        seen |= {"update": seen["begin"][:1], "read": seen["begin"][1:]}
        what = choose.choice([*seen]) if blocks else "begin"
        for block in blocks:
            block[1] = max(block[1], *seen[what])
        if what == "begin":
            blocks.append([(ctypes.c_int64 * 3)(), resident.value * page])
            assert marks.rusage_block_begin(blocks[-1][0]) == 0
            assert ctypes.c_int.in_dll(marks, "made_locked").value
        elif what == "update":
            block = choose.choice(blocks)
            assert marks.rusage_block_update(block[0]) == 0
            assert block[0][2] == block[1]
        else:
            assert marks.rusage_rss() == resident.value * page
        mark.value, highest = 0, max(highest, *seen[what])
        assert marks.rusage_peak() == highest
    # What no block can need is not kept.
    mark.value, resident.value = 99 * page // 1024, 99
    marks.rusage_block_begin(blocks[0][0])
    assert ctypes.c_int.in_dll(marks, "rusage_marks_count").value == 1
    # Another thread raises the largest size between the look at it and the raise.
    mark.value += 1
    ctypes.c_ulong.in_dll(marks, "made_meanwhile").value = mark.value + 1
    assert [marks.rusage_peak(), marks.rusage_peak()] == [(mark.value + 1) * 1024] * 2
    # A forked child closes its copy of the descriptor by which another thread resets the mark.
    clear_refs = ctypes.c_int.in_dll(marks, "rusage_clear_refs")
    descriptor = clear_refs.value = os.open(os.devnull, os.O_RDONLY)
    marks.rusage_forget_peaks()
    assert clear_refs.value == -1
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        os.fstat(descriptor)


@pytest.mark.skipif("rss" in BACKEND.absent, reason="this system has no rss()")
def test_rss_of_known_allocation() -> None:
    before = rusage.rss()
    held = mmap.mmap(-1, 100 * MIB)  # as on every system
    for page in range(0, len(held), 4096):
        held[page] = 1
    near(rusage.rss() - before, 100 * MIB)
    held.close()
    near(rusage.rss(), before)


@linux
@pytest.mark.not_sanitized
@pytest.mark.skipif(
    platform.machine() not in {"x86_64", "aarch64"}, reason="pthread_exit by ctypes"
)
@alone
def test_memory_after_the_first_thread() -> None:
    """/proc shows a zombie; root may use files of root, so it becomes another user."""
    rusage.measure(reset_peak=True)  # the first one imports modules
    if not os.geteuid():
        become_nobody()

    def work() -> None:
        wait_for_state(os.getpid(), "Z")
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


@root
def test_system_without_proc() -> None:
    def scene() -> None:
        mount("tmpfs")
        with pytest.raises(FileNotFoundError, match=r"VmHWM in /proc/PID/status\)$"):
            rusage.peak()
        with pytest.raises(
            FileNotFoundError, match=r"the second number of /proc/PID/statm, in pages\)$"
        ):
            rusage.rss()

    in_namespaces(scene)


@pytest.mark.skipif(
    "peak" in BACKEND.absent or LINUX, reason="on this system ru_maxrss may be inherited"
)
def test_peak_is_maxrss() -> None:
    """On systems where a process does not inherit a peak."""
    assert rusage.maxrss() <= rusage.peak() <= rusage.maxrss()


def test_peak_not_measured() -> None:
    m = rusage.measure(reset_peak=True)  # the first one imports modules
    assert ("peak" in m.measured) is RESETS  # expected before the block
    with no_files() if RESETS else nullcontext(), m:
        assert (m.peak, m.peak_growth, m.measured) == (0, 0, rusage.measured())
        sum(range(10**5))
    assert (m.peak, m.peak_growth, m.measured) == (0, 0, rusage.measured())
    assert m.elapsed > 0
    assert ("ru_maxrss" in m.measured) == (m.usage.ru_maxrss > 0)
    assert ", peak=not measured, " in str(m)


def test_peak_unasked_for() -> None:
    m = rusage.measure()
    with m:
        for name in "peak", "peak_growth":
            with pytest.raises(RuntimeError, match="reset_peak=True"):
                getattr(m, name)
    assert m.measured == rusage.measured()


@pytest.mark.parametrize("name", ["RUSAGE_CHILDREN", "RUSAGE_BOTH", "RUSAGE_THREAD"])
def test_reset_peak_needs_self(name: str) -> None:
    if not hasattr(rusage, name):
        pytest.skip(reason=f"this system has no {name}")
    with pytest.raises(ValueError, match="reset_peak needs RUSAGE_SELF"):
        rusage.measure(getattr(rusage, name), reset_peak=True)
    with pytest.raises(TypeError):
        rusage.measure(rusage.RUSAGE_SELF, True)  # type: ignore[call-arg]  # noqa: FBT003 (the point)


# --- The kernel lowers its own peak ---

READERS = ["rss", "peak", "Process.rss", "Process.peak", "Process.getrusage"]


@resets
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", READERS)
def test_what_was_read_counts(name: str) -> None:
    def scene() -> None:
        *of_process, call = name.split(".")
        read = getattr(rusage.Process(os.getpid()) if of_process else rusage, call)
        small = status("VmRSS")
        with touch(64 * MIB):
            read()
        Path("/proc/self/clear_refs").write_text("5")
        assert rusage.peak() >= small + 32 * MIB
        with rusage.measure(reset_peak=True) as outer:
            with rusage.measure(reset_peak=True) as inner:
                with touch(64 * MIB):
                    read()
                Path("/proc/self/clear_refs").write_text("5")
            with rusage.measure(reset_peak=True) as later:
                pass
        assert min(rusage.peak(), outer.peak, inner.peak) >= 64 * MIB
        assert later.peak < inner.peak - 32 * MIB

    in_child(scene)


@linux
def test_size_of_another_process_with_the_number() -> None:
    """In a child's PID namespace a ``Process`` of the parent has the child's own number."""

    def parent() -> None:
        block = touch(64 * MIB)
        block.madvise(mmap.MADV_DONTFORK)
        process = rusage.Process(os.getpid())

        def child() -> None:
            assert process.pid == os.getpid() == 1
            assert process.rss() >= 64 * MIB
            assert rusage.peak() < process.rss() - 32 * MIB

        in_namespaces(child)
        process.close()

    in_namespaces(parent, proc="")
