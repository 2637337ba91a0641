"""Random starts of programs by ``rusage``; the oracle is ``subprocess``, in the same conditions.

``RUSAGE_TEST_STARTS`` and ``RUSAGE_TEST_SEED`` change how many there are and which. A failure prints the number of each
start: ``python tests/programs/random_starts.py only=NUMBER SEED [USER]`` repeats it alone.
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

if sys.platform == "win32":
    pytest.skip("Windows starts programs in another way", allow_module_level=True)
# Without a C compiler the program that is started is a script, and most starts have another environment.
STARTS_ALONE = [sys.executable, "-IS", "-c", ""]
if shutil.which("cc") is None and subprocess.run(STARTS_ALONE, env={}, capture_output=True, check=False).returncode:
    pytest.skip("this interpreter needs its environment to start", allow_module_level=True)

STARTS = [
    os.environ.get("RUSAGE_TEST_STARTS", "30"),
    pytest.param("100", marks=[pytest.mark.thorough, pytest.mark.interpreter, pytest.mark.not_emulated]),
    pytest.param("250", marks=[pytest.mark.thorough, pytest.mark.not_emulated]),
]
SEED = os.environ.get("RUSAGE_TEST_SEED", "1")
NOBODY = "64321"
MAIN = "import random_starts\nsys.exit(random_starts.main(*sys.argv[1:]))"
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0


def random_starts(*arguments: str, code: str = "") -> tuple[int, str]:
    """Run the program, perhaps after some code; return its exit status and its output."""
    # With PYTHONSAFEPATH in the environment the program's folder is not in its path.
    code = f"import sys\nsys.path.insert(0, {str(PROGRAMS)!r})\n{code or MAIN}"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("starts", STARTS)
@pytest.mark.parametrize("user", ["", NOBODY] if ROOT else [""])
def test_random_starts_as_in_subprocess(user: str, starts: str) -> None:
    """Exceptions, results, what is left and the state of the child are equal, but for ``ALLOWED`` differences."""
    status, output = random_starts(starts, SEED, *([user] if user else []))
    assert status == 0, output
    made, _, skipped, own_peaks = map(int, re.findall(r"^(\d+) starts, (\d+) .*, (\d+) not .*, (\d+) own", output)[0])
    assert skipped <= max(6, made / (10 if BACKEND.name == "Linux" else 2))  # conditions that a system does not have
    if BACKEND.name == "Linux" and not user:  # another user may be unable to execute the launcher
        assert own_peaks >= made / 20


BROKEN = """
import os, subprocess, random_starts, start_runner

class Broken(subprocess.Popen):
    def __init__(self, args, **named):
        {change}
        super().__init__(args, **named)

def run(*args, check, timeout, **named):
    process = Broken(*args, **named)
    stdout, stderr = process.communicate(timeout=timeout)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

start_runner.LIBRARIES["rusage"] = run, Broken
sys.exit(random_starts.main("{count}", "1"))
"""


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("named['umask'] = 0o13", "child.umask"),
        pytest.param("named['start_new_session'] = True", "child.pids", marks=pytest.mark.thorough),
        pytest.param("named['close_fds'] = False", "child.fd N", marks=pytest.mark.thorough),
        pytest.param("args = ['/nonexistent']", "FileNotFoundError instead of None", marks=pytest.mark.thorough),
        pytest.param("os.umask(0o31); os.dup(10)", "parent.descriptors", marks=pytest.mark.thorough),
        pytest.param("os.fork() or os._exit(0)", "left", marks=pytest.mark.thorough),
    ],
)
def test_differences_are_found(change: str, kind: str) -> None:
    """In a library that does one thing in another way."""
    count = 10 if kind == "child.umask" else 40  # most starts show it
    status, output = random_starts(code=BROKEN.format(change=change, count=count))
    assert status == 1, output
    assert re.search(rf"^\d+ x {re.escape(kind)}: ", output, re.MULTILINE), output
