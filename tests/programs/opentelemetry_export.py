"""Use resources, and export the metrics: ``python opentelemetry_export.py push URL`` or ``... serve``.

Prints two lines of JSON with the figures of ``resource``, before and after the metrics are read; the first one has the
port that is served. Serves until it can read a line.
"""

import json
import os
import resource
import sys
import tempfile
import threading
import time

import prometheus_client
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

import rusage.opentelemetry

started = time.monotonic()


def report(**more: int) -> None:
    """Print the figures now."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    fields = {name: getattr(usage, name) for name in dir(usage) if name.startswith("ru_")}
    print(json.dumps({"uptime": time.monotonic() - started, **fields, **more}), flush=True)


def sleep() -> None:
    """Switch 250 times."""
    for _ in range(250):
        time.sleep(0.0001)


threads = [threading.Thread(target=sleep) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
memory = bytearray(200 * 2**20)
for page in range(0, len(memory), 4096):
    memory[page] = 1
with tempfile.TemporaryFile(dir=".") as file:
    file.write(bytes(2**20))
    os.fsync(file.fileno())
while time.process_time() < 2:
    pass

if sys.argv[1] == "push":
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(sys.argv[2]), export_interval_millis=10**9)
    provider = MeterProvider([reader], shutdown_on_exit=False)  # one export only
    rusage.opentelemetry.instrument(provider)
    report()
    assert provider.force_flush()
else:
    # Its names begin with "process" too.
    prometheus_client.REGISTRY.unregister(prometheus_client.PROCESS_COLLECTOR)
    server, _ = prometheus_client.start_http_server(0, "127.0.0.1")
    rusage.opentelemetry.instrument(MeterProvider([PrometheusMetricReader()]))
    report(port=server.server_port)
    sys.stdin.readline()
report()
