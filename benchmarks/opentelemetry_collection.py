"""Time ``rusage.opentelemetry``: ``tox -e bench``.

The times are ratios to contrib's ``SystemMetricsInstrumentor``. Both are timed in turn, in one run.
A ratio is the median over all turns.
"""

from __future__ import annotations

import platform
import statistics
import subprocess
import sys
import timeit
from typing import TYPE_CHECKING

from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import rusage.opentelemetry

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 41
CALLS = 100
MODULES = "rusage.opentelemetry", "opentelemetry.instrumentation.system_metrics"
IMPORT = (
    "import sys, time; s = time.perf_counter(); "
    "__import__(sys.argv[1]); print(time.perf_counter() - s)"
)

# Metrics that both have, and then all of contrib's that describe one process.
BOTH: dict[str, list[str] | None] = {
    "process.cpu.time": ["user", "system"],
    "process.context_switches": ["voluntary", "involuntary"],
    "process.disk.io": ["read", "write"],
}
PROCESS = BOTH | {
    "process.cpu.utilization": ["user", "system"],
    "process.memory.usage": None,
    "process.memory.virtual": None,
    "process.open_file_descriptor.count": None,
    "process.thread.count": None,
}


def import_seconds(module: str) -> float:
    """Return how long an import takes in a fresh interpreter."""
    # Another directory: with -c, Python imports from the current directory first.
    command = [sys.executable, "-c", IMPORT, module]
    return float(subprocess.run(command, cwd=sys.prefix, capture_output=True, check=True).stdout)


def collected(instrument: Callable[[MeterProvider], object]) -> tuple[Callable[[], object], int]:
    """Return a function that collects the metrics of a new provider, and how many values it has."""
    reader = InMemoryMetricReader()
    instrument(MeterProvider([reader]))
    data = reader.get_metrics_data()
    scopes = data.resource_metrics[0].scope_metrics if data is not None else []
    values = sum(len(metric.data.data_points) for scope in scopes for metric in scope.metrics)
    return reader.get_metrics_data, values


def contrib(config: dict[str, list[str] | None]) -> Callable[[MeterProvider], object]:
    """Return a function that instruments a provider with some metrics of contrib."""

    def instrument(provider: MeterProvider) -> None:
        instrumentor = SystemMetricsInstrumentor(config=config)
        instrumentor.instrument(meter_provider=provider)
        instrumentor.uninstrument()  # its instruments stay; without this, there cannot be others

    return instrument


def row(what: str, rows: list[tuple[float, ...]], column: int) -> None:
    """Print the ratio of the first column to another one, and the seconds of both."""
    ratio = statistics.median(row[0] / row[column] for row in rows)
    ours, theirs = (statistics.median(row[at] for row in rows) * 1e3 for at in (0, column))
    print(f"| {what} | {ratio:.2f} | {ours:.2f} | {theirs:.2f} |")


def main() -> None:
    """Print the table."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}\n"
    )
    print(
        "| OpenTelemetry | to `SystemMetricsInstrumentor` | ms | its ms |\n"
        "| --- | --- | --- | --- |"
    )
    row("import", [tuple(map(import_seconds, MODULES)) for _ in range(11)], 1)
    cases = [
        collected(rusage.opentelemetry.instrument),
        collected(contrib(BOTH)),
        collected(contrib(PROCESS)),
    ]
    functions, values = zip(*cases, strict=True)
    rows = [tuple(timeit.timeit(f, number=CALLS) / CALLS for f in functions) for _ in range(TURNS)]
    for column in (1, 2):
        row(f"a collection: {values[0]} values, to {values[column]} of contrib's", rows, column)


if __name__ == "__main__":
    main()
