"""Replace subprocess.Popen by a mock, before and after rusage has imported what it needs of it."""

import subprocess
import sys
from unittest import mock

import rusage

COMMAND = [sys.executable, "-c", "raise SystemExit(3)"]

refused = None
with mock.patch("subprocess.Popen"):
    try:
        rusage.run  # noqa: B018 (imports what it needs)
    except ImportError as error:
        refused = str(error)
assert refused is not None, "made from a mock"
assert "not a class" in refused
assert rusage.run(COMMAND).returncode == 3
with mock.patch("subprocess.Popen"):
    assert rusage.run(COMMAND).returncode == 3
assert isinstance(subprocess.Popen, type)
