"""The C, and the script that builds it."""

import importlib
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import conftest
import expected
import pytest

import rusage

pytestmark = pytest.mark.system

BACKENDS = [*expected.BACKENDS, "unknown"]
ROOT = Path(__file__).parent.parent


def build_script() -> ModuleType:
    """Return the build script as a module, made anew."""
    pytest.importorskip("setuptools", reason="no setuptools: pip install --group tests")
    return expected.load("rusage_build", ROOT / "rusage_build.py")


def sources(build: ModuleType, backend: str) -> list[Path]:
    """Return the files of a platform's extension."""
    found: dict[Path, None] = {}

    def add(path: Path) -> None:
        for name in re.findall(build.INCLUDE, path.read_text(encoding="utf-8")):
            add((path.parent / name).resolve())
        found.setdefault(path)

    for path in build.DECLARATIONS, build.PACKAGE / "_backends" / f"{backend}.c":
        add(path)
    return list(found)


@pytest.fixture(scope="module")
def build() -> ModuleType:
    return build_script()


@pytest.mark.parametrize("backend", BACKENDS)
def test_c_has_what_the_backend_needs(build: ModuleType, backend: str) -> None:
    declared = build.declarations(backend)
    facts = importlib.import_module(f"rusage._backends.{backend}").BACKEND
    names = {path.name for path in sources(build, backend)}
    assert ("rusage_wait4(" in declared) == ("wait4" not in facts.absent)
    assert ("tree.h" in names) == ("Process" not in facts.absent)
    assert ("tree.c" in names) == ("Tree" not in facts.absent)
    assert ("rusage_become_reaper(" in declared) == facts.adopts_orphans
    assert ("rusage_statclock_hz(" in declared) == (facts.integral_bytes > 0)


def test_list_of_definitions_of_a_system() -> None:
    folders = [ROOT / "rusage" / name for name in ("_c", "_backends")]
    files = [path for folder in folders for path in folder.rglob("*.[ch]")]
    header = (folders[0] / "rusage.h").read_text(encoding="utf-8")
    comment = header.partition("*/")[0]
    code = "".join(path.read_text(encoding="utf-8") for path in files).replace(comment, "")
    listed = re.findall(r"(?m)^   (RUSAGE_\w+)  ", comment)
    assert sorted(listed) == sorted({*re.findall(r"(?m)^#ifn?def (RUSAGE_\w+)", code)})
    assert {*re.findall(r"\brusage_\w+", comment)} <= {*re.findall(r"\brusage_\w+", code)}


@pytest.mark.usefixtures("build")
def test_types_of_the_compiled_module() -> None:
    """``python tests/tools/compiled_types.py`` writes them."""
    import compiled_types

    assert compiled_types.STUB.read_text(encoding="utf-8") == compiled_types.stub()


def copy_source(folder: Path) -> None:
    built = [".git", ".tox", ".venv", ".*_cache", "build", "*.egg-info", "_build", "*.so"]
    built += ["launcher", "__pycache__"]
    shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(*built))


def call_build_script(function: str, folder: Path) -> None:
    pytest.importorskip("setuptools", reason="no setuptools: pip install --group tests")
    code = f"import sys; sys.path.insert(0, ''); import rusage_build; rusage_build.{function}"
    subprocess.run(
        [sys.executable, "-c", f"{code}({str(folder)!r})"],
        cwd=folder / "source",
        check=True,
        capture_output=True,
    )


@pytest.mark.usefixtures("build")
@pytest.mark.parametrize(
    "words", [[], ["build"], ["--platform", "linux"], ["--platform", "plan9", "x.c"]], ids=" ".join
)
def test_wrong_usage_of_the_build_script(words: list[str]) -> None:
    command = [sys.executable, str(ROOT / "rusage_build.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: pip install -e . ")


@pytest.mark.thorough
def test_build_in_the_source_tree(build: ModuleType, tmp_path: Path) -> None:
    copy_source(tmp_path)
    before = set(tmp_path.rglob("*"))
    try:
        call_build_script("build_editable", tmp_path)
    except subprocess.CalledProcessError:
        if shutil.which("cc") or shutil.which("gcc"):
            raise
        pytest.skip(reason="no C compiler: apt-get install gcc libc6-dev python3-dev")
    made = set((tmp_path / "source").rglob("*")) - before
    new = {path.relative_to(tmp_path / "source") for path in made}
    names = [
        path.name for path in new if path.parts[0] == "rusage" and "__pycache__" not in path.parts
    ]
    assert len(names) == (2 if build.THIS_BACKEND == "linux" else 1)
    assert ("launcher" in names) == (build.THIS_BACKEND == "linux")
    built = {"build", "rusage", "rusage.egg-info", "__pycache__"}
    assert {path.parts[0] for path in new} <= built
    subprocess.run(
        [sys.executable, "-c", "import rusage; rusage.maxrss()"],
        check=True,
        cwd=tmp_path / "source",
    )


def test_tests_refuse_an_old_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared by content: a checkout changes the times of files."""
    if Path(rusage.__file__).parent != ROOT / "rusage":
        pytest.skip(reason="the package was not built in the source tree")
    conftest.check_build()
    monkeypatch.setattr("conftest.binascii.crc32", lambda _: 1)
    with pytest.raises(pytest.UsageError, match="the C files have changed since the build"):
        conftest.check_build()


@pytest.mark.thorough
def test_sdist_is_complete(tmp_path: Path) -> None:
    copy_source(tmp_path)
    call_build_script("build_sdist", tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        packed = {name.partition("/")[2] for name in opened.getnames()}
    for folder, suffixes in {
        "rusage": {".c", ".h", ".cdef", ".py", ".pyi"},
        "tests": {".c", ".h", ".py"},
        "benchmarks": {".md", ".py"},
        "docs": {".1", ".css", ".json", ".md", ".py", ".svg"},
        ".github": {".md"},
    }.items():
        files = {
            path
            for path in (ROOT / folder).rglob("*")
            if path.suffix in suffixes and "_build" not in path.parts
        }
        files = {path for path in files if path.parent.name != "ISSUE_TEMPLATE"}
        assert {path.relative_to(ROOT).as_posix() for path in files} <= packed
    others = {"rusage_build.py", "tox.ini", "CHANGELOG.md", "LICENSE", "docs/completions/_rusage"}
    assert others <= packed
    assert not [name for name in packed if name.endswith((".so", ".pyc", "_rusage.c", "/launcher"))]


@pytest.mark.parametrize(
    ("interpreter", "tag"),
    [
        ("3.11", "cp311"),
        ("3.15", "cp311"),
        ("3.15d", ""),
        ("3.14t", ""),
        ("3.15t", "cp315"),
        ("3.15td", ""),
    ],
)
def test_stable_abi_of_each_build(
    interpreter: str, tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Free-threaded builds have a t, debug builds a d."""
    pytest.importorskip("setuptools", reason="no setuptools: pip install --group tests")
    from setuptools.command import bdist_wheel, build_ext  # noqa: F401 (they read the version too, so not later)

    monkeypatch.setattr("sysconfig.get_config_var", lambda _: int("t" in interpreter))
    monkeypatch.setattr(sys, "version_info", tuple(map(int, interpreter.rstrip("td").split("."))))
    monkeypatch.delattr(sys, "gettotalrefcount", raising=False)
    if "d" in interpreter:
        monkeypatch.setattr(sys, "gettotalrefcount", lambda: 0, raising=False)
    build = build_script()
    assert (build.STABLE_ABI if build.HAS_STABLE_ABI else "") == tag
    monkeypatch.setattr(bdist_wheel.bdist_wheel, "finalize_options", lambda _: None)
    wheel = object.__new__(build.bdist_wheel)
    wheel.finalize_options()
    assert getattr(wheel, "py_limited_api", "") == tag
