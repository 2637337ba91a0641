"""Metrics of this process for OpenTelemetry: ``rusage.opentelemetry.instrument()``.

Names, attributes and units follow the semantic conventions for processes, version 1.44. A metric
exists only if this system measures its field. ``docs/monitoring.md`` lists the metrics.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.metrics import MeterProvider, Observation, get_meter_provider

from . import __version__
from ._backends import BACKEND
from ._backends._base import BLOCKS, RUSAGE_SELF, SECTOR, SECTORS, SWITCHES
from ._getrusage import getrusage
from ._memory import read_peak, read_rss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.metrics import CallbackOptions

    _Observe = Callable[[], Iterable[Observation]]

__all__ = ["instrument", "uninstrument"]

_log = logging.getLogger(__name__)
# Returns the provider whose instruments report; None if the process is not instrumented.
_active: Callable[[], MeterProvider] | None = None


def instrument(meter_provider: MeterProvider | None = None) -> None:
    """Create the instruments in this provider, or in the global one, which may be set later.

    >>> rusage.opentelemetry.instrument()

    If the process is instrumented already, with this provider or another one, this logs a warning
    and does nothing.
    """
    global _active  # noqa: PLW0603 (of the process)
    if _active is not None:
        _log.warning("rusage is already instrumented")
        return
    given = get_meter_provider() if meter_provider is None else meter_provider
    # Until the global provider is set, get_meter_provider() returns a substitute. Its instruments
    # later move to the global provider.
    provider = get_meter_provider if given is get_meter_provider() else lambda: given

    # A provider keeps an asynchronous instrument and its callback forever, and ignores a second one
    # of that name.
    def observe_if_active(observe: _Observe, _: CallbackOptions) -> Iterable[Observation]:
        active = _active
        return observe() if active is not None and active() is provider() else ()

    meter = given.get_meter(__name__, __version__, "https://opentelemetry.io/schemas/1.44.0")
    for kind, name, unit, description, observe in _instruments():
        create = getattr(meter, f"create_observable_{kind}")
        create(name, [partial(observe_if_active, observe)], unit, description)
    _active = provider


def uninstrument() -> None:
    """Make the instruments report nothing; OpenTelemetry cannot remove them.

    >>> rusage.opentelemetry.uninstrument()

    ``instrument()`` may be called again, with the same or another provider. If the process is not
    instrumented, this logs a warning.
    """
    global _active  # noqa: PLW0603 (as above)
    if _active is None:
        _log.warning("rusage is not instrumented")
    _active = None


def _instruments() -> Iterator[tuple[str, str, str, str, _Observe]]:
    """Yield kind, name, unit, description by the conventions, and reader of each instrument."""
    names = BACKEND.measured["RUSAGE_SELF"]
    yield (
        "counter",
        "process.cpu.time",
        "s",
        "Total CPU seconds broken down by different CPU modes.",
        _observe_fields("cpu.mode", ru_utime="user", ru_stime="system"),
    )
    if "ru_minflt" in names:
        faults = _observe_fields("system.paging.fault.type", ru_minflt="minor", ru_majflt="major")
        if "ru_majflt" not in names:
            # ru_minflt counts all faults: the conventions have no attribute for the sum.
            faults = _observe_value(lambda: getrusage(RUSAGE_SELF).ru_minflt)
        yield (
            "counter",
            "process.paging.faults",
            "{fault}",
            "Number of page faults the process has made.",
            faults,
        )
    if names >= SWITCHES:
        yield (
            "counter",
            "process.context_switches",
            "{context_switch}",
            "Number of times the process has been context switched.",
            _observe_fields(
                "process.context_switch.type", ru_nvcsw="voluntary", ru_nivcsw="involuntary"
            ),
        )
    if names >= BLOCKS:
        factor, name, unit = 1, "process.disk.operations", "{operation}"
        description = "Number of disk operations performed by the process."
        if BACKEND.units.get("ru_inblock") == SECTORS:
            factor, name, unit = SECTOR, "process.disk.io", "By"
            description = "Disk bytes transferred."
        blocks = _observe_fields(
            "disk.io.direction", ru_inblock="read", ru_oublock="write", factor=factor
        )
        yield "counter", name, unit, description, blocks
    if "rss" not in BACKEND.absent:
        yield (
            "up_down_counter",
            "process.memory.usage",
            "By",
            "The amount of physical memory in use.",
            _observe_value(read_rss),
        )
    if "ru_maxrss" in names:
        name = "rusage.maxrss" if "peak" in BACKEND.absent else "rusage.peak"
        yield (
            "gauge",
            name,
            "By",
            "Maximum resident set size of the process.",
            _observe_value(read_peak),
        )


def _observe_fields(attribute: str, *, factor: int = 1, **values: str) -> _Observe:
    """Return a function that reads the named fields, each of which has its attribute's value."""

    def read() -> list[Observation]:
        usage = getrusage(RUSAGE_SELF)
        return [
            Observation(getattr(usage, field) * factor, {attribute: value})
            for field, value in values.items()
        ]

    return read


def _observe_value(read: Callable[[], float | None]) -> _Observe:
    """Return a function that reads one value, and observes nothing where it is None."""

    def observe() -> list[Observation]:
        value = read()
        return [] if value is None else [Observation(value)]

    return observe
