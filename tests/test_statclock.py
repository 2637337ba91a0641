"""The rate of the statistics clock, which the integrals of FreeBSD and OpenBSD are counted in."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from test_c import build_script

from rusage._backends import BACKEND
from rusage._rusage import lib

if TYPE_CHECKING:
    from pathlib import Path

rusage_build = build_script()


def test_the_integrals_are_counted_in_the_clock_that_sysctl_names() -> None:
    """Where there are integrals the rate is the kernel's stathz, as sysctl(8) prints it."""
    if not BACKEND.integral_bytes:
        assert lib.rusage_statclock_hz() == 0
        return
    sysctl = shutil.which("sysctl", path="/sbin:/usr/sbin:/bin:/usr/bin")
    assert sysctl is not None
    printed = subprocess.run([sysctl, "kern.clockrate"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"stathz\s*=\s*(\d+)", printed)
    assert found is not None
    assert lib.rusage_statclock_hz() == int(found[1])


@pytest.mark.parametrize("platform", rusage_build.PLATFORMS)
def test_the_rate_comes_from_the_kernel_alone(platform: str) -> None:
    """The C of the systems with integrals asks for kern.clockrate; none takes sysconf's constant for it."""
    source = "".join(rusage_build.PLATFORMS[platform].source)
    assert ("KERN_CLOCKRATE" in source) == (platform in ("freebsd", "openbsd"))
    assert "_SC_CLK_TCK" not in source
    assert "CLOCKS_PER_SEC" not in source


STUB = r"""
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stddef.h>

enum { CTL_KERN = 1, KERN_CLOCKRATE = 12 };
enum { _SC_CLK_TCK = 3 };

struct clockinfo { int hz, tick, spare, stathz, profhz; };
static struct clockinfo kernel;

static long sysconf(int name)
{
    return name == _SC_CLK_TCK ? 128 : -1;
}

static int sysctl(const int *name, unsigned int count, void *old, size_t *size, const void *new, size_t new_size)
{
    if (count != 2 || name[0] != CTL_KERN || name[1] != KERN_CLOCKRATE || *size != sizeof kernel || new || new_size
            || kernel.hz == 0) {
        errno = EINVAL;
        return -1;
    }
    *(struct clockinfo *)old = kernel;
    return 0;
}
"""

MAIN = r"""
int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    kernel.hz = atoi(argv[1]);
    kernel.stathz = atoi(argv[2]);
    kernel.profhz = 8128;
    printf("%d %d\n", (int)rusage_statclock_hz(), (int)sysconf(_SC_CLK_TCK));
    return 0;
}
"""


@pytest.mark.parametrize(
    ("hz", "stathz", "expected"),
    [(100, 127, 127), (1000, 127, 127), (100, 0, 100), (0, 0, 0)],
    ids=["as measured", "faster hz", "no clock of its own", "no answer"],
)
def test_the_rate_is_stathz_or_hz_where_there_is_none(tmp_path: Path, hz: int, stathz: int, expected: int) -> None:
    """Of a kernel that says hz and stathz, stathz counts; 0 there means that hz drives it; CLK_TCK says nothing."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here to try the function with")
    source = tmp_path / "statclock.c"
    source.write_text(STUB + rusage_build.STATCLOCK_SYSCTL + MAIN)
    subprocess.run([compiler, str(source), "-o", str(tmp_path / "statclock")], check=True)
    command = [str(tmp_path / "statclock"), str(hz), str(stathz)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert printed.split() == [str(expected), "128"]
