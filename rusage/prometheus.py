"""A collector for prometheus_client: ``REGISTRY.register(UsageCollector())``.

It complements prometheus_client's ``ProcessCollector`` on every system: by user and system CPU
time, page faults, context switches of all threads, disk I/O and the peak of the resident set size,
and, where ``ProcessCollector`` does not export them, by the CPU time and the resident set size.
"""

from __future__ import annotations

import os
from collections.abc import Iterator  # noqa: TC003 (for typing.get_type_hints)

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ._backends import BACKEND
from ._backends._base import RUSAGE_CHILDREN, RUSAGE_SELF, SECTOR, SECTORS, TIMES
from ._fields import FIELDS, RUsage
from ._getrusage import getrusage, measured_for
from ._memory import read_peak, read_rss

TYPE_CHECKING = False

if TYPE_CHECKING or "Process" not in BACKEND.absent:
    from ._process import Process
else:
    Process = object  # for typing.get_type_hints

__all__ = ["UsageCollector"]

# The names of counters, their meanings, the fields by the value of the label "type", if they have
# that label, and the value of one unit of the fields.
COUNTERS = [
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
]


class UsageCollector:
    """Collect the resource usage of a process for a registry of prometheus_client.

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
    ``ProcessCollector``, in any order: what both would export is left out. A second
    ``UsageCollector``, and one for another process beside a ``ProcessCollector``, needs a
    ``namespace`` of its own: otherwise the default registry refuses the collector, and other
    registries show some metrics twice.
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
        self._counters = _Counters(prefix, own, total=not theirs)
        self._children = None
        if children and RUSAGE_CHILDREN in measured:
            whose = "children that have ended and been waited for: "
            self._children = _Counters(f"{prefix}children_", measured[RUSAGE_CHILDREN], whose)
        self._has_rss = not theirs and "rss" not in BACKEND.absent
        self._rss = f"{prefix}resident_memory_bytes", _text("resident set size")
        self._has_peak = "ru_maxrss" in own
        note = BACKEND.notes.get("ru_maxrss") if BACKEND.peak in ("", "ru_maxrss") else BACKEND.peak
        self._peak = f"{prefix}resident_memory_peak_bytes", _text(FIELDS["ru_maxrss"].meaning, note)

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without values: a registry refuses another collector of the same."""
        size, highest = 0 if self._has_rss else None, 0 if self._has_peak else None
        for metric in self._metrics(RUsage.zero, 0, size, highest):
            metric.samples.clear()
            yield metric

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with their present values."""
        try:
            if self._process is None:
                usage = getrusage(RUSAGE_SELF)
                cputime = usage.cputime
                size = read_rss() if self._has_rss else None
                highest = read_peak() if self._has_peak else None
            else:
                usage = self._process.getrusage()
                # The clock of cputime() may be finer than the two times, but must not fall behind
                # them.
                cputime = max(usage.cputime, self._process.cputime())
                size = self._process.rss() if self._has_rss else None
                highest = usage.ru_maxrss or None if self._has_peak else None
        except OSError:  # an exception would fail the whole page
            return
        yield from self._metrics(usage, cputime, size, highest)

    def _metrics(
        self,
        usage: RUsage,
        cputime: float,
        size: int | None,
        highest: int | None,
    ) -> Iterator[Metric]:
        yield from self._counters.families(usage, cputime)
        if size is not None:
            yield GaugeMetricFamily(*self._rss, size)
        if highest is not None:
            yield GaugeMetricFamily(*self._peak, highest)
        if self._children:
            children = getrusage(RUSAGE_CHILDREN)
            yield from self._children.families(children, children.cputime)


class _Counters:
    """The counters of one usage. Names and help texts are made only once: a scrape is faster."""

    def __init__(
        self, prefix: str, measured: frozenset[str], whose: str = "", *, total: bool = True
    ) -> None:
        # Skip notes on unmeasured fields: another process may have them.
        notes = {
            field: note
            for field, note in BACKEND.notes.items()
            if field in BACKEND.measured["RUSAGE_SELF"]
        }
        self._total = total and measured >= TIMES
        self._total_name = f"{prefix}cpu_seconds", _text(f"{whose}user and system CPU time used")
        self._rows = []
        for name, meaning, types, scale in COUNTERS:
            fields = {kind: field for kind, field in types.items() if field in measured}
            if fields and (scale != SECTOR or BACKEND.units.get("ru_inblock") == SECTORS):
                text = _text(whose + meaning, *map(notes.get, fields.values()))
                labels = ["type"] if any(fields) else []
                self._rows.append((f"{prefix}{name}", text, labels, fields, scale))

    def families(self, usage: RUsage, cputime: float) -> Iterator[Metric]:
        """Yield the counters with the values of a usage and its total CPU time."""
        if self._total:
            yield CounterMetricFamily(*self._total_name, cputime)
        for name, text, labels, fields, scale in self._rows:
            family = CounterMetricFamily(name, text, labels=labels)
            for kind, field in fields.items():
                family.add_metric([kind] if kind else [], getattr(usage, field) * scale)
            yield family


def _text(meaning: str, *notes: str | None) -> str:
    return "; ".join([meaning[0].upper() + meaning[1:], *filter(None, notes)]) + "."
