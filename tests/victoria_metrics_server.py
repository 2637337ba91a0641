"""A real VictoriaMetrics server (Debian's package ``victoria-metrics``), which answers Prometheus' queries."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from prometheus_server import serving

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from prometheus_server import Server

PROGRAM = shutil.which("victoria-metrics")
needs_victoria_metrics = pytest.mark.skipif(
    PROGRAM is None, reason="there is no VictoriaMetrics server: apt-get install victoria-metrics"
)


def running(folder: Path, *options: str) -> AbstractContextManager[Server]:
    """Run a server; its files are in the folder."""
    assert PROGRAM is not None
    # By default a sample is visible after 30 seconds.
    command = [PROGRAM, "-search.latencyOffset=0s", "-inmemoryDataFlushInterval=1s"]
    command += [f"-storageDataPath={folder / 'data'}", "-httpListenAddr=127.0.0.1:0", *options]
    return serving(command, folder / "log", r"started server at http://([^/\s]+)/")
