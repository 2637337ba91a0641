"""``run``, where it differs from ``subprocess.run``.

test_popen.py and test_differential.py test most of it.
"""

import subprocess
import sys

import pytest

HEAD = "import asyncio, sys, rusage, rusage.asyncio; command = [sys.executable, '-S', '-c', '']\n"


@pytest.mark.parametrize(
    "call",
    [
        "rusage.run(command, text=True)",
        "rusage.Popen(command, errors='strict').wait()",
        "asyncio.run(rusage.asyncio.run(command, text=True))",
    ],
)
def test_encoding_warning(call: str) -> None:
    """With ``-X warn_default_encoding`` subprocess warns."""
    options = ["-X", "warn_default_encoding", "-W", "always::EncodingWarning"]
    command = [sys.executable, *options, "-c", HEAD + call]
    done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", check=True)
    assert done.stderr.count("EncodingWarning: ") == 1
