"""What several tests need."""

import subprocess
import sys
from collections.abc import Callable

import pytest


@pytest.fixture
def python() -> Callable[[str], str]:
    """Return a function that runs a program in a new interpreter and returns what it prints."""

    def run(program: str) -> str:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
