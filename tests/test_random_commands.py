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
RUSAGE = shlex.join([sys.executable, "-m", "rusage"])


def random_commands(ours: str, count: str) -> tuple[int, str]:
    """Compare a command with GNU time; return the exit status and what is printed."""
    command = [sys.executable, PROGRAM, count, SEED, ours, GNU_TIME]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there is no GNU time on Windows")
@needs_gnu_time
@pytest.mark.parametrize("count", COUNTS)
def test_random_commands_as_by_gnu_time(count: str) -> None:
    """Status, streams, report, and the command's arguments, environment, descriptors and signals are equal."""
    status, output = random_commands(RUSAGE, count)
    assert status == 0, output


@pytest.mark.skipif(sys.platform == "win32", reason="there is no GNU time on Windows")
@needs_gnu_time
def test_differences_are_found() -> None:
    """A command that changes the state of the program that it runs is not equal."""
    change = 'exec 20</dev/null; exec "$@"'
    status, output = random_commands(shlex.join(["sh", "-c", change, "sh", *shlex.split(RUSAGE)]), "10")
    assert (status, " 0 different" in output) == (1, False)
