"""Time the calls, as ratios to ``resource``, psutil and the bare system call: ``tox -e bench``.

The candidates of a row are timed in turn, in one run, so that changes of the machine's speed affect
all of them. A ratio is the median over all turns.
"""

from __future__ import annotations

import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

import rusage

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 41
SECONDS_A_TURN = 0.004
CALLS = 5000  # of each of several threads in a turn

C_LOOP = r"""
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

int main(int argc, char **argv)
{
    int who = atoi(argv[argc - 1]);
    struct rusage usage;
    struct timespec start, end;
    long i, number = 200000;

    clock_gettime(CLOCK_MONOTONIC, &start);
    for (i = 0; i < number; i++)
        getrusage(who, &usage);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%f\n", ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / number);
    return 0;
}
"""

PROCESS = psutil.Process()


def psutil_same() -> tuple[object, ...]:
    """Return the same information from psutil, as far as available."""
    with PROCESS.oneshot():
        return PROCESS.cpu_times(), PROCESS.memory_info(), PROCESS.num_ctx_switches()


def turns(statements: list[str]) -> list[list[float]]:
    """Time statements in turn; return one row for each turn: the seconds per run of each one."""
    namespace = {
        "resource": resource,
        "rusage": rusage,
        "psutil_same": psutil_same,
        "PROCESS": PROCESS,
    }
    timers = [timeit.Timer(statement, globals=namespace) for statement in statements]
    numbers = []
    for timer in timers:
        timer.timeit(200)
        numbers.append(max(5, int(SECONDS_A_TURN / (timer.timeit(20) / 20))))
    return [
        [timer.timeit(n) / n for timer, n in zip(timers, numbers, strict=True)]
        for _ in range(TURNS)
    ]


def ratio(rows: list[list[float]], over: int, under: int) -> float:
    """Return the median ratio of two columns."""
    return statistics.median(row[over] / row[under] for row in rows)


def line(what: str, *cells: object) -> None:
    """Print a row of a Markdown table."""
    texts = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells]
    print("|", " | ".join([what, *texts]), "|")


def bare(who: int, program: Path | None) -> float:
    """Return the seconds per system call in a C loop; nan without a compiler."""
    if program is None:
        return float("nan")
    times = [
        float(subprocess.run([program, str(who)], capture_output=True, check=True).stdout)
        for _ in range(5)
    ]
    return statistics.median(times) / 1e9


def compiled(folder: str) -> Path | None:
    """Compile the C loop; return the path of the program, or None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    source = Path(folder, "loop.c")
    source.write_text(C_LOOP)
    subprocess.run([compiler, "-O2", source, "-o", source.with_suffix("")], check=True)
    return source.with_suffix("")


def calls(program: Path | None) -> None:
    """Print the table of the calls."""
    line("call", "to `resource`", "to psutil", "to the bare call in C")
    line(*["---"] * 4)
    for name in ("RUSAGE_SELF", "RUSAGE_CHILDREN", "RUSAGE_THREAD"):
        theirs = f"resource.getrusage(resource.{name})" if hasattr(resource, name) else "0"
        rows = turns([f"rusage.getrusage(rusage.{name})", theirs, "psutil_same()"])
        in_c = bare(getattr(rusage, name), program)
        line(
            f"`getrusage({name})`",
            ratio(rows, 0, 1) if theirs != "0" else "not provided",
            f"{ratio(rows, 0, 2):.3f}" if name == "RUSAGE_SELF" else "",
            statistics.median(row[0] for row in rows) / in_c,
        )
    peak = "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024"
    both = "sum(resource.getrusage(resource.RUSAGE_SELF)[:2])"
    in_c = bare(rusage.RUSAGE_SELF, program)
    for ours, theirs in (("rusage.maxrss()", peak), ("rusage.cputime()", both)):
        rows = turns([ours, theirs])
        seconds = statistics.median(row[0] for row in rows)
        line(f"`{ours[7:]}`", ratio(rows, 0, 1), "", seconds / in_c)
    for name, theirs in (
        ("rss", "memory_info()"),
        ("peak", "memory_info()"),
        ("pss", "memory_full_info()"),
    ):
        if name in rusage.__all__:
            rows = turns([f"rusage.{name}()", f"PROCESS.{theirs}"])
            line(f"`{name}()`", "", f"{ratio(rows, 0, 1):.2f}, to `{theirs}`", "")


def switches() -> None:
    """Print the voluntary context switches of four threads, each of which sleeps 2000 times."""

    def work() -> None:
        for _ in range(2000):
            time.sleep(0.0001)

    workers = [threading.Thread(target=work) for _ in range(4)]
    before, theirs = rusage.getrusage(rusage.RUSAGE_SELF), PROCESS.num_ctx_switches().voluntary
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    ours = (rusage.getrusage(rusage.RUSAGE_SELF) - before).ru_nvcsw
    line("voluntary context switches of four working threads", "`rusage`", "psutil")
    line(*["---"] * 3)
    line("seen", ours, PROCESS.num_ctx_switches().voluntary - theirs)


def imports() -> None:
    """Print the table of the import times, each in a fresh interpreter."""
    modules = ["rusage", "resource", "_cffi_backend", "cffi", "psutil"]
    program = (
        "import sys, time; s = time.perf_counter(); "
        "__import__(sys.argv[1]); print(time.perf_counter() - s)"
    )
    rows = []
    for _ in range(21):
        outputs = [  # another directory: with -c, Python imports from the current directory first
            subprocess.run(
                [sys.executable, "-c", program, module],
                cwd=sys.prefix,
                capture_output=True,
                check=True,
            ).stdout
            for module in modules
        ]
        rows.append([float(output) for output in outputs])
    line("`import rusage`, to the import of", *(f"`{module}`" for module in modules[1:]))
    line(*["---"] * len(modules))
    line("ratio", *(ratio(rows, 0, column) for column in range(1, len(modules))))


def threads() -> None:
    """Print the cost of other threads, which the kernel adds up."""
    statements = [
        "rusage.getrusage(rusage.RUSAGE_SELF)",
        "resource.getrusage(resource.RUSAGE_SELF)",
    ]
    alone = [statistics.median(column) for column in zip(*turns(statements), strict=True)]
    line(
        "other threads",
        "rusage, to itself alone",
        "`resource`, to itself alone",
        "rusage to `resource`",
    )
    line(*["---"] * 4)
    for number in (1, 10, 100, 1000):
        stop = threading.Event()
        others = [threading.Thread(target=stop.wait) for _ in range(number)]
        for thread in others:
            thread.start()
        ours, theirs = (
            statistics.median(column) for column in zip(*turns(statements), strict=True)
        )
        line(f"{number} idle", ours / alone[0], theirs / alone[1], ours / theirs)
        stop.set()
        for thread in others:
            thread.join()


def rate(function: Callable[[int], object], who: int, number: int) -> float:
    """Return the calls per second of several threads together."""

    def work() -> None:
        start.wait()
        begin = time.perf_counter()
        for _ in range(CALLS):
            function(who)
        seconds.append(time.perf_counter() - begin)

    start, seconds = threading.Barrier(number), list[float]()
    workers = [threading.Thread(target=work) for _ in range(number)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return number * CALLS / max(seconds)


def parallel() -> None:
    """Print how many calls several threads make for each call of one thread, if there is no GIL."""
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        return
    line("calls of several threads, to those of one", "rusage", "`resource`")
    line(*["---"] * 3)
    for name in ("RUSAGE_SELF", "RUSAGE_THREAD"):
        cases = [
            (f, getattr(resource, name), n)
            for f in (rusage.getrusage, resource.getrusage)
            for n in (1, 2, 4)
        ]
        rows = [[rate(*case) for case in cases] for _ in range(TURNS)]
        for at, number in enumerate((2, 4), 1):
            line(
                f"`getrusage({name})`, {number} threads", ratio(rows, at, 0), ratio(rows, 3 + at, 3)
            )
    print()


def main() -> None:
    """Print all tables."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        calls(compiled(folder))
    print()
    imports()
    print()
    threads()
    print()
    parallel()
    switches()


if __name__ == "__main__":
    main()
