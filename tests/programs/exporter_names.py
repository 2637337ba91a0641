"""Print the names of the samples that a default registry exports with the collector."""

from prometheus_client import REGISTRY

from rusage.prometheus import UsageCollector

REGISTRY.register(UsageCollector())
print(*(sample.name for metric in REGISTRY.collect() for sample in metric.samples))
