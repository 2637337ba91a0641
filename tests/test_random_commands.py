"""Random commands by ``rusage``, with the report of GNU time; the oracle is GNU time.

``RUSAGE_TEST_COMMANDS`` and ``RUSAGE_TEST_SEED`` change how many there are and which.
"""

import os
import shlex
import subprocess
import sys

import pytest
from conftest import PROGRAMS
from gnu_time import GNU_TIME, needs_gnu_time

pytestmark = pytest.mark.system

COUNTS = [os.environ.get("RUSAGE_TEST_COMMANDS", "15"), pytest.param("100", marks=pytest.mark.thorough)]
SEED = os.environ.get("RUSAGE_TEST_SEED", "1")
PROGRAM = str(PROGRAMS / "random_commands.py")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no GNU time on Windows")
@needs_gnu_time
@pytest.mark.parametrize("count", COUNTS)
def test_random_commands_as_by_gnu_time(count: str) -> None:
    """Status, streams, report, and the command's arguments, environment, descriptors and signals are equal."""
    command = [sys.executable, PROGRAM, count, SEED, shlex.join([sys.executable, "-m", "rusage"]), GNU_TIME]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout
