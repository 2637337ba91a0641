"""Time starting a child and measuring a block, as ratios in one run: ``tox -e bench``."""

from __future__ import annotations

import mmap
import os
import platform
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import rusage

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 31
TRUE = ["true"]


def take_turns(*candidates: Callable[[], object], number: int) -> list[float]:
    """Time candidates in turn, as the machine's speed changes; return their median seconds."""
    rows = []
    for _ in range(TURNS):
        row = []
        for candidate in candidates:
            start = time.perf_counter()
            for _ in range(number):
                candidate()
            row.append((time.perf_counter() - start) / number)
        rows.append(row)
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def line(what: str, ratio: float) -> None:
    """Print a row of a Markdown table."""
    print(f"| {what} | {ratio:.2f} |")


def runs(parent: str) -> None:
    """Compare run with subprocess.run."""
    ours, theirs = take_turns(
        lambda: rusage.run(TRUE), lambda: subprocess.run(TRUE, check=False), number=10
    )
    line(f'`rusage.run(["true"])` to `subprocess.run(["true"])`, {parent}', ours / theirs)


def elapsed_with_timeout() -> None:
    """Compare the elapsed time of a program with and without a timeout."""
    with_timeout, without = [
        statistics.median(rusage.run(["sleep", "0.2"], timeout=timeout).elapsed for _ in range(5))
        for timeout in (60, None)
    ]
    line(
        '`elapsed` of `rusage.run(["sleep", "0.2"])`: with a timeout, to without',
        with_timeout / without,
    )


def blocks() -> None:
    """Compare a measured block with two calls of getrusage."""
    getrusage, who, measure = rusage.getrusage, rusage.RUSAGE_SELF, rusage.measure

    def two() -> None:
        getrusage(who)
        getrusage(who)

    def block() -> None:
        with measure():
            pass

    ours, theirs = take_turns(block, two, number=2000)
    line("`with measure(): pass` to two `getrusage`", ours / theirs)


def command() -> None:
    """Compare the command with the sum of an empty Python program and the program itself."""
    script = os.path.join(os.path.dirname(sys.executable), "rusage")
    words = [script] if os.path.exists(script) else [sys.executable, "-m", "rusage"]
    ours, python, program = take_turns(
        lambda: subprocess.run([*words, "--", "true"], stderr=subprocess.DEVNULL, check=False),
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=False),
        lambda: subprocess.run(TRUE, check=False),
        number=1,
    )
    line("`rusage -- true` to `python -c pass` and `true`", ours / (python + program))


def limits() -> None:
    """Print the CPU time that the kernel charges to a program whose limit is set in two ways."""
    import resource  # noqa: PLC0415 (Unix only)

    limit = resource.RLIMIT_CPU, (60, 60)

    def by_preexec_fn() -> float:
        return rusage.run(TRUE, preexec_fn=lambda: resource.setrlimit(*limit)).rusage.cputime

    def by_rlimits() -> float:
        return rusage.run(TRUE, rlimits=dict([limit])).rusage.cputime

    rows = [(by_preexec_fn(), by_rlimits()) for _ in range(TURNS)]
    print("\n| CPU time charged to `true`, parent of 1 GiB | ms |\n| --- | --- |")
    ways = "`preexec_fn=`, which sets a limit", "`rlimits=`"
    for what, column in zip(ways, zip(*rows, strict=True), strict=True):
        print(f"| {what} | {statistics.median(column) * 1e3:.2f} |")


def main() -> None:
    """Print the table."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}\n"
    )
    print("| what | ratio |\n| --- | --- |")
    runs("small parent")
    elapsed_with_timeout()
    blocks()
    command()
    with mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:
        for at in range(0, len(held), mmap.PAGESIZE):
            held[at] = 1
        runs("parent of 1 GiB")
        limits()


if __name__ == "__main__":
    main()
