"""Touch 256 MiB; print the peak before and after, the record's peak, and the kernel's VmHWM, or 0 without one."""

import mmap
import time
from pathlib import Path

import rusage

MIB = 2**20


def touch(size: int) -> mmap.mmap:
    """Return memory whose pages have been written to."""
    block = mmap.mmap(-1, size)
    for page in range(0, size, 4096):
        block[page] = 1
    return block


def high_water_mark() -> int:
    """Return VmHWM of /proc/self/status in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


# A peak inherited from the parent has to be reached before it can grow.
inherited = rusage.maxrss()
blocks: list[mmap.mmap] = []
while rusage.maxrss() <= inherited and len(blocks) < 1024:
    blocks.append(touch(MIB))
before = rusage.maxrss()
blocks.append(touch(256 * MIB))
start = time.process_time()
while time.process_time() - start < 0.3:  # a kernel that samples has to see it
    pass
print(before, rusage.maxrss(), rusage.getrusage(rusage.RUSAGE_SELF).ru_maxrss, high_water_mark())
