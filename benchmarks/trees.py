"""Time and check ``Tree`` and ``record``, compared with psutil in one run: ``tox -e bench``.

The candidates of a row are timed in turn. The least time of each counts: a reading is short, and
other programs may delay it. 200 other processes exist meanwhile. Between two readings, few of the
"busy" processes have run, but all of the "woken" ones. If a value is above its bound, the exit
status is 2.
"""

from __future__ import annotations

import contextlib
import platform
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil

import rusage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TURNS = 45
OTHERS = 200
MIB = 2**20
# A tree of processes, a tenth of which are the root's children. Each has as many threads as asked
# for. A "busy" process loops whenever nothing else wants the CPU; a "woken" one runs for a moment
# after each pause.
TREE = """
import os, sys, threading, time
count, threads, what = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
pause = count / 5000
for _ in range(threads - 1):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
def start(count):
    while count > 0:
        given = (count - 1) // 10
        count -= 1 + given
        if os.fork() == 0:
            start(given)
            if what == "busy":
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            while what == "busy":
                pass
            while what == "woken":
                time.sleep(pause)
            os.read(0, 1)
            os._exit(0)
start(count - 1)
print("ready", flush=True)
os.read(0, 1)
"""
# Use memory, and keep it for a while after all have it; then print the exact peak in KiB.
CHILD = """
import sys, time
block = bytearray(60 << 20)
block[::4096] = b"x" * len(block[::4096])
print("ready", flush=True)
sys.stdin.readline()
time.sleep(float(sys.argv[1]))
print(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0], flush=True)
"""
# Record this process and eleven children at 100 Hz; print the least share of one CPU that it uses
# in one of ten times.
RECORDING = """
import subprocess, sys, time, rusage
command = [sys.executable, "-S", "-c", "import sys; sys.stdin.read()"]
children = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(11)]
time.sleep(1)
shares = []
with rusage.record(interval=0.01) as r:
    for _ in range(10):
        start, used = time.perf_counter(), time.process_time()
        time.sleep(0.5)
        shares.append((time.process_time() - used) / (time.perf_counter() - start))
assert r.largest.processes == 12
print(min(shares))
for child in children:
    child.communicate()
"""
failures: list[str] = []  # what is above its bound


@contextlib.contextmanager
def tree(count: int, threads: int = 1, what: str = "idle") -> Iterator[int]:
    """Yield the root of a tree of processes."""
    options = ["-S", "-E", "-W", "ignore"]
    command = [sys.executable, *options, "-c", TREE, str(count), str(threads), what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        next(child.stdout or iter(()))
        time.sleep(0.2)
        try:
            yield child.pid
        finally:
            with rusage.Tree(child.pid) as running:
                running.send_signal(9)


def least(pause: float, *candidates: Callable[[], object]) -> list[float]:
    """Return the least time of each candidate, in seconds, of calls after a pause."""
    times: list[list[float]] = [[] for _ in candidates]
    for _ in range(TURNS):
        for candidate, row in zip(candidates, times, strict=True):
            time.sleep(pause)
            start = time.perf_counter()
            candidate()
            row.append(time.perf_counter() - start)
    return [min(row) for row in times]


def line(what: str, value: float, bound: float | None, unit: str = "") -> None:
    """Print a row of a Markdown table, and note a value above its bound."""
    limit = "-" if bound is None else f"{bound:g}{unit}"
    print(f"| {what} | {value:.3g}{unit} | {limit} |", flush=True)
    if bound is not None and value > bound:
        failures.append(what)


def samples(count: int, threads: int, bound: float | None, what: str = "idle") -> None:
    """Print the row for a tree."""
    with tree(count, threads, what) as root, rusage.Tree(root) as ours:
        theirs = psutil.Process(root)

        def same() -> int:
            """Return the same sum, by psutil."""
            return sum(one.memory_info().rss for one in [theirs, *theirs.children(recursive=True)])

        while ours.sample().processes != count:
            time.sleep(0.01)
        if abs(ours.rss() - same()) > count * 16 * rusage.getpagesize():
            raise SystemExit(f"the members of {count} processes differ from psutil's")
        seconds, others = least(count / 2500 if what == "woken" else 0, ours.sample, same)
    name = f"{count} {what} processes" if count > 1 else f"one {what} process"
    if threads > 1:
        name += f" with {threads} threads"
    microseconds = float(f"{seconds * 1e6:.3g}")
    line(f"{name} | {microseconds:g} us", seconds / others, bound)


def recording() -> None:
    """Print what a recording costs."""
    command = [sys.executable, "-c", RECORDING]
    done = subprocess.run(command, cwd=sys.prefix, stdout=subprocess.PIPE, text=True, check=True)
    line("12 processes at 100 Hz, of one CPU", float(done.stdout) * 100, 3, " %")


def error(seconds: float, interval: float) -> float:
    """Return how far the largest sample of eight children is from their exact sum, in percent."""
    with rusage.record(interval=interval) as r:
        command = [sys.executable, "-S", "-E", "-c", CHILD, str(seconds)]
        children = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(8)
        ]
        for child in children:
            next(child.stdout or iter(()))
        for child in children:
            print(file=child.stdin, flush=True)
        exact = sum(int(child.communicate()[0]) * 1024 for child in children)
    pids = {child.pid for child in children}
    seen = sum(member.rss for member in r.members if member.pid in pids)
    return abs(seen - exact) / exact * 100


def main() -> None:
    """Print the tables."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}\n"
    )
    print("| `sample()` of a tree | time | to psutil | allowed |\n| --- | --- | --- | --- |")
    with tree(OTHERS):
        for count in 1, 10, 50, 100, 300, 1000:
            samples(count, 1, 0.1)
        for count in 10, 100, 1000:
            samples(count, 1, 0.1, "busy")
        samples(20, 1, 0.1, "woken")
        for count in 100, 1000:
            samples(count, 1, None, "woken")
        samples(1, 200, None)
        print("\n| a recording | value | allowed |\n| --- | --- | --- |")
        recording()
        what = "error of the largest sample, eight children of 60 MiB for 1 s"
        line(what, error(1, 0.05), 2, " %")
        worst = max(error(0.05, 0.01) for _ in range(20))
        line("the same for 50 ms at 100 Hz, the worst of 20 runs", worst, 10, " %")
    if failures:
        print(f"above their bounds: {', '.join(failures)}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
