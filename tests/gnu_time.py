"""GNU time, the oracle of tests of the command."""

import shutil
import subprocess

import pytest


def _find() -> str:
    """Return the path of GNU time, which other systems than Linux call gtime; empty if there is none."""
    for path in filter(None, map(shutil.which, ["gtime", "time"])):
        if b"GNU" in subprocess.run([path, "--version"], capture_output=True, check=False).stdout:
            return path
    return ""


GNU_TIME = _find()
needs_gnu_time = pytest.mark.skipif(not GNU_TIME, reason="no GNU time: apt-get install time")
