"""How the suite runs: what ``conftest.py`` leaves out, runs side by side, and shows of a failure."""

import os
import shutil
from pathlib import Path

import pytest

TESTS = """
import os, subprocess, sys, time
import pytest

@pytest.mark.thorough
def test_long(): pass

@pytest.mark.parametrize("number", range(8))
def test_process(number):
    print(f"process {os.getpid()}")
    time.sleep(0.1)

def test_library():
    pytest.importorskip("no_such_library", reason="no such library: pip install --group tests")

def test_command():
    code = "import sys; print('hint'); sys.exit('reason')"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
"""
LEFT_OUT = "SKIPPED [[]1[]] conftest.py:*: takes long; run by: pytest -m thorough"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a suite of its own with the same conftest."""
    here = Path(__file__).parent
    shutil.copy(here / "conftest.py", pytester.path)
    monkeypatch.setenv("PYTHONPATH", str(here), prepend=os.pathsep)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:rusage -rsP")
    pytester.makeini("[pytest]\nmarkers =\n    thorough: x\n")
    pytester.makepyfile(test_it=TESTS)
    return pytester


def test_end_of_a_run(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows what a failed command has printed, which tests were left out, and how to run them."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a faster start
    result = suite.runpytest_subprocess("test_it.py")
    result.assert_outcomes(passed=8, skipped=2, failed=1)
    result.stdout.fnmatch_lines(["*- output of the command -*", "hint", "*- error output of the command -*", "reason"])
    result.stdout.fnmatch_lines([LEFT_OUT])
    result.stdout.fnmatch_lines(["To run all tests: *"])


@pytest.mark.thorough
@pytest.mark.parametrize("asked", [["-m", "thorough", "test_it.py"], ["test_it.py::test_long"]], ids=str)
def test_thorough_tests_on_request(suite: pytest.Pytester, asked: list[str]) -> None:
    """By the mark and by the name."""
    suite.runpytest_subprocess(*asked).assert_outcomes(passed=1)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("argument", "several"), [([], True), (["."], True), (["test_it.py"], False), (["-n", "0"], False)], ids=str
)
def test_side_by_side(suite: pytest.Pytester, argument: list[str], several: bool) -> None:  # noqa: FBT001 (a column)
    """The whole suite runs in several processes, a file in one."""
    pytest.importorskip("xdist", reason="no pytest-xdist: pip install --group tests")
    result = suite.runpytest_subprocess("-k", "process", *argument)
    result.assert_outcomes(passed=8)
    assert (len({line for line in result.outlines if line.startswith("process ")}) > 1) is several
