"""A real Prometheus server (Debian's package ``prometheus``), for the tests that need one."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    PROMETHEUS is None or PROMTOOL is None, reason="there is no Prometheus server: apt-get install prometheus"
)
TIMEOUT = 120  # seconds; usually it takes less than one
# A proxy of the environment is not for loopback.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str) -> str:
    """Return what is at a URL."""
    with _opener.open(url, timeout=TIMEOUT) as response:
        text: str = response.read().decode()
    return text


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Yield the number of a port on which a server can listen. On Linux no program gets it that asks for any port."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            reserved.bind(("127.0.0.1", 0))
        except OSError as error:
            pytest.skip(reason=f"there is no loopback address: {error}")
        port: int = reserved.getsockname()[1]
        if sys.platform != "linux":  # the server could not have it too
            reserved.close()
        yield port


class Server:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, text: str) -> list[dict[str, Any]]:
        """Return the result of a PromQL query: an instant vector, as the HTTP API has it."""
        answer = json.loads(get(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': text})}"))
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def wait_for_scrape(self, series: str, after: float) -> None:
        """Wait until a series has a sample whose scrape began after a time."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            found = self.query(f"timestamp({series})")
            if found and float(found[0]["value"][1]) > after:
                return
            assert time.monotonic() < deadline, f"no scrape of {series}: {get(f'{self.url}/api/v1/targets')}"
            time.sleep(0.05)


@contextlib.contextmanager
def serving(command: Sequence[str], log: Path, ready: str) -> Iterator[Server]:
    """Run a server until the block ends, and wait until its log matches a pattern whose group is the address."""
    with (
        log.open("wb") as file,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file) as server,
    ):
        try:
            deadline = time.monotonic() + TIMEOUT
            found = None
            while found is None:
                ended = server.poll() is not None
                found = re.search(ready, log.read_text())
                assert found is not None or not ended, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield Server(f"http://{found[1]}")
        finally:
            server.kill()


def running(folder: Path, target: str | None, *options: str) -> AbstractContextManager[Server]:
    """Run a server that scrapes a target such as ``127.0.0.1:8000`` every 200 ms; its files are in the folder."""
    assert PROMETHEUS is not None
    config = folder / "prometheus.yml"
    targets = [] if target is None else [target]
    scrape = {"job_name": "test", "scrape_interval": "200ms", "static_configs": [{"targets": targets}]}
    config.write_text(json.dumps({"scrape_configs": [scrape]}))  # JSON is YAML
    command = [PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    command += ["--web.listen-address=127.0.0.1:0", *options]
    # The two lines have no order.
    return serving(command, folder / "log", r'(?s)(?=.*Server is ready).*msg="Listening on"[^\n]* address=(\S+)\n')
