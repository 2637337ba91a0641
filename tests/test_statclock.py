"""The rate of the statistics clock, which the integrals of FreeBSD and OpenBSD are counted in."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rusage._backends import BACKEND
from rusage._rusage import lib

CLOCKS = Path(__file__).parent.parent / "rusage" / "_c" / "clocks.c"


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


STUB = r"""
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stddef.h>
#include <unistd.h>

enum { CTL_KERN = 1, KERN_CLOCKRATE = 12, KERN_BOOTTIME = 21 };

struct clockinfo { int hz, tick, spare, stathz, profhz; };
static struct clockinfo kernel;

#define sysconf constant
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
def test_stathz_or_hz(tmp_path: Path, hz: int, stathz: int, expected: int) -> None:
    """The clock is at stathz; 0 there means that hz drives the clock; CLK_TCK does not matter."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc libc6-dev")
    source = tmp_path / "statclock.c"
    source.write_text(f'{STUB}#include "{CLOCKS}"\n{MAIN}')
    header = tmp_path / "sys" / "sysctl.h"
    header.parent.mkdir()
    header.touch()  # the stub takes its place
    subprocess.run([compiler, "-I", str(tmp_path), str(source), "-o", str(tmp_path / "statclock")], check=True)
    command = [str(tmp_path / "statclock"), str(hz), str(stathz)]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert printed.split() == [str(expected), "128"]
