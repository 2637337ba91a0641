"""Collectors for prometheus_client: ``REGISTRY.register(UsageCollector())``.

They complement prometheus_client's ``ProcessCollector`` on every system: by user and system CPU
time, page faults, context switches of all threads, disk I/O and the peak of the resident set size,
and, where it does not export them, by the CPU time and the resident set size.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator  # noqa: TC003 (for typing.get_type_hints)
from operator import index

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

import rusage

from ._backends import BACKEND
from ._backends._base import RUSAGE_CHILDREN, RUSAGE_SELF, SECTOR, SECTORS, TIMES
from ._calls import measured_for
from ._fields import FIELDS, RUsage
from ._getrusage import getrusage
from ._memory import read_peak, read_rss

TYPE_CHECKING = False

if TYPE_CHECKING:
    _Family = type[CounterMetricFamily | GaugeMetricFamily]
    _Others = dict[str, float | None]
    """Values beside a usage, also instead of its fields; None for one that is unknown."""

if TYPE_CHECKING or "Process" not in BACKEND.absent:
    from ._process import Process
else:
    Process = object  # for typing.get_type_hints

__all__ = ["UsageCollector", "WorkersCollector"]

# The name of a metric, its meaning, the fields by the value of the label "type" ("": no label), and
# the value of one unit of the fields. "cputime" and "rss" are no fields.
METRICS: dict[_Family, list[tuple[str, str, dict[str, str], int]]] = {
    CounterMetricFamily: [
        ("cpu_seconds", "user and system CPU time used", {"": "cputime"}, 1),
        ("cpu_user_seconds", FIELDS["ru_utime"].meaning, {"": "ru_utime"}, 1),
        ("cpu_system_seconds", FIELDS["ru_stime"].meaning, {"": "ru_stime"}, 1),
        ("minor_page_faults", FIELDS["ru_minflt"].meaning, {"": "ru_minflt"}, 1),
        ("major_page_faults", FIELDS["ru_majflt"].meaning, {"": "ru_majflt"}, 1),
        ("disk_read_bytes", "bytes read from block devices", {"": "ru_inblock"}, SECTOR),
        ("disk_written_bytes", "bytes written to block devices", {"": "ru_oublock"}, SECTOR),
        (
            "context_switches",
            "context switches",
            {"voluntary": "ru_nvcsw", "involuntary": "ru_nivcsw"},
            1,
        ),
    ],
    GaugeMetricFamily: [
        ("resident_memory_bytes", "resident set size", {"": "rss"}, 1),
        ("resident_memory_peak_bytes", FIELDS["ru_maxrss"].meaning, {"": "ru_maxrss"}, 1),
    ],
}


class UsageCollector:
    """Collect the resource usage of a process for a registry of prometheus_client.

    >>> prometheus_client.REGISTRY.register(rusage.prometheus.UsageCollector())

    Without a ``process``, it collects the usage of the process that answers the scrape: after a
    fork, the child's. ``docs/monitoring.md`` lists the metrics.

    Only metrics that the system measures are exported; their help texts describe them on this
    system. With a ``namespace`` they are named ``NAMESPACE_process_...``. With ``children=True``,
    the counters are also exported for ``RUSAGE_CHILDREN``, as ``process_children_...``, on systems
    that have it.

    For another ``process``, a ``rusage.Process``, only the fields in ``process.measured`` are
    exported; nothing if a reading raises ``OSError``. If the ``Process`` has been closed, a scrape
    raises ``ValueError``. ``children=True`` raises ``ValueError``, since the children of another
    process are not available.

    For this process, without a ``namespace``, the collector can be registered beside a
    ``ProcessCollector``, in any order: what both would export is left out. Any other collector of
    the same metrics needs a ``namespace`` of its own: otherwise the default registry refuses it,
    and other registries show some metrics twice.
    """

    def __init__(
        self, process: Process | None = None, *, namespace: str = "", children: bool = False
    ) -> None:
        if process is not None and children:
            raise ValueError("the usage of another process's children is not available")
        prefix = f"{namespace}_process_" if namespace else "process_"
        measured = measured_for(BACKEND)
        own = measured[RUSAGE_SELF] if process is None else process.measured
        self._process = process
        # What ProcessCollector exports.
        theirs = process is None and not namespace and os.path.exists("/proc/stat")
        if not theirs:
            own |= {"cputime", "rss"} - BACKEND.absent.keys()
        self._has_rss = "rss" in own
        self._own = _Metrics(prefix, own)
        self._children = None
        if children and RUSAGE_CHILDREN in measured:
            whose = "children that have ended and been waited for: "
            counters = measured[RUSAGE_CHILDREN] - {"ru_maxrss"} | {"cputime"}
            self._children = _Metrics(f"{prefix}children_", counters, whose)

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without values: a registry refuses another collector of the same."""
        yield from self._own.describe()
        if self._children:
            yield from self._children.describe()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with their present values."""
        try:
            reading = self._read_own() if self._process is None else _read_process(self._process)
        except OSError:  # an exception would fail the whole page
            return
        yield from self._own.collect([([], *reading)])
        if self._children:
            yield from self._children.collect([([], getrusage(RUSAGE_CHILDREN), {})])

    def _read_own(self) -> tuple[RUsage, _Others]:
        usage = getrusage(RUSAGE_SELF)
        others: _Others = {}
        if self._has_rss:
            others["rss"] = read_rss()
        others["ru_maxrss"] = read_peak()
        return usage, others


def _read_process(process: Process) -> tuple[RUsage, _Others]:
    usage = process.getrusage()
    return usage, {
        **dict.fromkeys(BACKEND.process - process.measured),
        # The clock of cputime() may be finer than the two times, but must not fall behind them.
        "cputime": max(usage.cputime, process.cputime()) if process.measured >= TIMES else None,
        "rss": process.rss(),
        "ru_maxrss": usage.ru_maxrss or None,
    }


class WorkersCollector:
    """Collect the resource usage of several processes, such as a server's workers.

    >>> workers = rusage.prometheus.WorkersCollector(lambda: [4711, 4712], namespace="app")
    >>> prometheus_client.REGISTRY.register(workers)

    Each scrape calls ``pids`` for their process IDs. It exports each as a ``UsageCollector`` of
    another process does, with the label ``pid``, once if an ID is there twice. What cannot be read
    is left out: a process that has ended, or a number that is no process ID. If ``pids`` raises an
    exception, the first one is logged, and the metrics are left out.
    """

    def __init__(self, pids: Callable[[], Iterable[int]], *, namespace: str = "") -> None:
        self._open = rusage.Process  # an AttributeError where it is absent
        if not callable(pids):
            raise TypeError(f"pids must be a function that returns process IDs, not {pids!r}")
        self._pids = pids
        self._has_failed = False
        prefix = f"{namespace}_process_" if namespace else "process_"
        measured = BACKEND.process | {"cputime", "rss"} - BACKEND.absent.keys()
        self._metrics = _Metrics(prefix, measured, label="pid")

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without values."""
        yield from self._metrics.describe()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with their present values."""
        try:
            pids = dict.fromkeys(map(index, self._pids()))
        except Exception:  # it would fail the whole page
            if not self._has_failed:
                self._has_failed = True
                logging.getLogger(__name__).exception("no metrics of workers: pids() has failed")
            return
        readings: list[tuple[list[str], RUsage, _Others]] = []
        for pid in pids:
            # The last two: no process ID.
            with (
                contextlib.suppress(OSError, ValueError, OverflowError),
                self._open(pid) as process,
            ):
                readings.append(([str(pid)], *_read_process(process)))
        yield from self._metrics.collect(readings)


class _Metrics:
    """Metrics of usages, which have different values of a label if there is one.

    Names and help texts are made once, which makes a scrape faster.
    """

    def __init__(
        self, prefix: str, measured: frozenset[str], whose: str = "", label: str = ""
    ) -> None:
        # Skip notes on unmeasured fields: another process may have them.
        notes = {
            field: note
            for field, note in BACKEND.notes.items()
            if field in BACKEND.measured["RUSAGE_SELF"]
        }
        if BACKEND.peak not in ("", "ru_maxrss"):
            notes["ru_maxrss"] = BACKEND.peak
        if not measured >= TIMES:
            measured -= {"cputime"}
        self._rows = []
        for family, metrics in METRICS.items():
            for name, meaning, types, scale in metrics:
                fields = {kind: field for kind, field in types.items() if field in measured}
                has_unit = scale != SECTOR or BACKEND.units.get("ru_inblock") == SECTORS
                if fields and has_unit:
                    text = _text(whose + meaning, *map(notes.get, fields.values()))
                    labels = [*(["type"] if any(fields) else []), *([label] if label else [])]
                    values = [([kind] if kind else [], field) for kind, field in fields.items()]
                    self._rows.append((family, f"{prefix}{name}", text, labels, values, scale))

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without values."""
        for family, name, text, labels, _, _ in self._rows:
            yield family(name, text, labels=labels)

    def collect(self, readings: Iterable[tuple[list[str], RUsage, _Others]]) -> Iterator[Metric]:
        """Yield the metrics with the known values of readings, each with the label's value."""
        for family, name, text, labels, values, scale in self._rows:
            metric = family(name, text, labels=labels)
            for whose, usage, others in readings:
                for kind, field in values:
                    value = others[field] if field in others else getattr(usage, field)
                    if value is not None:
                        metric.add_metric(kind + whose, value * scale)
            if metric.samples:
                yield metric


def _text(meaning: str, *notes: str | None) -> str:
    return "; ".join([meaning[0].upper() + meaning[1:], *filter(None, notes)]) + "."
