"""The real call on this system; CPython's ``resource`` and /proc are the oracles."""

import threading
import time
from collections.abc import Callable

import pytest
from conftest import spin

import rusage

resource = pytest.importorskip("resource", reason="Windows has no resource module")

TIMES = ("ru_utime", "ru_stime")
WHO = [name for name in ("RUSAGE_SELF", "RUSAGE_CHILDREN", "RUSAGE_THREAD") if hasattr(resource, name)]


# Touches 256 MiB; prints the peak before and after, the peak in the record, and VmHWM, or 0 without one.
TOUCH = """
import mmap, re, time
import rusage

def touch(size):
    block = mmap.mmap(-1, size)
    for page in range(0, size, 4096):
        block[page] = 1
    return block

# A peak inherited from the parent has to be reached before it can grow.
inherited, blocks = rusage.maxrss(), []
while rusage.maxrss() <= inherited and len(blocks) < 1024:
    blocks.append(touch(2**20))
before = rusage.maxrss()
blocks.append(touch(256 * 2**20))
end = time.process_time() + 0.3
while time.process_time() < end:  # a kernel that samples has to see it
    pass
try:
    mark = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())
except OSError:
    mark = None
print(before, rusage.maxrss(), rusage.getrusage(0).ru_maxrss, int(mark[1]) * 1024 if mark else 0)
"""


@pytest.mark.skipif("ru_maxrss" not in rusage.measured(), reason="this system does not measure the peak")
def test_peak_is_vmhwm(python: Callable[..., str]) -> None:
    """After touching 256 MiB the peak has grown by so much, by both ways to ask; on Linux it agrees with VmHWM."""
    before, peak, field, mark = map(int, python("-c", TOUCH).split())
    assert 150 * 2**20 < peak - before < 300 * 2**20
    assert abs(peak - field) < 2 * 2**20
    if mark:
        assert abs(peak - mark) <= 2 * 2**20
        assert abs(peak - before - 256 * 2**20) <= 8 * 2**20


@pytest.mark.parametrize("name", WHO)
def test_fields_between_calls_of_resource(name: str) -> None:
    """Each field lies between the values of ``resource`` before and after, in uniform units."""
    who = getattr(resource, name)
    before = rusage.from_native(resource.getrusage(who))
    usage = rusage.getrusage(getattr(rusage, name))
    after = rusage.from_native(resource.getrusage(who))
    for field, low, value, high in zip(rusage.RUsage._fields, before, usage, after, strict=True):
        if field in TIMES:  # user and system time are split by samples; only their sum is sure to grow
            continue
        assert low <= value <= high, field
    assert sum(before[:2]) <= sum(usage[:2]) + 2e-6
    assert sum(usage[:2]) <= sum(after[:2]) + 2e-6


@pytest.mark.parametrize("name", WHO)
def test_names_of_resource(name: str) -> None:
    """They have the values that they have in ``resource``."""
    assert getattr(rusage, name) == getattr(resource, name)
    assert rusage.error is resource.error
    assert rusage.getpagesize() == resource.getpagesize()


def test_both_is_self_and_children() -> None:
    """Counters and times add, the peak is the larger of the two; so does ``cputime``."""
    children = rusage.getrusage(rusage.RUSAGE_CHILDREN)
    low = rusage.getrusage(rusage.RUSAGE_SELF) + children
    both = rusage.getrusage(rusage.RUSAGE_BOTH)
    cputime = rusage.cputime(rusage.RUSAGE_BOTH)
    high = rusage.getrusage(rusage.RUSAGE_SELF) + children
    for field, least, value, most in zip(low._fields, low, both, high, strict=True):
        assert least <= value <= most or field in TIMES, field
    assert low.cputime - 2e-6 <= both.cputime <= cputime + 2e-6 <= high.cputime + 4e-6


def test_usage_of_this_thread() -> None:
    """RUSAGE_THREAD grows with the work of this thread, also where ``resource`` has none (PyPy)."""
    if not hasattr(rusage, "RUSAGE_THREAD"):
        pytest.skip(reason="this system has no RUSAGE_THREAD")
    before, own = rusage.getrusage(rusage.RUSAGE_THREAD), rusage.cputime()
    worker = threading.Thread(target=spin, args=[0.15])
    worker.start()
    worker.join()
    assert rusage.cputime() - own > 0.1
    assert (rusage.getrusage(rusage.RUSAGE_THREAD) - before).cputime < 0.1
    spin(0.15)
    assert (rusage.getrusage(rusage.RUSAGE_THREAD) - before).cputime > 0.1


@pytest.mark.skipif("ru_nvcsw" not in rusage.measured(), reason="this system does not measure context switches")
def test_context_switches_of_all_threads() -> None:
    """Each sleep of a worker is a switch; Linux's /proc/PID/status, which psutil reads, has the main thread's only."""

    def work() -> None:
        for _ in range(250):
            time.sleep(0.0002)

    workers = [threading.Thread(target=work) for _ in range(4)]
    before = rusage.getrusage(rusage.RUSAGE_SELF)
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (rusage.getrusage(rusage.RUSAGE_SELF) - before).ru_nvcsw >= 900


@pytest.mark.parametrize("call", [rusage.getrusage, rusage.maxrss, rusage.cputime, rusage.measured])
def test_every_call_takes_every_who(call: Callable[[int], object]) -> None:
    """All calls that take a ``who`` take all of them, and refuse the same ones."""
    for name in rusage.__all__:
        if name.startswith("RUSAGE_"):
            call(getattr(rusage, name))
    with pytest.raises(ValueError, match=r"^invalid who parameter$"):
        call(99)
    with pytest.raises(OverflowError):
        call(2**31)
    with pytest.raises(TypeError):
        call(0.0)  # type: ignore[arg-type]  # the point
