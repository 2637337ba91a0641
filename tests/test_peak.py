"""``measure(reset_peak=True)``: the peak of a block, against known allocations and /proc."""

from __future__ import annotations

import errno
import json
import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import rusage
from rusage import _peak
from rusage._backends import BACKEND
from rusage._children.inherited import parent_peak, peak_margin

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 2**20
# Of the kernel's counters, twice, and of the interpreter: PyPy's collector may grow at any time.
ERROR = (peak_margin() or MIB) + (24 if platform.python_implementation() == "PyPy" else 1) * MIB
OPEN_AT_FORK = "this block was open across a fork: it is measured in the parent only"

# Wine shows Linux's /proc.
RESETS = BACKEND.name == "Linux" and os.path.exists("/proc/self/clear_refs")
resets = pytest.mark.skipif(not RESETS, reason="this system cannot reset the peak of a process")


@pytest.fixture
def check(program: Callable[..., str]) -> Callable[[str], list[Any]]:
    """Return a function that runs a check of ``programs/peaks.py``."""

    def run(name: str) -> list[Any]:
        figures: list[Any] = json.loads(program("peaks.py", name))
        return figures

    return run


def near(size: int) -> Any:
    """Return what equals a size within the error."""
    return pytest.approx(size, abs=ERROR)


@resets
@pytest.mark.parametrize("name", ["known", "inherited"])
def test_peak_of_known_allocation(check: Callable[[str], list[int]], name: str) -> None:
    """It is that of the block, not an earlier, a later or an inherited one; the oracle is /proc/self/status."""
    peak, growth, maxrss, resident, mark, inside, last = check(name)
    assert growth == inside == near(64 * MIB)
    assert peak == near(mark)
    assert peak - growth == near(resident)
    assert maxrss >= peak - ERROR
    if name == "inherited":
        assert maxrss == last >= 400 * MIB
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
def test_peak_of_huge_pages(check: Callable[[str], list[int]]) -> None:
    """They count in whole."""
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
    """In the child, which has another mark; blocks that had ended and those of the child itself do not raise."""
    *outcomes, own, ended, outer = check("fork")
    assert outcomes == [OPEN_AT_FORK] * 5
    assert [int(own), int(ended), int(outer)] == [near(32 * MIB), near(32 * MIB), near(64 * MIB)]


@resets
def test_blocks_in_signal_handlers(check: Callable[[str], list[int]]) -> None:
    """They neither deadlock nor take the peak of the interrupted block away."""
    calls, growth = check("handler")
    assert calls >= 200
    assert growth == near(64 * MIB)


@resets
def test_block_while_lock_is_held(check: Callable[[str], list[int]]) -> None:
    """A signal handler gets the lock that its own thread holds."""
    assert check("locked_handler") == [near(16 * MIB)] * 2


@resets
def test_no_descriptor_left(check: Callable[[str], list[Any]]) -> None:
    """A block whose start or end cannot be read is not measured; the next one of the same object is."""
    before, *blocks, again = check("no_descriptors")
    assert before
    assert blocks == [[0, 0, False]] * 4
    assert again == near(16 * MIB)


def missing(code: int) -> Callable[[Any, int], int]:
    """Return a substitute for the C function that fails."""
    return lambda _sizes, _reset: code


@pytest.mark.parametrize("get", [None, missing(errno.ENOENT), missing(errno.EACCES), missing(errno.EINVAL)])
def test_peak_not_measured(monkeypatch: pytest.MonkeyPatch, get: Any) -> None:
    """On other systems, without /proc, in a sandbox and on an old kernel; the other figures are measured."""
    monkeypatch.setattr(_peak, "_get", get)
    with rusage.measure(reset_peak=True) as m:
        assert (m.peak, m.peak_growth, m.measured) == (0, 0, rusage.measured())
        sum(range(10**5))
    assert (m.peak, m.peak_growth, m.measured) == (0, 0, rusage.measured())
    assert m.elapsed > 0
    assert ("ru_maxrss" in m.measured) == (m.usage.ru_maxrss > 0)


@resets
def test_peak_outlives_later_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peak of a block that has ended is not read again."""
    with rusage.measure(reset_peak=True) as m:
        pass
    peak = m.peak
    monkeypatch.setattr(_peak, "_get", missing(errno.ENOENT))
    assert m.peak == peak > 0
    assert "peak" in m.measured


def test_measured_has_peak() -> None:
    """Where the system has the file that resets it, also before the block."""
    m = rusage.measure(reset_peak=True)
    expected = rusage.measured() | ({"peak"} if RESETS else set())
    assert m.measured == expected
    with pytest.raises(RuntimeError, match="nothing has been measured"):
        _ = m.peak
    with m:
        assert m.measured == expected
    assert m.measured == expected


def test_peak_unasked_for() -> None:
    """A block without ``reset_peak`` has none, and neither resets it nor imports what does."""
    code = (
        "import sys, rusage\n"
        "with rusage.measure() as m: pass\n"
        "print(m.peak, m.peak_growth, m.measured == rusage.measured(), 'rusage._peak' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["0", "0", "True", "False"]


@pytest.mark.parametrize("name", ["RUSAGE_CHILDREN", "RUSAGE_BOTH", "RUSAGE_THREAD"])
def test_reset_peak_needs_self(name: str) -> None:
    """The mark is that of the process."""
    who = getattr(rusage, name, None)
    if who is None:
        pytest.skip(reason=f"this system has no {name}")
    with pytest.raises(ValueError, match="reset_peak needs RUSAGE_SELF"):
        rusage.measure(who, reset_peak=True)
    with pytest.raises(TypeError):
        rusage.measure(rusage.RUSAGE_SELF, True)  # type: ignore[call-arg]  # noqa: FBT003 (the point)


def test_second_enter_leaves_no_block() -> None:
    """Entering an open object raises, and the list of open blocks is as before."""
    with rusage.measure(reset_peak=True) as m:
        number = len(_peak.open_blocks)
        with pytest.raises(RuntimeError, match="open already"):
            m.__enter__()
        assert len(_peak.open_blocks) == number
    assert len(_peak.open_blocks) == number - 1


@resets
def test_parent_peak_outlives_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """What decides whose a child's peak is knows the peak before the reset."""
    from rusage._children import inherited

    monkeypatch.setattr(inherited, "_peak", 0)
    monkeypatch.setattr(inherited, "maxrss", lambda: 50)
    with rusage.measure(reset_peak=True):
        monkeypatch.setattr(inherited, "maxrss", lambda: 10)
        assert parent_peak() == 50
