"""The recipes for uvicorn, with the real server: the page's files, with other ports and a smaller limit."""

import os
import re
import runpy
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_server import reserved_port

pytest.importorskip("prometheus_client", reason="prometheus_client is not installed")
pytest.importorskip("uvicorn", reason="uvicorn is not installed")
if sys.platform == "win32":
    pytest.skip("the recipe ends workers by SIGTERM", allow_module_level=True)

ROOT = Path(__file__).parent.parent
# Makes the application of the recipe hold memory.
GROW = """
held = []
hello_only = hello


async def hello(scope, receive, send):
    if scope["path"] == "/grow":
        held.append(bytearray(b"x" * (64 << 20)))
    await hello_only(scope, receive, send)


app = Recycle(hello)
"""


def get(port: int, path: str = "") -> str:
    """Return a page of the server, which may still be starting."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=60) as page:
                return str(page.read().decode())
        except ConnectionError:
            pass
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionError):
                raise
        time.sleep(0.1)
    raise TimeoutError


def workers(port: int, number: int) -> set[str]:
    """Wait until the metrics are those of so many workers; return their process IDs."""
    found: set[str] = set()
    for _ in range(600):
        found = set(re.findall(r'^worker_process_resident_memory_bytes\{pid="(\d+)"\} \d', get(port), re.MULTILINE))
        if len(found) == number:
            return found
        time.sleep(0.1)
    raise TimeoutError(found)


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Run the recipes' server; return the ports of the application and of the metrics."""
    blocks = runpy.run_path(str(ROOT / "tests" / "programs" / "examples.py"))["blocks"]
    files = {}
    for block in blocks((ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")):
        caption, _, text = block.text.partition("\n")
        if block.kind == "{code-block} python":
            files[caption.removeprefix(":caption: ")] = text
    small = files["app.py"].replace("LIMIT = 500 *", "LIMIT = 100 *")
    (tmp_path / "app.py").write_text(small + GROW)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with reserved_port() as application, reserved_port() as metrics:
        numbers = {"8000": str(application), "8001": str(metrics)}
        served = re.sub("8000|8001", lambda match: numbers[match[0]], files["serve.py"])  # 38001 is a port too
        (tmp_path / "serve.py").write_text(served)
        with subprocess.Popen([sys.executable, "serve.py"], cwd=tmp_path, env=environment) as process:
            try:
                yield application, metrics
            finally:
                process.send_signal(signal.SIGTERM)


@pytest.mark.skipif(
    sys.implementation.name == "pypy",
    reason="PyPy makes the listening socket blocking when a worker starts (PyPy's issue 3051): a worker can hang",
)
def test_uvicorn_workers(ports: tuple[int, int]) -> None:
    """Each worker has its series; one that has grown is replaced, and no request fails."""
    application, metrics = ports
    assert get(application) == "hello"
    first = workers(metrics, 2)
    for _ in range(4):
        assert get(application, "grow") == "hello"
    for _ in range(600):
        if workers(metrics, 2) != first:
            return
        time.sleep(0.1)
    pytest.fail("no worker was replaced")
