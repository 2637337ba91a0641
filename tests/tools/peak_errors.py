"""Print the error of ``ru_maxrss`` on this Linux kernel, as the table in ``docs/accuracy.md`` has it.

``python tests/tools/peak_errors.py``; ``kernels.py`` runs it on each of Debian's kernels. Each case is a child that
reads the sum of its pages from /proc/self/smaps_rollup, which is exact, when it has the most of them. The differences
from this sum are printed: of the child's own ``ru_maxrss`` at that time ("running"), and of what the parent reads after
the child's end ("ended").
"""

from __future__ import annotations

import mmap
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import rusage
from rusage._backends.linux import present_cpus

RUNS = 3
KIB, MIB = 2**10, 2**20
PAGE = mmap.PAGESIZE
CPUS = present_cpus() or 1
# How many pages of a counter each CPU may keep to itself, less some for the interpreter's own.
SHARE = max(32, 2 * CPUS) - 8


def resident() -> int:
    """Return the exact resident set size in bytes."""
    found = re.search(r"Rss: +(\d+) kB", Path("/proc/self/smaps_rollup").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * KIB


def anonymous(size: int) -> mmap.mmap:
    """Return private memory."""
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_NOHUGEPAGE)
    return memory


def touch(memory: mmap.mmap, first: int, pages: int) -> None:
    """Cause a page fault for each page."""
    for page in range(first, first + pages):
        memory[page * PAGE] = 1


def in_threads(mib: int, number: int) -> int:
    """Touch memory in threads, which stay."""
    pages = mib * MIB // PAGE // number
    memory = anonymous(mib * MIB)
    all_touched = threading.Barrier(number + 1)

    def run(first: int) -> None:
        touch(memory, first, pages)
        all_touched.wait()
        threading.Event().wait()

    for i in range(number):
        threading.Thread(target=run, args=[i * pages], daemon=True).start()
    all_touched.wait()
    return resident()


def on_each_cpu(*, unmap: bool) -> int:
    """Map or unmap, on each CPU, as many pages of each of the three counters as the CPU keeps to itself.

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
    "Python": lambda: in_threads(1, 1),
    "20 MiB, 1 thread": lambda: in_threads(20, 1),
    "20 MiB, 64 threads": lambda: in_threads(20, 64),
    "200 MiB, 1 thread": lambda: in_threads(200, 1),
    "200 MiB, 64 threads": lambda: in_threads(200, 64),
    "pages mapped on each CPU": lambda: on_each_cpu(unmap=False),
    "pages unmapped on each CPU": lambda: on_each_cpu(unmap=True),
}


def differences(case: str) -> tuple[int, int]:
    """Run a child; return by how much its own peak, and its peak after its end, differ from its exact size."""
    done = rusage.run([sys.executable, __file__, case], stdout=subprocess.PIPE, text=True, check=True)
    exact, running = map(int, done.stdout.split())
    return running - exact, done.rusage.ru_maxrss - exact


def main() -> None:
    """Print a table, in KiB."""
    error = rusage.fields["ru_maxrss"].error
    bound = "unknown" if error is None else f"{error // KIB} KiB"
    print(f"Linux {platform.release()}, {CPUS} CPUs, pages of {PAGE} bytes; error: {bound}")
    print(f"{'KiB':28}{'running':>20}{'ended':>20}")
    for case in CASES:
        columns = zip(*(differences(case) for _ in range(RUNS)), strict=True)
        cells = [f"{min(column) // KIB} to {max(column) // KIB}" for column in columns]
        print(f"{case:28}{cells[0]:>20}{cells[1]:>20}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        print(CASES[sys.argv[1]](), rusage.maxrss(), flush=True)
        os._exit(0)
