"""What a kernel shows, by ``facts.py``, beside what its backend says.

Run it on each system that you can reach, and after a change of a backend.
"""

from __future__ import annotations

import sys

import facts
import pytest
from claims import claims

from rusage._backends import BACKEND
from rusage._rusage import lib

# What no file system, busy machine or inherited peak hides.
ALWAYS = {"times: resolution", "ru_minflt: touched pages"}


@pytest.mark.system
@pytest.mark.parametrize("module", [pytest.param("resource", marks=pytest.mark.thorough), "rusage"])
def test_this_kernel(module: str) -> None:
    """What ``resource`` and ``rusage`` report is what the backend says."""
    if sys.platform == "win32" and module == "rusage":
        pytest.skip(reason="tests/test_windows.py has the calls of Windows")
    said = {
        **claims(BACKEND, module),
        "ru_maxrss: maxrss()": "equal",
        "ru_oublock: /proc/self/io": "equal",
    }
    found = [*facts.measure(module)]
    assert [fact for fact in found if facts.outcome(fact, said) == "refuted"] == []
    assert [fact for fact in found if "measurement" in fact.name] == []  # one that failed
    assert {fact.name for fact in found if facts.outcome(fact, said) == "confirmed"} >= ALWAYS


def test_rate_is_that_of_sysctl() -> None:
    """Where there are integrals the rate is the kernel's stathz, as sysctl(8) prints it."""
    if not BACKEND.integral_bytes:
        assert not hasattr(lib, "rusage_statclock_hz")
        return
    rate = facts.statistics_clock()
    if rate.value is None:
        pytest.skip(reason=rate.seen)
    assert lib.rusage_statclock_hz() == int(rate.value)
