"""A collector for prometheus_client: ``REGISTRY.register(UsageCollector())``.

It adds to prometheus_client's ``ProcessCollector`` what getrusage(2) measures, on every system: user and system CPU
time, page faults, context switches of all threads, disk I/O and the peak of the resident set size.
"""

from __future__ import annotations

import os
from collections.abc import Iterator  # noqa: TC003 (for typing.get_type_hints)

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ._backends import BACKEND
from ._backends._base import BLOCKS, RUSAGE_CHILDREN, RUSAGE_SELF, SECTORS, TIMES
from ._fields import FIELDS, RUsage
from ._getrusage import getrusage, measured_for
from ._status import high_water_mark

TYPE_CHECKING = False

if TYPE_CHECKING or "Process" not in BACKEND.absent:
    from ._process import Process
else:
    Process = object  # for typing.get_type_hints

__all__ = ["UsageCollector"]

SECTOR = 512  # bytes

# Counters of one field: their names, meanings, fields, and the value of one unit of the field.
COUNTERS = (
    ("cpu_user_seconds", FIELDS["ru_utime"].meaning, "ru_utime", 1),
    ("cpu_system_seconds", FIELDS["ru_stime"].meaning, "ru_stime", 1),
    ("minor_page_faults", FIELDS["ru_minflt"].meaning, "ru_minflt", 1),
    ("major_page_faults", FIELDS["ru_majflt"].meaning, "ru_majflt", 1),
    ("disk_read_bytes", "bytes read from block devices", "ru_inblock", SECTOR),
    ("disk_written_bytes", "bytes written to block devices", "ru_oublock", SECTOR),
)
SWITCHES = {"voluntary": "ru_nvcsw", "involuntary": "ru_nivcsw"}


class UsageCollector:
    """Collect the resource usage of a process for a registry of prometheus_client.

    Without a ``process`` it is that of the process that answers the scrape: after a fork, the child's. The metrics are

    - ``process_cpu_user_seconds_total`` and ``process_cpu_system_seconds_total``;
    - ``process_cpu_seconds_total``, where there is no ``/proc/stat``: elsewhere ``ProcessCollector`` exports it;
    - ``process_minor_page_faults_total`` and ``process_major_page_faults_total``;
    - ``process_context_switches_total`` with the label ``type``: ``voluntary`` or ``involuntary``;
    - ``process_disk_read_bytes_total`` and ``process_disk_written_bytes_total`` on systems that count 512-byte units;
    - ``process_resident_memory_peak_bytes``: on Linux, VmHWM in ``/proc/PID/status``, which unlike ``ru_maxrss`` does
      not include the peak of the process before exec.

    Only those that the system measures are exported; their help texts describe them on this system. With a
    ``namespace`` they are named ``NAMESPACE_process_...``. With ``children=True``, all but the peak are also exported
    for ``RUSAGE_CHILDREN``, as ``process_children_...``, on systems that have it.

    Of another ``process``, a ``rusage.Process``, those are exported that its ``measured`` names. Once it has ended, or
    its reading is no longer permitted, there are none. If it has been closed, a scrape raises ``ValueError``. Its
    children are not available: ``children=True`` raises ``ValueError``.

    The collector can be registered beside a ``ProcessCollector``, in any order. A registry refuses a second
    ``UsageCollector`` unless it has another ``namespace``.
    """

    def __init__(self, process: Process | None = None, *, namespace: str = "", children: bool = False) -> None:
        if process is not None and children:
            raise ValueError("the usage of another process's children is not available")
        prefix = f"{namespace}_process_" if namespace else "process_"
        measured = measured_for(BACKEND)
        own = measured[RUSAGE_SELF] if process is None else process.measured
        self._process = process
        self._counters = _Counters(prefix, own)
        self._children = None
        if children and RUSAGE_CHILDREN in measured:
            whose = "children that have ended and been waited for: "
            self._children = _Counters(f"{prefix}children_", measured[RUSAGE_CHILDREN], whose)
        self._has_peak = "ru_maxrss" in own
        note = "VmHWM in /proc/PID/status" if BACKEND.peak_file else BACKEND.notes.get("ru_maxrss")
        self._peak = f"{prefix}resident_memory_peak_bytes", _text(FIELDS["ru_maxrss"].meaning, note)

    def describe(self) -> Iterator[Metric]:
        """Yield the metrics without values: a registry refuses a second collector of the same metrics."""
        for metric in self._metrics(RUsage.zero, 0, RUsage.zero):
            metric.samples.clear()
            yield metric

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics with their present values."""
        if self._process is None:
            usage = getrusage(RUSAGE_SELF)
            peak = high_water_mark(BACKEND.peak_file) if BACKEND.peak_file else usage.ru_maxrss
        else:
            try:
                usage = self._process.getrusage()
            except (ProcessLookupError, PermissionError):
                return
            peak = usage.ru_maxrss
        yield from self._metrics(usage, peak or None, getrusage(RUSAGE_CHILDREN) if self._children else RUsage.zero)

    def _metrics(self, usage: RUsage, peak: int | None, children: RUsage) -> Iterator[Metric]:
        yield from self._counters.families(usage)
        if self._has_peak and peak is not None:  # None: /proc is missing, or the kernel has not yet taken a sample
            yield GaugeMetricFamily(*self._peak, peak)
        if self._children:
            yield from self._children.families(children)


class _Counters:
    """The counters of one usage. Names and help texts are made once: a scrape takes less time."""

    def __init__(self, prefix: str, measured: frozenset[str], whose: str = "") -> None:
        # The other notes explain why a field is not measured of this process. Of another one it may be.
        notes = {field: note for field, note in BACKEND.notes.items() if field in BACKEND.measured["RUSAGE_SELF"]}
        self._total = measured >= TIMES and not os.path.exists("/proc/stat")
        self._total_name = f"{prefix}cpu_seconds", _text(f"{whose}user and system CPU time used")
        self._fields = [
            (f"{prefix}{name}", _text(whose + meaning, notes.get(field)), field, scale)
            for name, meaning, field, scale in COUNTERS
            if field in measured and (field not in BLOCKS or BACKEND.units.get(field) == SECTORS)
        ]
        self._switches = {kind: field for kind, field in SWITCHES.items() if field in measured}
        text = _text(f"{whose}context switches", *map(notes.get, self._switches.values()))
        self._switches_name = f"{prefix}context_switches", text

    def families(self, usage: RUsage) -> Iterator[Metric]:
        """Yield the counters with the values of a usage."""
        if self._total:
            yield CounterMetricFamily(*self._total_name, usage.ru_utime + usage.ru_stime)
        for name, text, field, scale in self._fields:
            yield CounterMetricFamily(name, text, getattr(usage, field) * scale)
        if self._switches:
            family = CounterMetricFamily(*self._switches_name, labels=["type"])
            for kind, field in self._switches.items():
                family.add_metric([kind], getattr(usage, field))
            yield family


def _text(meaning: str, *notes: str | None) -> str:
    return "; ".join([meaning[0].upper() + meaning[1:], *filter(None, notes)]) + "."
