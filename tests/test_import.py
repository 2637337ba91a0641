"""The names and modules that ``import rusage`` provides, and where it can be imported."""

import ast
import graphlib
import importlib.metadata
import importlib.util
import inspect
import os
import pydoc
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from expected import SYSTEMS

import rusage

HEAVY = [
    *("argparse", "asyncio", "cffi", "ctypes", "dataclasses", "enum", "importlib.metadata"),
    *("inspect", "json", "logging", "opentelemetry", "prometheus_client", "re", "subprocess"),
    *("threading", "typing", "warnings"),
    *("rusage._children.popen", "rusage._record", "signal"),
]


def test_import_is_light(python: Callable[..., str]) -> None:
    program = (
        "import sys; before = set(sys.modules); import rusage; "
        f"print(sorted(set({HEAVY!r}) & (set(sys.modules) - before)))"
    )
    assert python("-c", program).strip() == "[]"


# What `rusage true` imports of the package; what subprocess imports is in addition.
PLAIN_RUN = [
    *("_backends", "_calls", "_children", "_cli", "_fields", "_getrusage", "_launcher"),
    *("_measure", "_memory", "_process", "_rusage", "_subprocess", "_tree", "_units"),
    *("_children.inherited", "_children.popen", "_children.posix", "_children.rlimits"),
    "_children.windows",
    *("_cli.figures", "_cli.gnu", "_cli.main", "_cli.oom", "_cli.options", "_cli.output"),
    *("_cli.report", "_cli.run", "_launcher.start"),
]
RUN_PLAINLY = """
import contextlib, functools, gc, signal, struct, subprocess, sys
sys.modules.pop("re", None)  # locale imports it for subprocess
before = {*sys.modules}
from rusage._cli.main import main
main([sys.executable, "-c", ""])
assert not hasattr(gc, "freeze") or gc.get_freeze_count()  # less to do at the end
print(*{*sys.modules} - before)
"""


def test_plain_run_imports_little(python: Callable[..., str]) -> None:
    """The imports are most of what the command takes."""
    found = {*python("-c", RUN_PLAINLY).split()}
    ours = {name for name in found if name.startswith("rusage.")}
    backends = {name for name in ours if name.startswith(("rusage._backends.", "rusage._rusage."))}
    assert ours - backends <= {f"rusage.{name}" for name in PLAIN_RUN}
    public = {name for name in found - ours if not name.startswith("_")}
    assert public <= {"rusage", "mmap", "resource", "cpyext"}  # the last one is PyPy's


def imports_of(path: Path) -> set[Path]:
    """Return what a file imports of the package, but the package itself, which does so late."""
    places = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1] / (node.module or "").replace(".", "/")
            places |= {folder, *(folder / alias.name for alias in node.names)}
    return {place.with_suffix(".py") for place in places if place.with_suffix(".py").is_file()}


def test_no_circle_of_imports() -> None:
    package = Path(rusage.__file__).parent
    graph = {path: imports_of(path) for path in package.rglob("*.py")}
    assert sum(map(len, graph.values())) > len(graph)
    assert [*graphlib.TopologicalSorter(graph).static_order()]


NAMES = """
import sys, rusage
from rusage import *
assert "asyncio" not in sys.modules
assert {*rusage.__all__} <= globals().keys()
assert dir(rusage) == sorted([*rusage.__all__, "asyncio"]) == sorted({*dir(rusage)})
import subprocess
assert rusage.Popen is Popen and issubclass(Popen, subprocess.Popen) and rusage.run is run
try:
    rusage.nonsense
except AttributeError as error:
    print(error)
async def main():
    done = await rusage.asyncio.run([sys.executable, "-c", "print(5)"], capture_output=True)
    return done.stdout
import asyncio
assert rusage.asyncio is not asyncio
assert asyncio.run(main()).split() == [b"5"]
"""


def test_public_names(python: Callable[..., str]) -> None:
    assert python("-c", NAMES) == "module 'rusage' has no attribute 'nonsense'\n"
    assert rusage.__version__ == importlib.metadata.version("rusage")


def test_help() -> None:
    assert "_read" not in pydoc.render_doc(rusage.measure)
    for name in {"Process", "Tree"} & {*rusage.__all__}:
        for method, function in vars(getattr(rusage, name)).items():
            if not method.startswith("_") and callable(function) and method != "close":
                assert re.search(r"[Rr]aises", str(function.__doc__)), (name, method)


def test_signature_of_popen() -> None:
    class Other(rusage.Popen[bytes]):
        def __init__(self, number: int) -> None:
            pass

    theirs = inspect.signature(subprocess.Popen).parameters
    assert [*inspect.signature(rusage.Popen).parameters] == [*theirs, "rlimits"]
    assert [*inspect.signature(Other).parameters] == ["number"]


EXTRAS = """
import sys, rusage
name, package = sys.argv[1:]
assert f"rusage.{name}" not in sys.modules
assert getattr(rusage, name) is sys.modules[f"rusage.{name}"]
del sys.modules[f"rusage.{name}"]
delattr(rusage, name)
for module in list(sys.modules):
    if module.split(".")[0] == package:
        sys.modules[module] = None
try:
    getattr(rusage, name)
except AttributeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "package"), [("prometheus", "prometheus_client"), ("opentelemetry", "opentelemetry")]
)
def test_module_of_extra(python: Callable[..., str], name: str, package: str) -> None:
    pytest.importorskip(package)
    error = f"module 'rusage' has no attribute {name!r} without {package}"
    found = python("-c", EXTRAS, name, package)
    assert found.startswith(error)
    assert found.endswith(f": pip install 'rusage[{name}]'\n")


@pytest.mark.skipif(
    "rusage._rusage" in sys.builtin_module_names,
    reason="the extension is a part of this interpreter",
)
def test_errors_of_the_import(tmp_path: Path) -> None:
    def error_in(path: Path | str) -> str:
        code = f"import sys; sys.path.insert(0, {str(path)!r}); import rusage"
        command = [sys.executable, "-S", "-c", code]  # -S: cffi is missing too
        done = subprocess.run(command, cwd=tmp_path, check=False, text=True, capture_output=True)
        return done.stderr.splitlines()[-1]

    not_built = tmp_path / "not built"
    built = shutil.ignore_patterns("*.so", "*.pyd", "launcher", "__pycache__")
    shutil.copytree(Path(rusage.__file__).parent, not_built / "rusage", ignore=built)
    error = error_in(not_built)
    assert error.startswith(
        "ImportError: the extension module rusage._rusage is not built for this interpreter in "
    )
    assert "run 'python -m pip install -e .' in the source tree" in error
    archive = shutil.make_archive(str(tmp_path / "app"), "zip", not_built)
    assert "cannot be imported from a zip file" in error_in(archive)


@pytest.mark.parametrize("system", ["Windows", "DragonFly BSD"])
def test_missing_name_says_why(python: Callable[..., str], system: str) -> None:
    row = SYSTEMS[system]
    program = f"""
import collections, errno, operator, os, struct, sys, types
sys.platform, os.uname = {row.platform!r}, lambda: types.SimpleNamespace(release={row.release!r})
import rusage
for name in {row.lacks!r}:
    assert name not in [*rusage.__all__, *dir(rusage)]
    try:
        getattr(rusage, name)
    except AttributeError as error:
        print(error.name, error)
"""
    expected = [f"{name} {system} has no {name}: {row.backend.absent[name]}" for name in row.lacks]
    assert python("-c", program).splitlines() == expected


@pytest.mark.skipif(
    sys.version_info < (3, 13),
    reason="earlier ones have the module of subinterpreters by other names",
)
def test_import_in_subinterpreters(python: Callable[..., str]) -> None:
    if importlib.util.find_spec("_interpreters") is None:
        pytest.skip(reason="this interpreter was built without subinterpreters")
    program = """
import _interpreters as interpreters
import rusage

code = '''
try:
    import rusage
except ImportError as error:
    print("ImportError", error, flush=True)
else:
    for _ in range(100):
        assert rusage.getrusage(rusage.RUSAGE_SELF).ru_utime >= 0
    print("works", flush=True)
'''
for interpreter in interpreters.create("legacy"), interpreters.create("isolated"):
    failed = interpreters.run_string(interpreter, code)
    assert not failed, failed
    interpreters.destroy(interpreter)
"""
    shared, own = [answer.split()[0] for answer in python("-c", program).splitlines()]
    assert shared == ("ImportError" if sysconfig.get_config_var("Py_GIL_DISABLED") else "works")
    assert own == "ImportError"


# Starts children in each way, waits for them in each way, and reads a process if that is possible.
USE_EVERYTHING = """
import asyncio, contextlib, os, subprocess, sys
import rusage
from rusage import Popen, run
from rusage.asyncio import run as run_async

Process, record = getattr(rusage, "Process", None), getattr(rusage, "record", None)
python = sys.executable
# What Python itself imports at first use, whatever starts the child.
asyncio.run(asyncio.sleep(0))
streams = {"capture_output": True, "text": True, "input": "x", "timeout": 60}
subprocess.run([python, "-c", ""], **streams, check=True)
names = []
sys.meta_path.insert(0, type("Recorder", (), {"find_spec": lambda name, *_: names.append(name)}))
if os.name == "posix":  # the event loop of Windows connects two sockets of its own
    sys.addaudithook(lambda event, _: names.append(event) if event == "socket.connect" else None)
ways = [{}, {"close_fds": False}, streams]
for keywords in [*ways, {"preexec_fn": os.getpid} if os.name == "posix" else {}]:
    run([python, "-c", ""], **keywords, check=True)
if os.name == "nt" or os.path.exists("/bin/sh"):
    run("exit 0", shell=True)
for command, error in (
    (["/no/such/program"], FileNotFoundError),
    ([python, "-c", "raise SystemExit(5)"], subprocess.CalledProcessError),
    ([python, "-c", "import time; time.sleep(60)"], subprocess.TimeoutExpired),
):
    with contextlib.suppress(error):
        run(command, check=True, timeout=0.1 if "sleep" in command[-1] else None)
with Popen([python, "-c", ""]) as child:
    while child.poll() is None:
        pass
asyncio.run(run_async([python, "-c", ""]))
if Process is not None:
    with Process(os.getpid()) as this:
        this.getrusage(), this.cputime()
    with record(interval=0.001) as recording:
        while len(recording.samples) < 3:
            pass
print(names)
"""


def test_names_need_no_later_import(python: Callable[..., str]) -> None:
    """A daemon may then change its root directory or its user."""
    assert python("-c", USE_EVERYTHING) == "[]\n"


# Looks the names up in another root directory, which has a folder in the place of the package.
IN_ANOTHER_ROOT = """
import os, sys
import rusage

root, *names = sys.argv[1:]
with rusage.measure() as measured:
    pass
os.chroot(root)
os.chdir("/")
sys.path.insert(0, "/")
print(measured)
for module in "inspect", "typing":
    sys.modules.pop(module, None)
for use in (
    *(lambda name=name: getattr(rusage, name) for name in names),
    lambda: rusage.measure()(print),
):
    try:
        use()
    except ImportError as error:
        print(error)
assert not hasattr(rusage, "nonsense")
"""


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0,
    reason="only root may change its root directory: run it as root",
)
def test_first_use_in_another_root(python: Callable[..., str], tmp_path: Path) -> None:
    package = Path(rusage.__file__).parent
    folder = tmp_path / package.relative_to("/")
    shutil.copytree(package, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in *folder.rglob("*.py"), tmp_path / "inspect.py":
        file.write_text("raise SystemExit('a module of the new root directory was executed')")
    lazy = ["run", "Popen", "CompletedProcess", "asyncio", "record"]
    names = [name for name in lazy if hasattr(rusage, name)]
    first, *lines = python("-c", IN_ANOTHER_ROOT, str(tmp_path), *names).splitlines()
    assert "cputime" in first
    statements = [*(f"from rusage import {name}" for name in names), "import inspect"]
    for line, statement in zip(lines, statements, strict=True):
        assert line.endswith(f"use '{statement}'")


FORK_DURING_IMPORT = """
import os, signal, sys, threading, time, warnings
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_loader
import rusage

class Slow(SourceFileLoader):
    def exec_module(self, module):
        began.set()
        fork() if sys.argv[1] == "same thread" else time.sleep(0.3)
        super().exec_module(module)

class Finder:
    def find_spec(self, name, path, target=None):
        if name == "rusage._threads":  # rusage._record needs it
            return spec_from_loader(name, Slow(name, os.path.join(path[0], "_threads.py")))

def use():
    name = rusage.record.__name__
    os.write(1, f"{name}\\n".encode())  # a whole line: both processes print

def fork():
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with several threads
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        return True
    os.write(1, f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\\n".encode())

began = threading.Event()
sys.meta_path.insert(0, Finder())
if sys.argv[1] == "same thread":
    use()
else:
    thread = threading.Thread(target=use)
    thread.start()
    began.wait()
    if fork():
        use()
        os._exit(0)
    thread.join()
thread = threading.Thread(target=lambda: rusage.run)
thread.start()
thread.join(20)
assert not thread.is_alive()
"""


@pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="this system has no fork")
@pytest.mark.skipif(not hasattr(rusage, "record"), reason="this system has no record")
@pytest.mark.parametrize("where", ["same thread", "another thread"])
def test_fork_during_an_import(where: str, python: Callable[..., str]) -> None:
    """The child waits for no import of a thread that it does not have, nor for the lock."""
    printed = python("-c", FORK_DURING_IMPORT, where).splitlines()
    assert sorted(printed) == ["0", "record", "record"]


@pytest.mark.skipif(os.name == "nt", reason="files in use cannot be removed")
@pytest.mark.parametrize(
    "options",
    [
        *([], ["-v"], ["--json"], ["--export", "x.md"], ["-n", "2"], ["-n", "2", "--json"]),
        *(["--limit-cputime", "100"], ["--against", "base.json", "--limit-cputime", "+9%"]),
    ],
    ids=str,
)
def test_program_that_removes_the_package(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    no_cache = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(rusage.__file__).parent, "rusage", ignore=no_cache)
    command = [sys.executable, "-P", "-m", "rusage"]
    subprocess.run([*command, "--json", "-o", "base.json", "true"], check=True)
    program = "import shutil, sys; shutil.rmtree('rusage'); sys.exit(3)"
    words = [*command, *options, sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)
