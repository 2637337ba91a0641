"""Random starts of programs by ``rusage``; the oracle is ``subprocess``, in the same conditions.

``RUSAGE_TEST_STARTS`` and ``RUSAGE_TEST_SEED`` change how many there are and which.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import PROGRAMS

from rusage._backends import BACKEND

pytest.importorskip("hypothesis", reason="no hypothesis: pip install --group tests")
if sys.platform == "win32":
    pytest.skip("Windows starts programs in another way", allow_module_level=True)
if shutil.which("cc") is None:
    pytest.skip("no C compiler: apt-get install gcc libc6-dev", allow_module_level=True)

STARTS = [
    os.environ.get("RUSAGE_TEST_STARTS", "30"),
    pytest.param("300", marks=[pytest.mark.thorough, pytest.mark.interpreter, pytest.mark.not_emulated]),
]
SEED = os.environ.get("RUSAGE_TEST_SEED", "1")
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def random_starts(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program after some code."""
    # With PYTHONSAFEPATH in the environment the program's folder is not in its path.
    code = f"import sys\nsys.path.insert(0, {str(PROGRAMS)!r})\nimport random_starts, start_runner\n{code}\n"
    command = [sys.executable, "-c", f"{code}random_starts.main(*sys.argv[1:])", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("starts", STARTS)
@pytest.mark.parametrize("user", ["", "64321"] if ROOT else [""])
def test_random_starts_as_in_subprocess(user: str, starts: str) -> None:
    """Exceptions, results, what is left and the state of the child are equal."""
    done = random_starts(starts, SEED, *([user] if user else []))
    assert done.returncode == 0, done.stderr
    made, skipped, own_peaks = map(int, re.findall(r"\d+", done.stdout))
    assert skipped <= max(6, made / (10 if BACKEND.name == "Linux" else 2))  # conditions that a system does not have
    if BACKEND.name == "Linux" and not user:  # another user may be unable to execute the launcher
        assert own_peaks >= 15  # of the known starts


BROKEN = """
import os, subprocess

class Broken(subprocess.Popen):
    def __init__(self, args, **named):
        {change}
        super().__init__(args, **named)

def run(*args, check, timeout, **named):
    process = Broken(*args, **named)
    stdout, stderr = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

start_runner.LIBRARIES["rusage"] = run, Broken
random_starts.known = lambda folder: [random_starts.Case([], "run", {{"args": [f"{{folder}}/bin/probe", "exit:3"]}})]
"""


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("named['umask'] = 0o13", "child.umask"),
        pytest.param("os.umask(0o31); os.dup(10)", "parent.descriptors", marks=pytest.mark.thorough),
        pytest.param("os.fork() or os._exit(0)", "left", marks=pytest.mark.thorough),
    ],
)
def test_differences_are_found(change: str, kind: str) -> None:
    """In a library that does one thing in another way."""
    done = random_starts("1", "1", code=BROKEN.format(change=change))
    assert done.returncode == 1
    assert re.search(rf"^subprocess and rusage differ in .*\b{re.escape(kind)}", done.stderr, re.MULTILINE), done.stderr
