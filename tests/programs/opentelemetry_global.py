"""Instrument the global provider: ``python opentelemetry_global.py WHEN``.

It is set ``before`` instrument() or ``after`` it, or after instrument(get_meter_provider()) (``substitute``).
"""

import sys

from opentelemetry.metrics import get_meter_provider, set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from rusage.opentelemetry import instrument, uninstrument

reader = InMemoryMetricReader()
provider = MeterProvider([reader])


def points(reader: InMemoryMetricReader = reader) -> int:
    """Return the number of data points of the CPU time."""
    data = reader.get_metrics_data()
    metrics = [
        metric
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
    return sum(len(metric.data.data_points) for metric in metrics if metric.name == "process.cpu.time")


when = sys.argv[1]
if when == "before":
    set_meter_provider(provider)
# Until it is set, get_meter_provider() returns a substitute.
instrument(get_meter_provider() if when == "substitute" else None)
if when != "before":
    assert points() == 0
    uninstrument()
    instrument()
    set_meter_provider(provider)
assert points() == 2

for given in (None, provider, get_meter_provider(), None):
    uninstrument()
    assert points() == 0
    instrument(given)
    assert points() == 2

# Another one, and back.
other = InMemoryMetricReader()
uninstrument()
instrument(MeterProvider([other]))
assert points() == 0
assert points(other) == 2
uninstrument()
instrument()
assert points() == 2
assert points(other) == 0
print("done")
