"""``peak()``, ``rss()`` and the peak of a block, against known allocations and /proc."""

from __future__ import annotations

import os
import platform
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from conftest import no_files

import rusage
from rusage._backends import BACKEND
from rusage._children.inherited import peak_margin

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 2**20
# Of the kernel's counters, twice, and of the interpreter: PyPy's collector may grow at any time.
ERROR = (peak_margin() or MIB) + (24 if platform.python_implementation() == "PyPy" else 1) * MIB

# Wine shows Linux's /proc.
LINUX = BACKEND.name == "Linux" and os.path.exists("/proc/self/status")
RESETS = LINUX and os.path.exists("/proc/self/clear_refs")
resets = pytest.mark.skipif(not RESETS, reason="this system cannot reset the peak of a process")
linux = pytest.mark.skipif(not LINUX, reason="tests the files of /proc")

BLOCKS = ["block", "nested", "threads", "functions", "fork", "handlers", "no_descriptors", "refused", "resets"]


@resets
@pytest.mark.parametrize("check", [*BLOCKS, "populated", "fork_in_reset"])
def test_peak_of_a_block(check: str, program: Callable[..., str]) -> None:
    """The docstrings in ``programs/memory.py`` say what must hold."""
    program("memory.py", check)


@resets
@pytest.mark.parametrize("check", ["block", "peak"])
def test_peak_below_an_inherited_one(check: str, program: Callable[..., str]) -> None:
    """The same, if the kernel's ``ru_maxrss`` is the peak of the process that has started this one."""
    program("memory.py", "inherited", check)


@linux
def test_peak_is_the_programs_own(program: Callable[..., str]) -> None:
    """It is what was resident and a known allocation."""
    program("memory.py", "peak")


@pytest.mark.skipif("rss" in BACKEND.absent, reason="this system has no rss()")
def test_rss_of_known_allocation(program: Callable[..., str]) -> None:
    """It includes 100 MiB while they are allocated, and not afterwards."""
    program("memory.py", "current")


@linux
@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="pthread_exit by ctypes")
@pytest.mark.parametrize("user", [(), ("nobody",)], ids=["this user", "nobody"])
def test_memory_after_the_first_thread(program: Callable[..., str], user: tuple[str, ...]) -> None:
    """/proc shows a zombie without memory, but the process lives, is measured, and can reset its mark."""
    if user and os.geteuid():
        pytest.skip(reason="only root may become another user: run it as root")
    program("memory.py", "without_first_thread", *user)


@linux
def test_system_without_proc(program: Callable[..., str], without_proc: list[str]) -> None:
    """The exceptions name what cannot be read; a block is not measured."""
    program("memory.py", "unreadable", before=without_proc)


@pytest.mark.skipif("peak" in BACKEND.absent or LINUX, reason="on this system ru_maxrss may be inherited")
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
    assert ", peak=not measured, " in str(m)


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
    """A block without ``reset_peak`` has none and says how to get it."""
    m = rusage.measure()
    with m:
        for name in "peak", "peak_growth":
            with pytest.raises(RuntimeError, match="reset_peak=True"):
                getattr(m, name)
    assert m.measured == rusage.measured()


@pytest.mark.parametrize("name", ["RUSAGE_CHILDREN", "RUSAGE_BOTH", "RUSAGE_THREAD"])
def test_reset_peak_needs_self(name: str) -> None:
    """The mark belongs to the process."""
    if not hasattr(rusage, name):
        pytest.skip(reason=f"this system has no {name}")
    with pytest.raises(ValueError, match="reset_peak needs RUSAGE_SELF"):
        rusage.measure(getattr(rusage, name), reset_peak=True)
    with pytest.raises(TypeError):
        rusage.measure(rusage.RUSAGE_SELF, True)  # type: ignore[call-arg]  # noqa: FBT003 (the point)
