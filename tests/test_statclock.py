"""The rate of the statistics clock, which the integrals of FreeBSD and OpenBSD are counted in."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from rusage._backends import BACKEND
from rusage._rusage import lib


def test_rate_is_that_of_sysctl() -> None:
    """Where there are integrals the rate is the kernel's stathz, as sysctl(8) prints it."""
    if not BACKEND.integral_bytes:
        assert not hasattr(lib, "rusage_statclock_hz")
        return
    sysctl = shutil.which("sysctl", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if sysctl is None:
        pytest.skip("there is no sysctl(8)")
    printed = subprocess.run([sysctl, "kern.clockrate"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"stathz\s*=\s*(\d+)", printed)
    assert found is not None
    assert lib.rusage_statclock_hz() == int(found[1])
