"""Metrics of this process for OpenTelemetry: ``rusage.opentelemetry.instrument()``.

Names, attributes and units are those of the semantic conventions for processes, version 1.44. There are only metrics of
fields that this system measures:

============================ ==================== ==================================================================
``process.cpu.time``         ``s``                by ``cpu.mode``: user, system
``process.paging.faults``    ``{fault}``          by ``system.paging.fault.type``: minor, major; without it where the
                                                  system has a single total
``process.context_switches`` ``{context_switch}`` by ``process.context_switch.type``: voluntary, involuntary
``process.disk.io``          ``By``               by ``disk.io.direction``: read, write; where the system counts
                                                  512-byte units
``process.disk.operations``  ``{operation}``      by ``disk.io.direction``: read, write; where it counts operations
``process.uptime``           ``s``                since the process was started; on Linux
``rusage.maxrss``            ``By``               maximum resident set size, which the conventions lack; on Linux that
                                                  of the program itself: VmHWM
============================ ==================== ==================================================================
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.metrics import MeterProvider, Observation, get_meter_provider

from ._backends import BACKEND
from ._backends._base import BLOCKS, RUSAGE_SELF, SECTORS, SWITCHES
from ._getrusage import getrusage
from ._status import high_water_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.metrics import CallbackOptions

    Observe = Callable[[], Iterable[Observation]]
    Instrument = tuple[str, str, str, Observe]  # name, unit, description and what it reports

__all__ = ["instrument", "uninstrument"]

_log = logging.getLogger(__name__)
# Returns the provider whose instruments report; None if there is none.
_active: Callable[[], MeterProvider] | None = None


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Create the instruments in this provider, or in the global one, which may be set later.

    If the process is instrumented already, with this provider or another one, this logs a warning and does nothing.
    """
    global _active  # noqa: PLW0603 (of the process)
    if _active is not None:
        _log.warning("rusage is already instrumented")
        return
    given = get_meter_provider() if meter_provider is None else meter_provider
    # Until the global provider is set, get_meter_provider() returns a substitute, whose instruments then move to it.
    provider = get_meter_provider if given is get_meter_provider() else lambda: given

    def callbacks(observe: Observe) -> list[Callable[[CallbackOptions], Iterable[Observation]]]:
        # A provider keeps an asynchronous instrument and its callback forever, and ignores another one of its name.
        def callback(_: CallbackOptions) -> Iterable[Observation]:
            active = _active
            return observe() if active is not None and active() is provider() else ()

        return [callback]

    meter = given.get_meter(__name__, _version(), "https://opentelemetry.io/schemas/1.44.0")
    for name, unit, description, observe in _counters():
        meter.create_observable_counter(name, callbacks(observe), unit, description)
    for name, unit, description, observe in _gauges():
        meter.create_observable_gauge(name, callbacks(observe), unit, description)
    _active = provider


def uninstrument() -> None:
    """Make the instruments report nothing; OpenTelemetry cannot remove them.

    ``instrument()`` may be called again, with the same or another provider. If the process is not instrumented, this
    logs a warning.
    """
    global _active  # noqa: PLW0603 (as above)
    if _active is None:
        _log.warning("rusage is not instrumented")
    _active = None


def _version() -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 (slow, and only needed here)

    try:
        return version("rusage")
    except PackageNotFoundError:  # in a bundle without metadata
        return None


def _counters() -> Iterator[Instrument]:
    """Yield the counters of this system, with the descriptions of the conventions."""
    names = BACKEND.measured["RUSAGE_SELF"]
    cpu_time = _reader("cpu.mode", ru_utime="user", ru_stime="system")
    yield "process.cpu.time", "s", "Total CPU seconds broken down by different CPU modes.", cpu_time
    if "ru_minflt" in names:
        faults = _reader("system.paging.fault.type", ru_minflt="minor", ru_majflt="major")
        if "ru_majflt" not in names:
            faults = _read_all_faults
        yield "process.paging.faults", "{fault}", "Number of page faults the process has made.", faults
    if names >= SWITCHES:
        switches = _reader("process.context_switch.type", ru_nvcsw="voluntary", ru_nivcsw="involuntary")
        description = "Number of times the process has been context switched."
        yield "process.context_switches", "{context_switch}", description, switches
    if names >= BLOCKS and BACKEND.units.get("ru_inblock") == SECTORS:
        transferred = _reader("disk.io.direction", ru_inblock="read", ru_oublock="write", factor=512)
        yield "process.disk.io", "By", "Disk bytes transferred.", transferred
    elif names >= BLOCKS:
        operations = _reader("disk.io.direction", ru_inblock="read", ru_oublock="write")
        description = "Number of disk operations performed by the process."
        yield "process.disk.operations", "{operation}", description, operations


def _gauges() -> Iterator[Instrument]:
    """Yield the gauges of this system."""
    uptime = BACKEND.uptime
    if uptime is not None:
        yield "process.uptime", "s", "The time the process has been running.", lambda: [Observation(uptime())]
    if "ru_maxrss" in BACKEND.measured["RUSAGE_SELF"]:
        yield "rusage.maxrss", "By", "Maximum resident set size of the process.", _read_peak


def _reader(attribute: str, *, factor: int = 1, **values: str) -> Observe:
    """Return a function that reads the named fields, each of which has its value of an attribute."""

    def read() -> list[Observation]:
        usage = getrusage(RUSAGE_SELF)
        return [Observation(getattr(usage, field) * factor, {attribute: value}) for field, value in values.items()]

    return read


def _read_all_faults() -> list[Observation]:
    """Read ``ru_minflt`` where it is the sum: the conventions have it without the attribute."""
    return [Observation(getrusage(RUSAGE_SELF).ru_minflt)]


def _read_peak() -> list[Observation]:
    peak = high_water_mark(BACKEND.peak_file) if BACKEND.peak_file else getrusage(RUSAGE_SELF).ru_maxrss
    return [Observation(peak)] if peak else []  # 0: not measured yet; None: after chroot(2), for example
