"""The checks: ``.ci/run``, and the programs in tests/tools that run the suite elsewhere."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import commands
import pytest
from conftest import needs_sh

import rusage

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent
needs_ci = pytest.mark.skipif(
    not (ROOT / ".ci").exists() or not shutil.which("bash") or not shutil.which("flock"),
    reason="the sdist has no .ci, or this system lacks bash(1) or flock(1)",
)


@needs_sh
def test_crash_of_one_of_several_commands() -> None:
    shell = [("0", "exit 0"), ("-11", "kill -SEGV $$"), ("1", "exit 1")]
    status = commands.run_all((name, ["sh", "-c", script]) for name, script in shell)
    assert status == -signal.SIGSEGV
    assert commands.run_all([("0", ["sh", "-c", "exit 0"])]) == 0


def run_pytest(*words: str, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run pytest in the current directory with the suite's conftest.py, and a path before it."""
    package = Path(rusage.__file__).parent.parent  # it may be the tree's, and not installed
    paths = [str(each) for each in (path, Path(__file__).parent, package) if each]
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:rusage", *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


ATTEMPTS = """
import os, subprocess, sys

def first(name):
    try:
        return os.mkdir(name) is None
    except FileExistsError:
        return False

def test_chance():
    assert not first("chance")

def test_child(python):
    python("-c", "import os; os.abort()" if first("child") else "")

def test_checked_child():
    if first("checked child"):
        subprocess.run([sys.executable, "-c", "import os; os.abort()"], check=True)

def test_worker():
    if first("worker"):
        os.abort()

def test_after():
    pass
"""


@needs_ci
@pytest.mark.thorough
def test_second_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test may fail by chance, but no process may crash."""
    for plugin in "xdist", "pytest_rerunfailures":
        pytest.importorskip(plugin, reason=f"{plugin} is not installed")
    monkeypatch.chdir(tmp_path)
    Path("test_it.py").write_text(ATTEMPTS)
    options = re.findall(
        r'(?m)^PYTEST_ADDOPTS\+?="(.*)"$', (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    )
    done = run_pytest("-rA", "-n", "1", *shlex.split(" ".join(options)))
    seen = re.findall(r"(?m)^(PASSED|FAILED) test_it.py::test_(\w+)", done.stdout)
    expected = {
        ("PASSED", "chance"),
        *(("FAILED", name) for name in ("child", "checked_child", "worker")),
    }
    assert {*seen} == expected, done.stdout
    assert "worker 'gw0' crashed" in done.stdout
    assert done.returncode == pytest.ExitCode.INTERRUPTED


def test_installed_copy_that_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tests would say nothing of the source tree."""
    monkeypatch.chdir(tmp_path)
    package, no_cache = Path(rusage.__file__).parent, shutil.ignore_patterns("__pycache__")
    copy = Path(shutil.copytree(package, tmp_path / "site" / "rusage", ignore=no_cache))
    with (copy / "_units.py").open("a") as file:
        file.write("# changed\n")
    changed = run_pytest("test_it.py", path=copy.parent)
    assert changed.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{copy} differs from {ROOT / 'rusage'}" in changed.stderr


THOROUGH = """
import pytest

@pytest.mark.thorough
def test_long():
    pass

def test_short():
    pass
"""


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        (["test_it.py", "-m", "not other"], ["short"]),
        (["test_it.py", "-m", "thorough"], ["long"]),
        (["test_it.py::test_long"], ["long"]),
    ],
)
def test_thorough_tests_that_run(
    words: list[str], passed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("test_it.py").write_text(THOROUGH)
    Path("pytest.ini").write_text("[pytest]\nmarkers = thorough")
    done = run_pytest("-rA", *words)
    assert re.findall(r"(?m)^PASSED test_it.py::test_(\w+)", done.stdout) == passed, done


PARTS = [
    ("7 8", "echo 7 passed, 90 skipped; echo 8 passed", "0"),
    ("", ":", "0"),
    ("7", "echo 7 passed; kill -SEGV $$", "139"),
    ("7 8", "echo 8 passed; echo 7 passed", "0 and 7 passed instead of at least 8"),
    (
        "7 8",
        "echo 9 passed",
        "0 and 1 runs of the suite instead of 2 and 0 passed instead of at least 8",
    ),
]


@needs_ci
@pytest.mark.parametrize(("least", "command", "status"), PARTS)
def test_least_number_of_tests(least: str, command: str, status: str, tmp_path: Path) -> None:
    script = 'set -euo pipefail; logs=$1; . "$0"; part "$2" name sh -c "$3"'
    words = ["bash", "-c", script, str(ROOT / ".ci" / "part"), str(tmp_path), least, command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert f"\n== name: exit status {status} after " in done.stdout, done.stderr
    assert (tmp_path / "succeeded").exists() == (status == "0")


@pytest.mark.skipif(
    not (ROOT / ".pre-commit-config.yaml").exists(), reason="the sdist has no hooks"
)
def test_hooks_of_a_commit() -> None:
    hooks, tox = (
        (ROOT / name).read_text(encoding="utf-8") for name in (".pre-commit-config.yaml", "tox.ini")
    )
    packages = re.findall(r"_dependencies: \[(.*)\]", hooks)
    assert len(packages) == hooks.count("- id: ") == 4
    assert all(f"\n    {package}\n" in tox for package in packages)
    (spelling,) = re.findall("entry: (codespell .*)", hooks)
    formats = "ruff check", "ruff format", "python tests/tools/c_format.py"
    for command in *formats, f"    {spelling} .":
        assert command in tox
