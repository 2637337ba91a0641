"""``run``, where it differs from ``subprocess.run``; test_popen.py and test_differential.py test most of it."""

import subprocess
import sys

HEAD = "import asyncio, subprocess, sys, rusage, rusage.asyncio; command = [sys.executable, '-S', '-c', '']"
# Calls, and whether each is to be warned of.
CALLS = {
    "subprocess.run(command, text=True)": True,
    "rusage.run(command, text=True)": True,
    "rusage.run(command, universal_newlines=True)": True,
    "rusage.run(command, errors='strict')": True,
    "rusage.run(command)": False,
    "rusage.run(command, text=True, encoding='utf-8')": False,
    "rusage.Popen(command, text=True).wait()": True,
    "async def main(): await rusage.asyncio.run(command, text=True)": True,
    "asyncio.run(main())": False,
}


def test_encoding_warning_names_callers_line() -> None:
    """With ``-X warn_default_encoding`` each call names its own line; ``subprocess.run`` does from Python 3.11 on."""
    program = "\n".join([HEAD, *CALLS])
    command = [sys.executable, "-X", "warn_default_encoding", "-W", "always::EncodingWarning", "-c", program]
    done = subprocess.run(command, stderr=subprocess.PIPE, encoding="utf-8", check=True)
    warned = [line.split(": EncodingWarning")[0] for line in done.stderr.splitlines() if ": EncodingWarning" in line]
    expected = [f"<string>:{number}" for number, is_warned in enumerate(CALLS.values(), 2) if is_warned]
    assert warned == (expected if sys.version_info >= (3, 11) else [])
