"""Print this process's exact size at its largest, and ``maxrss()``: ``peak_errors.py CASE``."""

from __future__ import annotations

import mmap
import os
import re
import sys
import tempfile
from pathlib import Path

import rusage
from rusage._backends.linux import present_cpus

KIB = 2**10
PAGE = mmap.PAGESIZE
CPUS = present_cpus() or 1
# How many pages of a counter each CPU may keep to itself, less some for the interpreter's own.
SHARE = max(32, 2 * CPUS) - 8


def resident() -> int:
    found = re.search(
        r"Rss: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    )
    assert found is not None
    return int(found[1]) * KIB


def anonymous(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return memory


def touch(memory: mmap.mmap, first: int, pages: int) -> None:
    for page in range(first, first + pages):
        memory[page * PAGE] = 1


def on_each_cpu(*, unmap: bool) -> int:
    """Map or unmap, on each CPU, as many pages of each of the three counters as it keeps to itself.

    Unmapped pages that are still counted make the peak too large when others are mapped after them.
    """
    cpus = sorted(os.sched_getaffinity(0))
    pages = SHARE * len(cpus)
    with tempfile.TemporaryFile(dir="/var/tmp") as file:  # /tmp may be shared memory
        file.truncate(pages * PAGE)
        mapped = mmap.mmap(file.fileno(), pages * PAGE, mmap.MAP_PRIVATE, mmap.PROT_READ)
    mapped.madvise(mmap.MADV_RANDOM)  # no neighbours, which one fault would map too
    written = [anonymous(pages * PAGE), mmap.mmap(-1, pages * PAGE)]

    def map_pages(first: int, pages: int) -> None:
        for memory in written:
            touch(memory, first, pages)
        for page in range(first, first + pages):
            mapped[page * PAGE]

    if unmap:
        map_pages(0, pages)
    largest = resident()
    for number, cpu in enumerate(cpus):
        os.sched_setaffinity(0, {cpu})
        if unmap:
            for memory in [*written, mapped]:
                memory.madvise(mmap.MADV_DONTNEED, number * SHARE * PAGE, SHARE * PAGE)
        else:
            map_pages(number * SHARE, SHARE)
    os.sched_setaffinity(0, cpus)
    if unmap:
        touch(anonymous(3 * pages * PAGE), 0, 3 * pages)
    return max(largest, resident())


CASES = {
    "pages mapped on each CPU": lambda: on_each_cpu(unmap=False),
    "pages unmapped on each CPU": lambda: on_each_cpu(unmap=True),
}


if __name__ == "__main__":
    print(CASES[sys.argv[1]](), rusage.maxrss(), flush=True)
    os._exit(0)
