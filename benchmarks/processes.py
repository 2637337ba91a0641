"""Time reading another process, as ratios to psutil and to reading /proc: ``tox -e bench``.

The candidates of a row are timed in turn, in one run, so that changes of the machine's speed affect
all of them. A ratio is the median over all turns.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

import rusage

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 41
CHILD = """
import sys, threading
for _ in range(int(sys.argv[1])):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
input()
"""
TICK = os.sysconf("SC_CLK_TCK")


def ratio(ours: Callable[[], object], theirs: Callable[[], object], number: int) -> float:
    """Return the median ratio of two candidates."""
    ratios = []
    for _ in range(TURNS):
        row = []
        for candidate in (ours, theirs):
            start = time.perf_counter()
            for _ in range(number):
                candidate()
            row.append(time.perf_counter() - start)
        ratios.append(row[0] / row[1])
    return statistics.median(ratios)


def ratios(process: rusage.Process, other: psutil.Process) -> dict[str, float]:
    """Return the ratios of what one process is asked for."""
    files = [f"/proc/{process.pid}/{name}" for name in ("stat", "status")]

    def same() -> tuple[object, ...]:
        """Return the same information from psutil, as far as available.

        It has the size instead of the peak, and no faults.
        """
        with other.oneshot():
            return other.cpu_times(), other.memory_info()

    def read_stat() -> float:
        with open(files[0], "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def read_status() -> int:
        with open(files[1], "rb") as file:
            return int(file.read().partition(b"\nVmHWM:")[2].split(maxsplit=1)[0]) * 1024

    found = {"`getrusage()` to psutil's `oneshot()`": ratio(process.getrusage, same, 200)}
    if os.path.exists(files[0]):
        found |= {
            "`getrusage()` to the two files of `/proc` in Python": ratio(
                process.getrusage, lambda: (read_stat(), read_status()), 200
            ),
            "`cputime()` to `/proc/PID/stat` in Python": ratio(process.cputime, read_stat, 500),
            "`peak()` to `/proc/PID/status` in Python": ratio(process.peak, read_status, 500),
        }
    return found


def main() -> None:
    """Print the table."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}\n"
    )
    columns = []
    for threads in (1, 100):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(threads - 1)], stdin=subprocess.PIPE
        )
        while psutil.Process(child.pid).num_threads() < threads:
            time.sleep(0.01)
        with rusage.Process(child.pid) as process:
            columns.append(ratios(process, psutil.Process(child.pid)))
        child.kill()
        child.communicate()
    own = os.getpid()
    opening = ratio(lambda: rusage.Process(own).close(), lambda: psutil.Process(own), 200)
    print("| another process | with one thread | with 100 threads |\n| --- | --- | --- |")
    for what, one in columns[0].items():
        print(f"| {what} | {one:.2f} | {columns[1][what]:.2f} |")
    print(f"| opening and closing to `psutil.Process(pid)` | {opening:.2f} | |")


if __name__ == "__main__":
    main()
