"""CPython's own tests of ``subprocess``, with this package's ``Popen`` and ``run`` in place."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(__file__).parent / "programs" / "cpython_subprocess.py")


@pytest.mark.thorough
@pytest.mark.interpreter
@pytest.mark.skipif(sys.platform == "win32", reason="on Windows nothing of subprocess is replaced")
def test_cpythons_own_tests_pass(tmp_path: Path) -> None:
    if (
        importlib.util.find_spec("test") is None
        or importlib.util.find_spec("test.test_subprocess") is None
    ):
        pytest.skip(
            reason="no test.test_subprocess: install the tests of this interpreter "
            "(libpython3-testsuite)"
        )
    command = [sys.executable, PROGRAM]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path, start_new_session=True
    )
    assert done.returncode == 0, done.stderr[-6000:]
    run, left_out = map(int, done.stdout.split()[-2:])
    assert run - left_out > 200
