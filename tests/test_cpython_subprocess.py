"""CPython's own tests of ``subprocess``, with ``Popen`` and ``run`` of this package in the place of its own."""

import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

# Each of these looks into subprocess's private parts, or at a replacement that only subprocess itself would use.
PRIVATE = {
    "test_stopped": "replaces os.waitpid in subprocess to make up a status; the status comes from wait4 here",
    "test__use_vfork": "replaces and counts subprocess._fork_exec; there are two where the launcher's attempt fails",
    "test_run_keyboardinterrupt_no_kill": "replaces subprocess.Popen and expects run to use that",
}
# Debian's PyPy 3.11 7.3.19 fails these with its own subprocess as well.
PYPY = {
    "test_extra_groups": "OverflowError where CPython has ValueError",
    "test_exception_cwd": "the error's file name is another",
    "test_zombie_fast_process_del": "needs reference counting",
    "test_file_not_found_with_bad_cwd": "the error's file name is another",
}

PROGRAM = str(Path(__file__).parent / "programs" / "cpython_subprocess.py")


@pytest.mark.thorough
@pytest.mark.interpreter
@pytest.mark.skipif(sys.platform == "win32", reason="on Windows nothing of subprocess is replaced")
def test_cpythons_own_tests_pass(tmp_path: Path) -> None:
    """All of ``test.test_subprocess`` passes, but for the few that look at subprocess's private parts."""
    if importlib.util.find_spec("test") is None or importlib.util.find_spec("test.test_subprocess") is None:
        pytest.skip(reason="no test.test_subprocess: install the tests of this interpreter (libpython3-testsuite)")
    skipped = {**PRIVATE, **PYPY} if platform.python_implementation() == "PyPy" else PRIVATE
    done = subprocess.run(
        [sys.executable, PROGRAM, json.dumps([*skipped])],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    run, left_out = map(int, done.stdout.split()[-2:])
    assert run - left_out > 200
