"""What ``import rusage`` brings, and where it can be imported."""

import importlib.util
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from expected import SYSTEMS, backend_on, load

import rusage
from rusage._backends._platforms import PLATFORMS, backend_name

HEAVY = (
    "subprocess",
    "dataclasses",
    "inspect",
    "argparse",
    "json",
    "ctypes",
    "asyncio",
    "cffi",
    "threading",
    "typing",
    "enum",
    "re",
    "warnings",
    "prometheus_client",
    "logging",
    "opentelemetry",
    "rusage._children.popen",
    "rusage._process",
)


def test_import_is_light(python: Callable[..., str]) -> None:
    """The import brings none of the modules that only one feature needs."""
    program = (
        "import sys; before = set(sys.modules); import rusage; "
        f"print(sorted(set({HEAVY!r}) & (set(sys.modules) - before)))"
    )
    assert python("-c", program).strip() == "[]"


def test_public_names() -> None:
    """``from rusage import *`` works, and names that the backend lacks do not exist."""
    from rusage._backends import BACKEND

    names: dict[str, object] = {}
    exec("from rusage import *", names)  # noqa: S102 (a star import is allowed at module level only)
    assert set(rusage.__all__) == names.keys() - {"__builtins__"}
    assert len(set(rusage.__all__)) == len(rusage.__all__)
    for name in BACKEND.absent:
        assert name not in rusage.__all__
        with pytest.raises(AttributeError, match=f"{BACKEND.name} has no {name}: "):
            getattr(rusage, name)
    with pytest.raises(AttributeError, match=r"has no attribute 'nonsense'"):
        rusage.nonsense  # type: ignore[attr-defined]  # noqa: B018 (the point)


def failed_import(folder: Path) -> str:
    """Return the last line on standard error of an import from a folder or a zip file, with no package installed."""
    command = [sys.executable, "-S", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); import rusage"]
    done = subprocess.run(command, cwd=folder.parent, check=False, text=True, capture_output=True)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_missing_extension_says_how_to_build(tmp_path: Path) -> None:
    """In a source tree that nothing was built in, although cffi is missing too."""
    copied = shutil.ignore_patterns("*.so", "*.pyd", "_launcher", "__pycache__")
    shutil.copytree(Path(rusage.__file__).parent, tmp_path / "rusage", ignore=copied)
    error = failed_import(tmp_path)
    assert error.startswith("ImportError: the extension module rusage._rusage is not built for this interpreter in ")
    assert "run 'python -m pip install -e .' in the source tree" in error


@pytest.mark.skipif(platform.python_implementation() == "PyPy", reason="PyPy has cffi built in")
def test_missing_cffi_is_named(tmp_path: Path) -> None:
    """With the extension in place the error is that of the module which is really missing."""
    shutil.copytree(Path(rusage.__file__).parent, tmp_path / "rusage")
    error = failed_import(tmp_path)
    # Python 3.15 adds advice.
    assert error.startswith("ModuleNotFoundError: No module named '_cffi_backend'")


def test_zip_file_is_no_place_to_import_from(tmp_path: Path) -> None:
    """An extension module cannot be loaded from a zip file, even if it is there; the README lists it as a limit."""
    shutil.copytree(Path(rusage.__file__).parent, tmp_path / "tree" / "rusage")
    archive = shutil.make_archive(str(tmp_path / "rusage"), "zip", tmp_path / "tree")
    assert failed_import(Path(archive)).startswith("ImportError: the extension module rusage._rusage is not built")


@pytest.mark.parametrize("prefix", PLATFORMS)
def test_names_for_type_checkers(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``rusage/_optional.py`` has for each platform the names of its backend."""
    backend = backend_on(backend_name(prefix), prefix, "99.0")
    monkeypatch.setattr(sys, "platform", prefix)
    seen = load("rusage._optional", Path(rusage.__file__).with_name("_optional.py")).__all__
    every = {"RUSAGE_BOTH", "RUSAGE_CHILDREN", "RUSAGE_THREAD", "Process", "from_native", "wait3", "wait4"}
    assert set(seen) == every - set(backend.absent)


@pytest.mark.parametrize("system", [system for system, row in SYSTEMS.items() if row.absent])
def test_missing_name_says_why(python: Callable[..., str], system: str) -> None:
    """A name that a system lacks does not exist there, and the AttributeError says why."""
    row = SYSTEMS[system]
    program = f"""
import collections, errno, operator, os, struct, sys, types
sys.platform, os.uname = {row.platform!r}, lambda: types.SimpleNamespace(release={row.release!r})
import rusage
for name in sorted(rusage._BACKEND.absent):
    assert name not in rusage.__all__
    try:
        getattr(rusage, name)
    except AttributeError as error:
        print(error.name, error)
"""
    expected = [f"{name} {row.name or system} has no {name}: {why}" for name, why in sorted(row.absent.items())]
    assert python("-c", program).splitlines() == expected


@pytest.mark.skipif(platform.python_implementation() == "PyPy", reason="PyPy has no subinterpreters")
def test_import_in_subinterpreters(python: Callable[..., str]) -> None:
    """In a subinterpreter that shares the GIL the calls work; one of its own refuses the import with an ImportError."""
    if importlib.util.find_spec("_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters") is None:
        pytest.skip(reason="this interpreter was built without subinterpreters")
    program = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
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
import rusage
if sys.version_info >= (3, 13):
    shared, own = interpreters.create("legacy"), interpreters.create("isolated")
elif sys.version_info >= (3, 12):
    shared, own = interpreters.create(isolated=False), interpreters.create(isolated=True)
else:
    shared, own = interpreters.create(), None
for interpreter in shared, own:
    if interpreter is not None:
        failed = interpreters.run_string(interpreter, code)
        assert not failed, failed
        interpreters.destroy(interpreter)
"""
    answers = python("-c", program).splitlines()
    expected = ["ImportError" if sysconfig.get_config_var("Py_GIL_DISABLED") else "works", "ImportError"]
    assert [answer.split()[0] for answer in answers] == expected[: 2 if sys.version_info >= (3, 12) else 1]


def test_dir_has_lazy_names(python: Callable[..., str]) -> None:
    """Completion in a shell finds them."""
    assert python("-c", "import rusage; print(set(rusage.__all__) - set(dir(rusage)))").strip() == "set()"


@pytest.mark.parametrize("first", ["", "import subprocess;"])
def test_lazy_names(first: str, python: Callable[..., str]) -> None:
    """They exist whether or not subprocess was imported before."""
    program = (
        f"{first}import rusage; import sys; before = 'subprocess' in sys.modules; "
        "from rusage import measure; from rusage import CompletedProcess, Popen, run; import subprocess; "
        "assert rusage.measure is measure and rusage.run is run; "
        "assert rusage.Popen is Popen and issubclass(Popen, subprocess.Popen); "
        "assert rusage.CompletedProcess is CompletedProcess; "
        "print(before, hasattr(rusage, 'nonsense'))"
    )
    assert python("-c", program).split() == [str(bool(first)), "False"]
