"""Recipes of docs/ that need a server, a kernel, a cluster or a control group, with real ones."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from examples import blocks, file_name
from peaks import resets
from scenes import wait_until
from servers import (
    APPLICATION,
    config,
    example,
    exported,
    get,
    gunicorn,
    needs_gunicorn,
    reserved_port,
    running,
)

import rusage

DOCS = Path(__file__).parent.parent / "docs"
SERVICES = (DOCS / "services.md").read_text(encoding="utf-8")
no_sigterm = pytest.mark.skipif(sys.platform == "win32", reason="the server is ended by SIGTERM")


def files() -> dict[str, str]:
    return {name: block.text for block in blocks(SERVICES) if (name := file_name(block))}


def workers(port: int, number: int = 2, name: str = "process_resident_memory_bytes") -> set[str]:
    def found() -> set[str] | None:
        line = rf'^{name}\{{pid="(\d+)"\}} \d'
        pids = set(re.findall(line, get(port), re.MULTILINE))
        return pids if len(pids) == number else None

    pids: set[str] = wait_until(found, f"{number} workers", pause=0.1)
    return pids


# --- Workers of gunicorn ---


@needs_gunicorn
def test_gunicorn_example(tmp_path: Path) -> None:
    with exported(tmp_path, workers=2) as (port, page_faults):
        lower, exposition, upper = page_faults(2), get(port, "metrics"), page_faults(2)
    found = re.findall(r'(?m)^(process_\w+){pid="(\d+)".*} (\S+)$', exposition)
    assert len(lower) == 2
    for pid, faults in [each[1:] for each in found if each[0] == "process_minor_page_faults_total"]:
        assert lower[int(pid)] <= float(faults) <= upper[int(pid)]
    exported_names = {(name, int(pid)) for name, pid, _ in found}
    rules = [block.text for block in blocks(SERVICES) if block.kind == "yaml"]
    named = {"process_minor_page_faults_total", *re.findall(r"\w*process_\w+", " ".join(rules))}
    assert len(named) > 3
    assert {(name, pid) for name in named for pid in lower} <= exported_names


def masters_in(output: Path) -> list[int]:
    found = re.findall(r"\[(\d+)\] \[INFO\] Starting gunicorn", output.read_text())
    return [*map(int, found)]


@needs_gunicorn
@pytest.mark.thorough
@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL"])
def test_gunicorn_after_usr2(tmp_path: Path, end: str) -> None:
    """A new master beside the old one, which has the port, exports once that has gone."""
    pytest.importorskip("prometheus_client")
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    script = shutil.which("gunicorn", path=folders)
    if script is None:  # gunicorn starts the new master by it
        pytest.skip(reason="there is no program gunicorn in PATH")
    (tmp_path / "application.py").write_text(APPLICATION)
    with reserved_port() as application, reserved_port() as metrics:
        (tmp_path / "gunicorn.conf.py").write_text(example(metrics))
        program = [script, f"--bind=127.0.0.1:{application}", "application"]
        with running(["sh", "-c", 'exec "$@" 2>&1', "sh", *program], tmp_path) as output:
            masters = []
            try:
                first = workers(metrics, 1)
                masters = masters_in(output)
                os.kill(masters[0], signal.SIGUSR2)
                wait_until(lambda: "No metrics yet" in output.read_text(), "a message", pause=0.1)
                masters = masters_in(output)
                assert workers(metrics, 1) == first
                os.kill(masters[0], signal.Signals[end])
                wait_until(lambda: workers(metrics, 1) != first, "the new worker", pause=0.1)
            finally:
                for pid in masters[1:]:
                    os.kill(pid, signal.SIGTERM)


def test_recycled_once() -> None:
    lines: list[str] = []
    log = types.SimpleNamespace(info=lambda text, *values: lines.append(text % values))
    worker = types.SimpleNamespace(alive=True, log=log)
    recipe: dict[str, Any] = {}
    exec(config("services.md", r"# gunicorn.conf.py\n(.*?)```", "500 * 2**20", "0"), recipe)  # noqa: S102 (ours)
    for _ in range(2):
        recipe["post_request"](worker, None, None, None)
    assert len(lines) == 1
    assert not worker.alive


@needs_gunicorn
def test_gunicorn_recipe(tmp_path: Path) -> None:
    text = config("services.md", r"# gunicorn.conf.py\n(.*?)```", "500 * 2**20", "0")
    with gunicorn(tmp_path, text, workers=1) as page_faults:
        page_faults(3)


# --- Workers of uvicorn ---

# An application that can hold memory.
GROW = """
held = []


async def hello(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/grow":
        held.append(bytearray(b"x" * (64 << 20)))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


app = recycled(hello)
"""


@no_sigterm
@pytest.mark.skipif(
    sys.implementation.name == "pypy",
    reason="PyPy makes the listening socket blocking when a worker starts (PyPy's issue 3051): "
    "a worker can hang",
)
@pytest.mark.thorough
def test_uvicorn_workers(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    pytest.importorskip("uvicorn")
    small = files()["recycle.py"].replace("LIMIT = 500 *", "LIMIT = 100 *")
    (tmp_path / "app.py").write_text(small + GROW)
    with reserved_port() as application, reserved_port() as metrics:
        numbers = {"8000": str(application), "8001": str(metrics)}
        # 38001 is a port too.
        served = re.sub("8000|8001", lambda match: numbers[match[0]], files()["serve.py"])
        (tmp_path / "serve.py").write_text(served)
        # With other ports and a smaller limit.
        with running([sys.executable, "serve.py"], tmp_path):
            assert get(application) == "hello"
            first = workers(metrics)
            for _ in range(4):
                assert get(application, "grow") == "hello"
            wait_until(lambda: workers(metrics) != first, "another worker", pause=0.1)


# --- Requests ---

# Applications with the middleware of the recipe.
APPS = {
    "flask": "import flask\napp = flask.Flask(__name__)\n"
    "app.wsgi_app = request_usage.measured_wsgi(app.wsgi_app)\n",
    "fastapi": "import fastapi\napp = fastapi.FastAPI()\n"
    "app.add_middleware(request_usage.measured_asgi)\n",
}
PAGES = """
import threading, time

event = threading.Event()


@app.get("/")
def hello():
    return "hello"


@app.get("/work")
def work():
    block = b"x" * (64 << 20)
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        pass
    return "worked"


@app.get("/wait")
def wait():
    print("waiting", flush=True)
    event.wait()
    return "waited"


@app.get("/go")
def go():
    event.set()
    return "gone"
"""


@no_sigterm
@resets
@pytest.mark.parametrize("framework", ["flask", "fastapi"])
def test_requests(framework: str, tmp_path: Path) -> None:
    """A lone request has its own figures; of two at once, Flask's CPU times are still their own."""
    for module in (framework, "gunicorn" if framework == "flask" else "uvicorn"):
        pytest.importorskip(module)
    (tmp_path / "request_usage.py").write_text(files()["request_usage.py"])
    (tmp_path / "app.py").write_text("import request_usage\n" + APPS[framework] + PAGES)
    with reserved_port() as port:
        server = ["uvicorn", f"--port={port}"]
        if framework == "flask":
            server = ["gunicorn", f"--bind=127.0.0.1:{port}", "--threads=4"]
        program = [sys.executable, "-m", *server, "--log-level=error", "app:app"]
        with running(program, tmp_path) as output:
            assert "hello" in get(port)
            get(port, "work")
            waiting = threading.Thread(target=get, args=(port, "wait"))
            waiting.start()
            while "waiting" not in output.read_text():
                time.sleep(0.01)
            get(port, "work")
            get(port, "go")
            waiting.join()
    found = re.findall(r"^/(\w*): (\S+) s, (\S+) MiB (\w+)$", output.read_text(), re.MULTILINE)
    usages = {
        (path, kind): (float(cputime), float(growth)) for path, cputime, growth, kind in found
    }
    assert set(usages) >= {("", "alone"), ("work", "alone"), ("work", "shared"), ("wait", "shared")}
    assert usages["work", "alone"][0] >= 0.19
    assert usages["work", "alone"][1] >= 60 > usages["", "alone"][1]
    assert usages["wait", "shared"][1] >= 60
    assert (usages["wait", "shared"][0] >= 0.19) is (framework == "fastapi")


# --- A notebook, a container and a cluster ---

CELLS = [
    "block = bytearray(b'x') * (100 << 20); del block",
    "import asyncio\nawait asyncio.sleep(0)\n40 + 2",
    "1 / 0",
    "end = 1",
]


@resets
def test_notebook() -> None:
    reason = "nbclient and ipykernel are not installed"
    nbclient = pytest.importorskip("nbclient", reason=reason)
    nbformat = pytest.importorskip("nbformat", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    found = blocks((DOCS / "recipes.md").read_text(encoding="utf-8"))
    (first,) = [block.text for block in found if block.kind == "py"]
    cells = [nbformat.v4.new_code_cell(text) for text in [first, first, *CELLS]]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, allow_errors=True, kernel_name="python3").execute()
    growths: list[float] = []
    others: list[str] = []
    for cell in notebook.cells[2:]:
        printed = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        growths += map(float, re.findall(r"growth=(\S+) MiB", printed))
        others += [
            output.get("ename") or output.data["text/plain"]
            for output in cell.outputs
            if "text" not in output
        ]
    assert len(growths) == len(CELLS)
    assert growths[0] >= 95 > max(growths[1:])
    assert others == ["42", "ZeroDivisionError"]


FILES_OF_GROUPS = {
    ".": {
        "memory.current": "3145728",
        "memory.stat": "anon 1048576\nfile 2097152\npgfault 7",
    },
    "memory": {
        "memory.usage_in_bytes": "3145728",
        "memory.stat": "total_rss 1048576\ntotal_cache 2097152\npgfault 7",
    },
}
LIMITS_OF_GROUPS = {".": ("memory.max", "max"), "memory": ("memory.limit_in_bytes", 2**63 - 4096)}
SERVICE = "system.slice/x.service"


@pytest.mark.skipif(not hasattr(rusage, "pss"), reason="the system has no pss")
@pytest.mark.parametrize(
    ("own", "shown", "sizes"),
    [
        (".", ".", [4, 3, 1, 2]),
        (SERVICE, SERVICE, [4, 3, 1, 2]),
        (SERVICE, "system.slice", [4, 3, 1, 2]),
        (SERVICE, SERVICE, [3, 1, 2]),
    ],
    ids=["container", "service", "above", "unlimited"],
)
@pytest.mark.parametrize("version", FILES_OF_GROUPS)
def test_container(version: str, own: str, shown: str, sizes: list[int], tmp_path: Path) -> None:
    """A service sees the groups above its own; a container may see its own one at the top."""
    limit, unlimited = LIMITS_OF_GROUPS[version]
    group = tmp_path / version / shown
    for folder in [tmp_path / version / each for each in (".", Path(own).parent, own)]:
        folder.mkdir(exist_ok=True)
        for name, text in FILES_OF_GROUPS[version].items():
            (folder / name).write_text(text if folder == group else "7340032")
        mebibytes = 4 if folder == group else 8
        (folder / limit).write_text(str(mebibytes << 20 if 4 in sizes else unlimited))
    names = "9:cpu,cpuacct:/\n4:memory:" if version == "memory" else "0::"
    (tmp_path / "cgroup").write_text(f"{names}/{SERVICE}\n")
    program = files()["container.py"]
    for name, path in {
        "/sys/fs/cgroup": tmp_path,
        "/proc/self/cgroup": tmp_path / "cgroup",
    }.items():
        assert program.count(f'"{name}"') == 1
        program = program.replace(f'"{name}"', repr(str(path)))
    printed = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert printed.splitlines()[0] == str(group)
    rss, pss, *found = map(int, re.findall(r"(?m)^.* +(\d+) MiB$", printed))
    assert rss >= pss > 0
    assert found == sizes


@resets
def test_dask_cluster(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    (tmp_path / "cluster.py").write_text(files()["cluster.py"])
    done = subprocess.run(
        [sys.executable, "cluster.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True
    )
    (growth,) = re.findall(r"up to (\d+) MiB", done.stdout)
    assert 27 <= int(growth) <= 60
    assert len(re.findall(r"(?m)^tcp:.* peak \d+ MiB$", done.stdout)) == 2


RAISES = """

@app.task(name="raises")
def raises():
    1 / 0


with start_worker(app, perform_ping_check=False):
    raises.delay().get(timeout=60, propagate=False)
"""


def test_celery_task_that_raises(python: Callable[..., str]) -> None:
    pytest.importorskip("celery")
    found = [each.text for each in blocks(SERVICES)]
    (program,) = [text for text in found if text.startswith("import celery\n")]
    names = re.findall(
        r"(?m)^(\w+): <rusage.measure: .*peak_growth=\d", python("-c", program + RAISES)
    )
    assert names == ["fill", "raises"]
