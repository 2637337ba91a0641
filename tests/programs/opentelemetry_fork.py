"""Print the CPU time and the uptime, or 0, that a child and its parent report after a fork."""

import os
import time

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, NumberDataPoint

import rusage.opentelemetry

reader = InMemoryMetricReader()
rusage.opentelemetry.instrument(MeterProvider([reader]))
while time.process_time() < 0.3:
    pass
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
data = reader.get_metrics_data()
assert data is not None
for name in "process.cpu.time", "process.uptime":
    values = [
        point.value
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
        if metric.name == name and isinstance(point, NumberDataPoint)
    ]
    print(sum(values))
