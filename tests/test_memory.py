"""``peak()``, ``rss()`` and the peak of a block, against known allocations and /proc."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest
from conftest import no_files

import rusage
from rusage._backends import BACKEND
from rusage._children.inherited import peak_margin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

MIB = 2**20
PYPY = platform.python_implementation() == "PyPy"
HAS_GIL = getattr(sys, "_is_gil_enabled", lambda: True)()
# Of the kernel's counters, twice, and of the interpreter: PyPy's collector may grow at any time.
ERROR = (peak_margin() or MIB) + (24 if PYPY else 1) * MIB
OPEN_AT_FORK = "this block was open across a fork: it is measured in the parent only"

# Wine shows Linux's /proc.
RESETS = BACKEND.name == "Linux" and os.path.exists("/proc/self/clear_refs")
resets = pytest.mark.skipif(not RESETS, reason="this system cannot reset the peak of a process")


def checks_of(file: str, program: Callable[..., str]) -> Callable[..., list[Any]]:
    """Return a function that runs a check of a program."""

    def run(name: str, *before: str, user: tuple[str, ...] = ()) -> list[Any]:
        figures: list[Any] = json.loads(program(file, name, *user, before=before))
        return figures

    return run


@pytest.fixture
def check(program: Callable[..., str]) -> Callable[..., list[Any]]:
    """Return a function that runs a check of ``programs/peaks.py``."""
    return checks_of("peaks.py", program)


@pytest.fixture
def own(program: Callable[..., str]) -> Callable[..., list[Any]]:
    """Return a function that runs a check of ``programs/own_memory.py``."""
    return checks_of("own_memory.py", program)


@pytest.fixture
def calls(program: Callable[..., str]) -> Callable[[str], Any]:
    """Return a function that runs a check of ``programs/memory_calls.py``."""

    def run(name: str) -> Any:
        figures = json.loads(program("memory_calls.py", name))
        if isinstance(figures, str):
            pytest.skip(reason=figures)
        return figures

    return run


def near(size: int) -> Any:
    """Return what equals a size within the error."""
    return pytest.approx(size, abs=ERROR)


@resets
@pytest.mark.parametrize("name", ["known", "inherited"])
def test_peak_of_known_allocation(check: Callable[[str], list[int]], name: str) -> None:
    """It is the block's peak, not an earlier, a later or an inherited one; the oracle is /proc/self/status."""
    peak, growth, maxrss, resident, mark, inside, last = check(name)
    assert growth == inside == near(64 * MIB)
    assert peak == near(mark)
    assert peak - growth == near(resident)
    assert maxrss >= peak - ERROR
    if name == "inherited":
        assert maxrss == last >= 250 * MIB
    else:
        assert last >= peak + 64 * MIB - ERROR


@resets
@pytest.mark.parametrize("name", ["levels", "inherited_levels"])
def test_peaks_at_levels(check: Callable[[str], list[list[int]]], name: str) -> None:
    """The peak and the size at the start are VmHWM and VmRSS, above and below an inherited peak."""
    rows = check(name)
    assert len(rows) == 6
    for peak, mark, start, resident in rows:
        assert peak == near(mark)
        assert start == near(resident)


@resets
@pytest.mark.not_sanitized
def test_peak_of_huge_pages(check: Callable[[str], list[int]]) -> None:
    """A huge page counts with its whole size."""
    growth, huge = check("huge")
    if huge == 0:
        pytest.skip(reason="the kernel has given no huge pages")
    assert growth == near(64 * MIB)
    assert growth >= huge - ERROR


@resets
def test_nested_blocks_keep_peaks(check: Callable[[str], list[int]]) -> None:
    """An outer block has the highest of the inner ones' peaks, and later blocks have none of it."""
    assert check("nested") == [near(size * MIB) for size in (64, 64, 16, 0, 0)]


@resets
def test_threads_keep_peaks(check: Callable[[str], list[int]]) -> None:
    """Each thread's block has the highest peak since its own start, whatever other threads' blocks have reset."""
    assert check("turns") == [near((64 - 4 * number) * MIB) for number in range(8)]


@resets
def test_many_blocks_in_threads(check: Callable[[str], list[int]]) -> None:
    """No block of a thread has less than what that thread held in it."""
    threads, lowest, resident = check("at_once")
    assert threads == 8
    assert lowest >= resident + 8 * MIB - ERROR


@resets
def test_peaks_of_decorated_functions(check: Callable[[str], list[int]]) -> None:
    """Each call has its own, and so have calls of coroutine functions that overlap."""
    first, second, coroutine, *measured = check("functions")
    assert (first, second, coroutine) == (near(64 * MIB), near(16 * MIB), near(32 * MIB))
    assert measured == [True, True]


@resets
def test_open_blocks_raise_after_fork(check: Callable[[str], list[str]]) -> None:
    """In the child, which has another mark; ended blocks and the child's own blocks do not raise."""
    *outcomes, own, ended, outer = check("fork")
    assert outcomes == [OPEN_AT_FORK] * 5
    assert [int(own), int(ended), int(outer)] == [near(32 * MIB), near(32 * MIB), near(64 * MIB)]


@resets
def test_blocks_in_signal_handlers(check: Callable[[str], list[int]]) -> None:
    """They neither deadlock nor take the peak of the interrupted block away."""
    calls, growth = check("handler")
    assert calls == 200
    assert growth == near(64 * MIB)


@resets
def test_block_while_lock_is_held(check: Callable[[str], list[int]]) -> None:
    """A signal handler gets the lock that its own thread holds."""
    assert check("locked_handler") == [near(16 * MIB)] * 2


@resets
def test_block_starts_after_the_reset(calls: Callable[[str], list[list[int]]]) -> None:
    """The reset waits while another thread fills up 256 MiB; the oracle is VmRSS in the block."""
    for peak, start, inside, outer, highest in calls("populated"):
        assert start == near(inside)
        assert peak >= inside - ERROR
        assert outer >= start
        assert highest >= peak


@resets
def test_other_threads_run_during_a_reset(calls: Callable[[str], list[list[float]]]) -> None:
    """While the reset waits, they pause for a small part of this time only."""
    rows = calls("other_threads")
    assert min(pause / duration for duration, pause in rows) < 0.5


@resets
@pytest.mark.skipif(PYPY, reason="a child that PyPy forks while other threads run may hang")
def test_fork_during_a_reset(calls: Callable[[str], list[list[int]]]) -> None:
    """The child measures blocks of its own and has no descriptor of the reset; the parent's blocks keep their peaks.

    Without the GIL the other thread may close its descriptor while the child has already been given a copy.
    """
    for _, descriptors, child, parent in calls("fork_in_reset"):
        assert descriptors == 0 or not HAS_GIL
        assert child == near(16 * MIB)
        assert parent == near(256 * MIB)


@resets
def test_blocks_while_resets_wait(calls: Callable[[str], dict[str, list[int]]]) -> None:
    """Blocks in threads, in a signal handler and in forked children neither deadlock nor lose a peak."""
    figures = calls("all_at_once")
    resident, *peaks = figures["peaks"]
    assert len(peaks) == 6
    assert min(peaks) >= resident + 8 * MIB - ERROR
    assert min(figures["handled"]) >= resident - ERROR
    assert figures["children"] == [near(16 * MIB)] * (0 if PYPY else 3)


@resets
@pytest.mark.parametrize("name", ["collapsed", "copied"])
def test_growth_without_page_faults(calls: Callable[[str], list[list[int]]], name: str) -> None:
    """The oracle is the growth of VmRSS."""
    rows = calls(name)
    if name == "collapsed" and not any(resident for _, resident in rows):
        pytest.skip(reason="MADV_COLLAPSE has succeeded and changed nothing")  # as on Linux 7.2
    for growth, resident in rows:
        assert growth == near(resident)
        assert growth == near(32 * MIB)


@resets
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the filter is for x86_64")
def test_refused_reset(check: Callable[[str], list[Any]]) -> None:
    """The block has no peak of its own, and nothing stays open."""
    assert check("refused") == [0, 0, False, True, True]


@resets
def test_no_descriptor_left(check: Callable[[str], list[Any]]) -> None:
    """A block whose start or end cannot be read is not measured; the next one of the same object is."""
    before, *blocks, again = check("no_descriptors")
    assert before
    assert blocks == [[0, 0, False]] * 4
    assert again == near(16 * MIB)


@pytest.mark.parametrize("how", ["as it is", "no files"])
def test_peak_not_measured(how: str) -> None:
    """On other systems, and where the file that resets the mark cannot be opened; the other figures are measured."""
    if how == "as it is" and RESETS:
        pytest.skip(reason="this system resets the peak of a process")
    m = rusage.measure(reset_peak=True)  # the first one imports modules
    with no_files() if how == "no files" else nullcontext(), m:
        assert (m.peak, m.peak_growth, m.measured) == (0, 0, rusage.measured())
        sum(range(10**5))
    assert (m.peak, m.peak_growth, m.measured) == (0, 0, rusage.measured())
    assert m.elapsed > 0
    assert ("ru_maxrss" in m.measured) == (m.usage.ru_maxrss > 0)
    assert str(m)
    assert repr(m)


@resets
def test_peak_outlives_later_failure() -> None:
    """The peak of a block that has ended is not read again."""
    with rusage.measure(reset_peak=True) as m:
        pass
    peak = m.peak
    with no_files():
        assert m.peak == peak > 0
        assert "peak" in m.measured


def test_measured_has_peak() -> None:
    """Also before the block, if the system has the file that resets the mark."""
    m = rusage.measure(reset_peak=True)
    expected = rusage.measured() | ({"peak"} if RESETS else set())
    assert m.measured == expected
    with pytest.raises(RuntimeError, match="nothing has been measured"):
        _ = m.peak
    with m:
        assert m.measured == expected
    assert m.measured == expected


def test_peak_unasked_for() -> None:
    """A block without ``reset_peak`` has none and says how to get it; it does not import what resets it."""
    code = (
        "import sys, rusage\n"
        "def read(m):\n"
        "    for name in 'peak', 'peak_growth':\n"
        "        try: print(getattr(m, name))\n"
        "        except RuntimeError as error: print('reset_peak=True' in str(error))\n"
        "m = rusage.measure()\n"
        "read(m)\n"
        "with m: read(m)\n"
        "read(m)\n"
        "print(len(str(m)) > 0, len(repr(m)) > 0, m.measured == rusage.measured(), 'rusage._memory' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True"] * 9 + ["False"]


@pytest.mark.parametrize("name", ["RUSAGE_CHILDREN", "RUSAGE_BOTH", "RUSAGE_THREAD"])
def test_reset_peak_needs_self(name: str) -> None:
    """The mark belongs to the process."""
    who = getattr(rusage, name, None)
    if who is None:
        pytest.skip(reason=f"this system has no {name}")
    with pytest.raises(ValueError, match="reset_peak needs RUSAGE_SELF"):
        rusage.measure(who, reset_peak=True)
    with pytest.raises(TypeError):
        rusage.measure(rusage.RUSAGE_SELF, True)  # type: ignore[call-arg]  # noqa: FBT003 (the point)


@resets
def test_second_enter_changes_nothing(check: Callable[[str], list[int]]) -> None:
    """Entering an open object raises, and the block goes on."""
    assert check("second_enter") == [near(32 * MIB)]


def steps(function: Callable[[], object]) -> int:
    """Return how many lines of the package a call executes."""
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if not frame.f_globals["__name__"].startswith("rusage"):
            return None
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return lines


def test_abandoned_blocks_cost_nothing() -> None:
    """With a thousand of them, dropped or in generators that are never closed, a block executes the same lines."""

    def block() -> None:
        with rusage.measure(reset_peak=True):
            pass

    def generator() -> Iterator[None]:
        with rusage.measure(reset_peak=True):
            yield

    block()  # the first one imports modules
    alone = steps(block)
    generators = [generator() for _ in range(500)]
    for each in generators:
        next(each)
    for _ in range(500):
        rusage.measure(reset_peak=True).__enter__()
    assert steps(block) == alone > 0


@resets
def test_parent_peak_outlives_a_block(own: Callable[..., list[int]]) -> None:
    """The rules for a child's peak use the parent's peak from before the reset."""
    forked = ["sh", "-c", '"$@"; exit $?', "sh"]  # its children do not inherit the peak of this process
    before, after, *parents = own("known_peak", *forked)
    assert after < before - 50 * MIB
    assert parents == [before, before]


# --- The peak and the size of this process ----------------------------------------------------------------------------

LINUX = BACKEND.name == "Linux" and os.path.exists("/proc/self/status")
linux = pytest.mark.skipif(not LINUX, reason="tests the files of /proc")
has_peak = pytest.mark.skipif("peak" in BACKEND.absent, reason="this system has no peak()")
has_rss = pytest.mark.skipif("rss" in BACKEND.absent, reason="this system has no rss()")


@linux
@pytest.mark.parametrize("name", ["known", "inherited"])
def test_peak_is_the_programs_own(own: Callable[[str], list[int]], name: str) -> None:
    """It is what the page tables held and a known allocation, also if a process of 400 MiB has started the program."""
    peak, expected, maxrss = own(name)
    assert peak == near(expected)
    assert peak < 300 * MIB
    assert maxrss >= 400 * MIB or name != "inherited"


@resets
def test_peak_never_falls(own: Callable[[str], list[list[int]]]) -> None:
    """Blocks that reset the mark after 300 MiB were freed lower that, not the peak."""
    figures = own("resets")
    peaks = [peak for peak, _ in figures]
    assert peaks == sorted(peaks)
    assert peaks[0] >= 300 * MIB
    assert min(mark for _, mark in figures) < 200 * MIB


@resets
def test_peak_of_a_reset(own: Callable[[str], list[int]]) -> None:
    """A block takes the mark into account that it resets, although nothing else has read it."""
    before, mark, peak = own("unread")
    assert mark < before + 50 * MIB
    assert peak >= before + 50 * MIB


@resets
def test_peak_while_threads_reset(own: Callable[[str], list[int]]) -> None:
    """No reading is less than the one before in the same thread."""
    readings, fallen = own("threads")
    assert readings > 0
    assert fallen == 0


@resets
def test_peak_in_signal_handlers(own: Callable[[str], list[int]]) -> None:
    """peak() takes no lock, and does not fall."""
    readings, fallen = own("handler")
    assert readings >= 200
    assert fallen == 0


@resets
def test_peak_in_a_forked_child(own: Callable[[str], list[int]]) -> None:
    """It begins with the child's own mark, not with what the parent had before, and a reset does not lower it."""
    start, mark, later, parents = own("fork")
    assert start == near(mark)
    assert start < 200 * MIB
    assert later == near(start + 64 * MIB)
    assert parents >= 300 * MIB


@has_rss
def test_rss_of_known_allocation(own: Callable[[str], list[int]]) -> None:
    """It includes 100 MiB while they are allocated, and not afterwards."""
    before, during, after = own("current")
    assert during - before == near(100 * MIB)
    assert after < during - 50 * MIB


@linux
def test_rss_is_what_is_mapped(own: Callable[[str], list[list[int]]]) -> None:
    """The oracle is smaps_rollup, for which the kernel walks through the page tables."""
    for size, walked in own("walked"):
        assert size == near(walked)


@linux
@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="pthread_exit by ctypes")
@pytest.mark.parametrize("user", [(), ("nobody",)], ids=["this user", "nobody"])
def test_memory_after_the_first_thread(own: Callable[..., list[int]], user: tuple[str, ...]) -> None:
    """/proc shows a zombie without memory, but the process lives, is measured, and can reset its mark."""
    if user and os.geteuid():
        pytest.skip(reason="only root may become another user: run it as root")
    rss, peak, *growths = own("without_first_thread", user=user)
    assert rss > 2 * MIB
    assert peak >= 64 * MIB
    assert growths == [near(64 * MIB), near(16 * MIB)] or not RESETS


@linux
def test_system_without_proc(own: Callable[..., list[str]], without_proc: list[str]) -> None:
    """The exceptions name what cannot be read; a block is not measured."""
    assert own("unreadable", *without_proc) == [
        "FileNotFoundError: [Errno 2] No such file or directory (VmHWM in /proc/PID/status)",
        "FileNotFoundError: [Errno 2] No such file or directory (the second number of /proc/PID/statm, in pages)",
        "0 0 [] True",
    ]


@has_peak
@pytest.mark.skipif(LINUX, reason="on this system ru_maxrss may be inherited")
def test_peak_is_maxrss() -> None:
    """On systems where a process does not inherit a peak."""
    assert rusage.maxrss() <= rusage.peak() <= rusage.maxrss()


@linux
def test_descriptors_are_closed() -> None:
    """A thousand readings use the same file descriptor."""
    before = os.dup(0)
    os.close(before)
    for _ in range(1000):
        assert rusage.peak() > 0
        assert rusage.rss() > 0
    after = os.dup(0)
    os.close(after)
    assert after == before
