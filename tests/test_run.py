"""``run``, where it differs from ``subprocess.run``.

test_popen.py and test_differential.py test most of it.
"""

import subprocess
import sys

PROGRAM = """import asyncio, sys, rusage, rusage.asyncio
command = [sys.executable, "-S", "-c", ""]
async def main():
    await rusage.asyncio.run(command, text=True)
rusage.run(command, text=True)
rusage.Popen(command, universal_newlines=True).wait()
rusage.run(command, errors="strict")
asyncio.run(main())
rusage.run(command, text=True, encoding="utf-8")
rusage.run(command)
"""


def test_encoding_warning() -> None:
    """It names the line of the caller, as subprocess's does."""
    options = ["-X", "warn_default_encoding", "-W", "always::EncodingWarning"]
    command = [sys.executable, *options, "-c", PROGRAM]
    done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", check=True)
    warned = [line.split(": ")[0] for line in done.stderr.splitlines() if "Warning" in line]
    assert warned == [f"<string>:{line}" for line in (5, 6, 7, 4)]
