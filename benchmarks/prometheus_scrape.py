"""Time ``rusage.prometheus``: ``tox -e bench``.

The times are ratios to prometheus_client's ``ProcessCollector``. Both are timed in turn, in one
run. A ratio is the median over all turns.
"""

from __future__ import annotations

import contextlib
import os
import platform
import statistics
import timeit
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.process_collector import ProcessCollector

import rusage
from rusage.prometheus import UsageCollector

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client.registry import Collector

TURNS = 41
CALLS = 200


def ratio(ours: Callable[[], object], theirs: Callable[[], object]) -> tuple[float, float]:
    """Return the median ratio of two functions, and the median seconds of a call of the second."""
    rows = [
        (timeit.timeit(ours, number=CALLS), timeit.timeit(theirs, number=CALLS))
        for _ in range(TURNS)
    ]
    median = statistics.median(mine / other for mine, other in rows)
    return median, statistics.median(row[1] for row in rows) / CALLS


def scrape(collector: Collector) -> Callable[[], object]:
    """Return a function that makes the text of a scrape, with a collector alone in its registry."""
    registry = CollectorRegistry()
    registry.register(collector)
    return lambda: generate_latest(registry)


def rows(what: str, ours: Collector, theirs: Collector) -> None:
    """Print the two rows of a collector."""
    for name, result in (
        ("`collect()`", ratio(lambda: list(ours.collect()), lambda: list(theirs.collect()))),
        ("whole scrape", ratio(scrape(ours), scrape(theirs))),
    ):
        print(f"| {name}{what} | {result[0]:.2f} | {result[1] * 1e6:.0f} |")


def main() -> None:
    """Print the table."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}\n"
    )
    print("| Prometheus | to `ProcessCollector` | its microseconds |\n| --- | --- | --- |")
    theirs = ProcessCollector(registry=None)
    rows("", UsageCollector(), theirs)
    rows(", with the children", UsageCollector(children=True), theirs)
    with rusage.Process(os.getppid()) as parent:
        pid = parent.pid
        rows(
            ", another process",
            UsageCollector(parent),
            ProcessCollector(registry=None, pid=lambda: pid),
        )
    with contextlib.ExitStack() as files:
        for _ in range(100):
            files.enter_context(open(os.devnull, "rb"))
        rows(", 100 open files", UsageCollector(), theirs)


if __name__ == "__main__":
    main()
