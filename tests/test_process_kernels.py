"""``rss`` and ``Process`` on systems without a handle for a process.

Their C runs against the kernels of ``made_up.py``.
"""

from __future__ import annotations

import errno
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from made_up import BY_BOOT, COUNTERS, READ, RSS_UNITS, TIMES, UNIXES
from made_up import programs as programs  # noqa: PLC0414 (a fixture)
from made_up import run as run  # noqa: PLC0414 (as above)
from made_up import system as system  # noqa: PLC0414 (as above)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from made_up import Run

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("kernels")]  # compiled once


NOTHING = [0.0] * 16


def failed(code: int) -> list[float]:
    """Return what open and get print if they fail."""
    return [code, *NOTHING]


def test_figures(system: str, run: Run) -> None:
    _, got, rss, larger, closed = run("open 77 get rss set rss 2000000001 rss close")
    assert got == [0, *READ[system]]
    assert (rss, larger) == ([1234 * RSS_UNITS[system]], [2000000001 * RSS_UNITS[system]])
    assert closed == [0]


@pytest.mark.parametrize("system", UNIXES, indirect=True)
def test_rss_of_this_process(system: str, run: Run) -> None:
    unit = RSS_UNITS[system]
    sizes = run("own_rss set rss 0 own_rss set rss 2000000001 own_rss")
    assert sizes == [[1234 * unit], [0], [2000000001 * unit]]
    expected = errno.ENOTSUP if system == "macos" else errno.EPERM
    failed = run(f"set failure {errno.EPERM} own_rss set failure 0 own_rss")
    assert failed == [[-expected], [1234 * unit]]
    if system != "macos":
        assert run("set reply 4 own_rss") == [[-errno.EINVAL]]


@pytest.mark.parametrize("system", ["macos"], indirect=True)
def test_times_of_a_thread_on_macos(run: Run) -> None:
    times = [0, *TIMES, *NOTHING[2:]]
    assert run("getrusage 1 set failure 5 getrusage 1") == [times, failed(errno.ENOTSUP)]


@pytest.mark.parametrize("system", BY_BOOT, indirect=True)
def test_rate_of_the_statistics_clock(run: Run) -> None:
    """It is stathz; 0 there means that hz drives the clock; 0 is an unknown rate."""
    assert run("statclock set stathz 0 statclock set failure 1 statclock") == [[127], [1000], [0]]


@pytest.mark.parametrize("system", ["openbsd"], indirect=True)
def test_rounding_of_the_start(run: Run) -> None:
    """A sum of times in nanoseconds may be a microsecond larger than the sum of rounded ones."""
    assert [line[0] for line in run("open 77 set rounding 999 get")] == [0, 0]
    assert [line[0] for line in run("set rounding 999 open 77 set rounding 0 get")] == [0, 0]


@pytest.mark.parametrize("system", ["dragonfly"], indirect=True)
@pytest.mark.parametrize("threads", [2, 8, 9, 100])
def test_sum_over_threads_on_dragonfly(run: Run, threads: int) -> None:
    """As calcru_proc() in sys/kern/kern_resource.c adds them; each further thread used a second."""
    times, counters = (1.25 + threads - 1, TIMES[1]), [value + threads - 1 for value in COUNTERS]
    expected = [0, *times, 4242, 21, 22, 23, *counters]
    assert run(f"set threads {threads} open 77 get") == [expected, expected]


@pytest.mark.parametrize("system", ["dragonfly"], indirect=True)
def test_process_that_exits_on_dragonfly(run: Run) -> None:
    """exit1() adds the threads' figures to the process's before the threads leave the list."""
    assert run("open 77 set exiting 1 get")[1] == failed(errno.ESRCH)
    assert run("open 77 set failure 12 get")[1] == failed(errno.ENOMEM)


@pytest.mark.parametrize("system", ["illumos"], indirect=True)
def test_targets_of_wait4_on_illumos(programs: Callable[[str], Path], system: str) -> None:
    """wait4(2)'s -1 is any child and 0 the own group.

    libc's wait4() takes 0 for any, and -1 for the group 1.
    """
    words = ["wait4", "-1", "wait4", "0", "wait4", "-9", "wait4", "77"]
    seen = subprocess.run(
        [programs(system), *words], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert seen.splitlines() == ["any 0", "group 7", "group 9", "process 77"]


@pytest.mark.parametrize("system", ["freebsd"], indirect=True)
def test_complete_usage_of_a_child_on_freebsd(run: Run) -> None:
    """The kernel adds a child's last thread when its exit can be seen already."""
    for pid in (77, 0, -1, -9):
        assert run(f"wait4 {pid}") == [[77, *READ["freebsd"]]]
    # Another thread is faster: there is no such child any more, or another child is next.
    assert run("set taken 1 wait4 77")[0][0] == -errno.ECHILD
    assert run("set taken 2 wait4 -1") == [[79, *READ["freebsd"]]]


@pytest.mark.parametrize("system", ["freebsd"], indirect=True)
def test_usage_of_a_zombie_on_freebsd(run: Run) -> None:
    """rusage_of_process also reads zombies, but no other process and no other layout."""
    assert run("set zombie 1 of_process 77") == [[0, *READ["freebsd"]]]
    assert run("of_process 5") == [failed(errno.ESRCH)]
    assert run("set layout 8 of_process 77") == [failed(errno.EINVAL)]
    assert run("set reply 64 of_process 77") == [failed(errno.EINVAL)]
    assert run("set reply 0 of_process 77") == [failed(errno.ESRCH)]
    assert run(f"set failure {errno.EPERM} of_process 77") == [failed(errno.EPERM)]


@pytest.mark.parametrize("system", ["freebsd"], indirect=True)
def test_struct_rusage(run: Run) -> None:
    """Each member has its place.

    A negative time is 0, and what wraps, or is too large, is the largest number.
    """
    own, children, both = run("getrusage 0 getrusage -1 getrusage -2")
    assert own == [0, *READ["freebsd"]]
    assert children == [*own[:7], 1031, *own[8:]]
    sums = [a + b for a, b in zip(own[4:], children[4:], strict=True)]
    assert both == [0, 2.5, 1.000002, 4242, *sums]
    for words in ("set seconds -1", "set fraction -1"):
        assert [line[1] for line in run(f"{words} getrusage 0 getrusage -2")] == [0, 0]
    largest, bits = 2**63 - 1, 8 * struct.calcsize("l")
    time, counter = 2 ** (bits - 1) - 1, min(2**bits - 1, largest)
    lines = run(f"set seconds {time} set counter -1 getrusage 0 getrusage -2")
    seconds = [min(times * (time + 0.25), largest / 10**6) for times in (1, 2)]
    assert [line[1] for line in lines] == seconds
    counters = [float(min(times * counter, largest)) for times in (1, 2)]
    assert [line[15] for line in lines] == counters


@pytest.mark.parametrize("system", ["macos"], indirect=True)
def test_mach_ticks_under_rosetta(run: Run) -> None:
    """mach_timebase_info() gives a translated program Intel's timebase; ticks are Apple's."""
    assert run("set numer 1 set denom 1 set translated 1 open 77 get")[1][1:3] == [1.25, 0.500001]
    # On an Intel processor a tick is a nanosecond.
    for translated in -1, 0:
        lines = run(f"set numer 1 set denom 1 set translated {translated} open 77 get")
        assert lines[1][1:3] == [0.03, 0.012000024]


@pytest.mark.parametrize("system", ["macos"], indirect=True)
@pytest.mark.parametrize(
    ("faults", "pageins", "expected"),
    [(2**31 - 1, 2**31 - 1, [0, 2**31 - 1]), (1, 2, [0, 2]), (-1, -1, [0, 0]), (0, 0, [0, 0])],
)
def test_faults_on_macos_are_never_negative(
    run: Run, faults: int, pageins: int, expected: list[float]
) -> None:
    """Both are limited to 31 bits, and read one after the other."""
    assert run(f"set faults {faults} set pageins {pageins} open 77 get")[1][7:9] == expected
