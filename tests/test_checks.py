"""The checks themselves: ``.ci/run``, and the programs in tests/tools that run the suite elsewhere."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bare
import interpreters
import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent
needs_ci = pytest.mark.skipif(
    not (ROOT / ".ci").exists() or not shutil.which("bash") or not shutil.which("flock"),
    reason="the sdist has no .ci, or this system lacks bash(1) or flock(1)",
)


def test_crash_of_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status of a program that a signal has killed is negative."""
    statuses = iter([0, -11, 0, 0, 0, 0, 0, 1, 1])
    monkeypatch.setattr(bare, "paste", lambda *_, **__: next(statuses))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert bare.paste_all(dict.fromkeys(["clone", "sdist", "tests"], Path()), readme) == -11
    assert [*statuses] == []


def test_crash_of_an_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    statuses = iter([-6, 0, 0])
    done: Any = lambda *_, **__: SimpleNamespace(returncode=next(statuses))  # noqa: E731
    monkeypatch.setattr(interpreters, "subprocess", SimpleNamespace(run=done, DEVNULL=None))
    for name in "make_root", "run":
        monkeypatch.setattr(interpreters, name, lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["interpreters.py", str(tmp_path / "new")])
    assert interpreters.main() == -6
    assert [*statuses] == []


ATTEMPTS = """
import os, subprocess, sys
from pathlib import Path

def first(name):
    try:
        return Path(name).mkdir() is None
    except FileExistsError:
        return False

def test_chance():
    assert not first("chance")

def test_child(python):
    python("-c", "import os; os.abort()" if first("child") else "")

def test_checked_child():
    if first("checked child"):
        subprocess.run([sys.executable, "-c", "import os; os.abort()"], check=True)
"""
CRASH = """
def test_worker():
    if first("worker"):
        os.abort()

def test_after():
    pass
"""


@needs_ci
def test_second_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the options of .ci/run a test may fail by chance, but no process may crash.

    A crash of pytest's own worker ends the run, and is named.
    """
    for plugin in "xdist", "pytest_rerunfailures":
        pytest.importorskip(plugin, reason=f"{plugin} is not installed")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # for its conftest.py
    text = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    options = shlex.split(" ".join(re.findall(r'(?m)^PYTEST_ADDOPTS\+?="(.*)"$', text)))
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "conftest", "-p", "no:rusage", "-n", "1"]
    for program, status in (ATTEMPTS, 1), (ATTEMPTS + CRASH, 2):
        folder = tmp_path / str(status)
        folder.mkdir()
        (folder / "test_it.py").write_text(program)
        done = subprocess.run([*command, *options], cwd=folder, stdout=subprocess.PIPE, text=True, check=False)
        seen = {name: outcome for outcome, name in re.findall(r"(?m)^(PASSED|FAILED) test_it.py::(\w+)", done.stdout)}
        expected = {"test_chance": "PASSED", "test_child": "FAILED", "test_checked_child": "FAILED"}
        assert seen == expected | ({"test_worker": "FAILED"} if status == 2 else {}), done.stdout
        assert ("worker 'gw0' crashed" in done.stdout) == (status == 2)
        assert done.returncode == status


@pytest.mark.skipif(not (ROOT / ".pre-commit-config.yaml").exists(), reason="the sdist has no hooks")
def test_hooks_of_a_commit() -> None:
    """``tox -e lint`` runs each, with the same version and options, except that it changes no file."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    lint = (ROOT / "tox.ini").read_text(encoding="utf-8").split("[testenv:lint]")[1].split("\n[")[0]
    found = re.findall(r"entry: (\S+(?: check| format)?)(.*)\n(?:.*\n)*?.*_dependencies: \[(.*)\]", hooks)
    assert len(found) == hooks.count("- id: ") == 4
    for command, options, package in found:
        assert f"\n    {package}\n" in lint
        assert command in lint
        assert command != "codespell" or f"    {command}{options} ." in lint
