"""Print ``rusage.maxrss()`` and the metric ``rusage.peak``."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

import rusage.opentelemetry

reader = InMemoryMetricReader()
rusage.opentelemetry.instrument(MeterProvider([reader]))
data = reader.get_metrics_data()
assert data is not None
(peak,) = (
    point.value
    for metric in data.resource_metrics[0].scope_metrics[0].metrics
    for point in metric.data.data_points
    if metric.name == "rusage.peak" and isinstance(point, NumberDataPoint)
)
print(rusage.maxrss(), peak)
