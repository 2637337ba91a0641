"""``rusage.opentelemetry`` into real servers: the names, units and figures are those that their queries return."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import prometheus_server
import pytest
import victoria_metrics_server
from conftest import PROGRAMS

import rusage
from rusage._backends import BACKEND

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prometheus_server import Server

MODULES = [
    "resource",
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.exporter.prometheus",
]
for module in MODULES:
    pytest.importorskip(module, reason=f"no {module}: pip install --group monitoring")

EXPORTER = [sys.executable, str(PROGRAMS / "opentelemetry_export.py")]
ENVIRONMENT = os.environ | {"no_proxy": "*"}

TIMES = ['process_cpu_time_seconds_total{cpu_mode="user"}', 'process_cpu_time_seconds_total{cpu_mode="system"}']
# The field and the factor with which ``resource`` has the same figure, and the unit that it must have on this system.
COUNTS = {
    'process_paging_faults_total{system_paging_fault_type="minor"}': ("ru_minflt", 1, "faults"),
    'process_paging_faults_total{system_paging_fault_type="major"}': ("ru_majflt", 1, "faults"),
    'process_context_switches_total{process_context_switch_type="voluntary"}': ("ru_nvcsw", 1, "switches"),
    'process_context_switches_total{process_context_switch_type="involuntary"}': ("ru_nivcsw", 1, "switches"),
    'process_disk_io_bytes_total{disk_io_direction="read"}': ("ru_inblock", 512, "512-byte units"),
    'process_disk_io_bytes_total{disk_io_direction="write"}': ("ru_oublock", 512, "512-byte units"),
    'process_disk_operations_total{disk_io_direction="read"}': ("ru_inblock", 1, "operations"),
    'process_disk_operations_total{disk_io_direction="write"}': ("ru_oublock", 1, "operations"),
}
COUNTS_HERE = {
    series: (field, factor)
    for series, (field, factor, unit) in COUNTS.items()
    if field in rusage.measured() and rusage.fields[field].unit == unit
}
UPTIME = ["process_uptime_seconds"] if BACKEND.uptime is not None else []
MEMORY = ["process_memory_usage_bytes"] if "rss" not in BACKEND.absent else []
PEAK_NAME = "rusage_maxrss_bytes" if "peak" in BACKEND.absent else "rusage_peak_bytes"
PEAK = [PEAK_NAME] if "ru_maxrss" in rusage.measured() else []


def answers(server: Server) -> dict[str, float]:
    """Return what a server has of each series, and fail if it has others."""
    found = {}
    for series in *TIMES, *COUNTS_HERE, *UPTIME, *MEMORY, *PEAK:
        server.wait_for_scrape(series, 0)
        (result,) = server.query(series)
        found[series] = float(result["value"][1])
    names = {result["metric"]["__name__"] for result in server.query('{__name__=~"(process|rusage)_.*"}')}
    assert names == {series.partition("{")[0] for series in found}
    return found


def check(found: dict[str, float], before: dict[str, Any], after: dict[str, Any], age: float) -> None:
    """Compare a server's answers with the figures of ``resource``, and with what the program has done."""
    total = sum(found[series] for series in TIMES)  # the split is sampled
    assert before["ru_utime"] + before["ru_stime"] - 2e-6 <= total <= after["ru_utime"] + after["ru_stime"] + 2e-6
    assert total >= 2
    for series, (field, factor) in COUNTS_HERE.items():
        assert before[field] * factor <= found[series] <= after[field] * factor, series
        assert field != "ru_nvcsw" or found[series] >= 1000
    for series in UPTIME:
        assert before["uptime"] <= found[series] <= age + 1 / os.sysconf("SC_CLK_TCK")
    for series in MEMORY:  # what it holds; PyPy may hold several times as much
        assert 200 * 2**20 < found[series] <= after["ru_maxrss"] * BACKEND.maxrss_bytes + 2**22
    for series in PEAK:
        # ru_maxrss may have an error, or include the peak of the process that started the program.
        assert 200 * 2**20 < found[series] <= after["ru_maxrss"] * BACKEND.maxrss_bytes + 2**22


@contextlib.contextmanager
def receiver(name: str, folder: Path) -> Iterator[tuple[Server, str]]:
    """Run a server; yield it and the URL of its OTLP receiver."""
    if name == "victoria-metrics":
        with victoria_metrics_server.running(folder, "-opentelemetry.usePrometheusNaming") as server:
            yield server, f"{server.url}/opentelemetry/v1/metrics"
        return
    known = subprocess.run([name, "--help"], check=True, capture_output=True, text=True).stdout
    enable = "--web.enable-otlp-receiver"
    if enable not in known:  # before Prometheus 3
        enable = "--enable-feature=otlp-write-receiver"
    path = "/api/v1/otlp/v1/metrics"
    with prometheus_server.running(folder, None, enable) as server:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
        with contextlib.closing(connection):
            connection.request("POST", path)
            if connection.getresponse().status == 404:
                pytest.skip(reason="this build of Prometheus has no OTLP receiver")
        yield server, server.url + path


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("prometheus", marks=prometheus_server.needs_prometheus),
        pytest.param("victoria-metrics", marks=victoria_metrics_server.needs_victoria_metrics),
    ],
)
def test_pushed_by_otlp(name: str, tmp_path: Path) -> None:
    """The server maps the names of the conventions, and has the figures of the time of the export."""
    with receiver(name, tmp_path) as (server, endpoint):
        started = time.monotonic()
        command = [*EXPORTER, "push", endpoint]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, cwd=tmp_path)
        age = time.monotonic() - started
        before, after = map(json.loads, done.stdout.splitlines())
        check(answers(server), before, after, age)


@pytest.mark.thorough
@prometheus_server.needs_prometheus
def test_scraped_by_prometheus(tmp_path: Path) -> None:
    """The exporter for Prometheus maps the names in the same way."""
    started = time.monotonic()
    pipe = subprocess.PIPE
    with subprocess.Popen([*EXPORTER, "serve"], stdin=pipe, stdout=pipe, text=True, cwd=tmp_path) as process:
        try:
            assert process.stdout is not None
            before = json.loads(process.stdout.readline())
            with prometheus_server.running(tmp_path, f"127.0.0.1:{before['port']}") as server:
                found = answers(server)
                age = time.monotonic() - started
            output, _ = process.communicate("\n")
        finally:
            process.kill()
    check(found, before, json.loads(output), age)
