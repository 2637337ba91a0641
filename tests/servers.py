"""Real servers, and what they serve: for the tests of recipes and of Prometheus."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scenes import wait_until

import rusage

ROOT = Path(__file__).parent.parent


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Yield the number of a port that, on Linux, no program gets that asks for any port."""
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


# A proxy of the environment is not for loopback.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(port: int, path: str = "") -> str:
    """Return a page of the server, which may still be starting."""

    def read() -> str | None:
        try:
            with OPENER.open(f"http://127.0.0.1:{port}/{path}", timeout=60) as page:
                return str(page.read().decode())
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
        except ConnectionError:
            pass
        return None

    return str(wait_until(read, f"a page at port {port}", pause=0.1))


@contextlib.contextmanager
def running(program: list[str], folder: Path) -> Iterator[Path]:
    """Run a server, and end it by SIGTERM; yield the file to which it prints."""
    output = folder / "output"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "HOME": str(folder)}
    with (
        output.open("wb") as file,
        subprocess.Popen(program, cwd=folder, env=environment, stdout=file) as process,
    ):
        try:
            yield output
        finally:
            process.send_signal(signal.SIGTERM)


# Each response is the process ID of the worker, and what the system says of its usage.
APPLICATION = """
import json, os, resource

def application(_, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([os.getpid(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt]).encode()]
"""
needs_gunicorn = pytest.mark.skipif(
    os.name != "posix" or not hasattr(rusage, "Process"),
    reason="gunicorn runs on Unix only; the system has no Process",
)


def config(page: str, pattern: str, old: str, new: str) -> str:
    (text,) = re.findall(pattern, (ROOT / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)
    assert text.count(old) == 1
    return str(text).replace(old, new)


@contextlib.contextmanager
def gunicorn(folder: Path, text: str, workers: int) -> Iterator[Callable[[int], dict[int, int]]]:
    """Run the application; yield a function: from a number of workers to their page faults."""
    pytest.importorskip("gunicorn", reason="no gunicorn: pip install --group monitoring")
    pytest.importorskip("prometheus_client")
    (folder / "gunicorn.conf.py").write_text(text)
    (folder / "application.py").write_text(APPLICATION)
    with reserved_port() as port:
        options = [f"--workers={workers}", f"--bind=127.0.0.1:{port}", "--log-level=error"]
        program = [sys.executable, "-m", "gunicorn", *options, "application:application"]
        with running(program, folder):

            def page_faults(number: int) -> dict[int, int]:
                found: dict[int, int] = {}
                while len(found) < number:
                    found.update([json.loads(get(port))])
                return found

            yield page_faults


def example(port: int) -> str:
    pattern = r"```python\n((?:(?!```).)*def when_ready.*?)```"
    return config("monitoring.md", pattern, "8001", str(port))


@contextlib.contextmanager
def exported(folder: Path, workers: int) -> Iterator[tuple[int, Callable[[int], dict[int, int]]]]:
    """Run the page's example; yield the port of its metrics, and what gunicorn() yields."""
    with reserved_port() as port, gunicorn(folder, example(port), workers) as page_faults:
        yield port, page_faults
